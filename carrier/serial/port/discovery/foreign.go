package discovery

import "strings"

// Foreign says what a USB adapter is that nobody wants to be opened by a pattern as wide as auto: bytes that are written to it would
// disturb it, or another program has it. It is empty for all others. The ids are those of the USB ID repository and of the makers.
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
)

// foreigners are adapters by their ids. Many radios have the ids of the chip that connects them, which many boards have, too: they are
// known by their names.
var foreigners = []struct{ vendor, product, what string }{
	{"1cf1", "0030", zigbee}, // ConBee II
	{"0451", "16a8", zigbee}, // CC2531
	{"10c4", "8a2a", zwave},  // HUSBZB-1
	{"0658", "0200", zwave},  // Sigma Designs, Aeotec Z-Stick
	{"1546", "", receiver},   // u-blox
	{"091e", "", receiver},   // Garmin
	{"12d1", "", modem},      // Huawei
	{"2c7c", "", modem},      // Quectel
	{"1199", "", modem},      // Sierra Wireless
	{"1bc7", "", modem},      // Telit
	{"19d2", "", modem},      // ZTE
	{"1e0e", "", modem},      // SIMCom
	{"05c6", "", modem},      // Qualcomm
	{"051d", "", ups},        // APC
	{"0764", "", ups},        // CyberPower
}

var foreignNames = []struct{ word, what string }{
	{"zigbee", zigbee}, {"conbee", zigbee}, {"skyconnect", zigbee}, {"connect zbt", zigbee}, {"slzb", zigbee}, {"slaesh", zigbee},
	{"z-wave", zwave}, {"zwave", zwave}, {"z-stick", zwave}, {"zooz", zwave}, {"gnss", receiver}, {"gps", receiver}, {"modem", modem},
}
