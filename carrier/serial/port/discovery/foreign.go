package discovery

import "strings"

// Foreign says what a USB adapter is that nobody wants to be opened by a pattern as wide as auto: bytes that are written to it would
// disturb it, or another program has it. It is empty for all others. The ids are those of the USB ID repository (linux-usb.org/usb.ids), of
// the makers, and of the lists by which zigbee-herdsman, Home Assistant and Klipper find such devices.
func Foreign(p Port) string {
	if p.USB == nil {
		return ""
	}
	for _, f := range foreigners {
		if f.vendor == p.USB.Vendor && (f.product == "" || f.product == p.USB.Product) {
			return f.what
		}
	}
	name := strings.ToLower(p.USB.Name)
	for _, f := range foreignNames {
		if strings.Contains(name, f.word) {
			return f.what
		}
	}
	return ""
}

// What devices are that are left alone.
const (
	zigbee   = "a radio for Zigbee or Thread"
	zwave    = "a radio for Z-Wave"
	modem    = "a modem"
	receiver = "a receiver of satellites: speaks: lines with format: nmea serves it"
	ups      = "an uninterruptible power supply"
	printer  = "a 3D printer"
)

// foreigners are adapters by their ids. Many radios have the ids of the chip that connects them, which many boards have, too: they are
// known by their names.
var foreigners = []struct{ vendor, product, what string }{
	{"1cf1", "0030", zigbee},  // ConBee II
	{"0451", "16a8", zigbee},  // CC2531
	{"0451", "16c8", zigbee},  // CC2538
	{"10c4", "8b34", zigbee},  // Bitron Video BV 2010/10
	{"10c4", "8a2a", zwave},   // HUSBZB-1
	{"0658", "0200", zwave},   // Sigma Designs, Aeotec Z-Stick
	{"1546", "", receiver},    // u-blox
	{"091e", "", receiver},    // Garmin
	{"12d1", "", modem},       // Huawei
	{"2c7c", "", modem},       // Quectel
	{"1199", "", modem},       // Sierra Wireless
	{"1bc7", "", modem},       // Telit
	{"19d2", "", modem},       // ZTE
	{"1e0e", "", modem},       // SIMCom
	{"05c6", "", modem},       // Qualcomm
	{"051d", "", ups},         // APC
	{"0764", "", ups},         // CyberPower
	{"2c99", "", printer},     // Prusa Research
	{"1d50", "614e", printer}, // Klipper
}

var foreignNames = []struct{ word, what string }{
	{"zigbee", zigbee}, {"conbee", zigbee}, {"skyconnect", zigbee}, {"connect zbt", zigbee}, {"slzb", zigbee}, {"slaesh", zigbee},
	{"slae.sh", zigbee}, {"tubeszb", zigbee}, {"zigstar", zigbee}, {"zigate", zigbee}, {"home assistant zbt", zigbee},
	{"z-wave", zwave}, {"zwave", zwave}, {"z-stick", zwave}, {"zooz", zwave}, {"gnss", receiver}, {"gps", receiver}, {"modem", modem},
	{"klipper", printer}, {"marlin", printer},
}
