package discovery

import "testing"

// TestForeign: radios, receivers and modems are left alone, boards and the usual adapters are not.
func TestForeign(t *testing.T) {
	for _, test := range []struct {
		usb     *USB
		foreign bool
	}{
		{nil, false},
		{&USB{}, false},
		{&USB{Vendor: "1cf1", Product: "0030"}, true},
		{&USB{Vendor: "2c99", Product: "0002", Name: "Prusa Research (prusa3d.com) Original Prusa i3 MK3"}, true},
		{&USB{Vendor: "1d50", Product: "614e", Name: "Klipper stm32f446xx"}, true},
		{&USB{Vendor: "1546", Product: "01a8"}, true},
		{&USB{Vendor: "10c4", Product: "ea60", Name: "Silicon Labs CP2102 USB to UART Bridge Controller"}, false},
		{&USB{Vendor: "10c4", Product: "ea60", Name: "Itead Sonoff Zigbee 3.0 USB Dongle Plus"}, true},
		{&USB{Vendor: "2341", Product: "0043", Name: "Arduino (www.arduino.cc)"}, false},
		{&USB{Vendor: "1a86", Product: "7523", Name: "USB Serial"}, false},
		{&USB{Vendor: "0403", Product: "6001", Name: "FTDI FT232R USB UART"}, false},
		{&USB{Vendor: "2e8a", Product: "0005", Name: "MicroPython Board in FS mode"}, false},
	} {
		if got := Foreign(Port{USB: test.usb}); (got != "") != test.foreign {
			t.Errorf("%+v: %q", test.usb, got)
		}
	}
}
