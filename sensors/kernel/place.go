package kernel

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

// The kernel numbers devices as it finds them, which may differ at each start. What is left of the path of a device without
// these numbers is where it is: the place on a board, the slot, the port, and the address on a bus.
var (
	// i2cClient is a device on I2C, such as 1-0076: the bus is a number, the address stays.
	i2cClient = regexp.MustCompile(`^[0-9]+-([0-9a-f]{4})$`)
	// i2cAdapter is a bus.
	i2cAdapter = regexp.MustCompile(`^i2c-[0-9]+$`)
	// i2cChannel is one of the buses behind a switch, in the name of the bus.
	i2cChannel = regexp.MustCompile(`\(chan_id ([0-9]+)\)`)
	// usbInterface is a device on USB, such as 1-1.4 or 1-1.4:1.0: the bus is a number, the ports stay.
	usbInterface = regexp.MustCompile(`^[0-9]+-([0-9]+(?:\.[0-9]+)*)(?::([0-9]+\.[0-9]+))?$`)
	// numbered are other directories with a number of the kernel's.
	numbered = regexp.MustCompile(`^(hwmon|iio:device|thermal_zone|nvme|usb|ata|host|target|rport-|session|scsi|card|phy|eth|wlan|` +
		`drm|mmc|rtc|input|spi|hidraw|w1_bus_master|tty[A-Za-z]*)[0-9][0-9:.-]*$|^[0-9]+(:[0-9]+){3}$`)
	// classes are directories that only group others.
	classes = []string{"hwmon", "iio", "thermal", "nvme", "scsi_host", "ieee80211", "net", "drm", "mmc_host", "power_supply", "virtual",
		"soc", "platform", "devices", "i2c-dev", "class", "bus"}
)

// placeOf returns where the device with this directory, below root and without symbolic links, is. It is empty if nothing but
// numbers leads there.
func placeOf(root, dir string) string {
	rel, err := filepath.Rel(root, dir)
	if err != nil || strings.HasPrefix(rel, "..") {
		rel = dir
	}
	var parts []string // from the end of the path
	usb := false
	for ; rel != "." && rel != string(filepath.Separator); rel = filepath.Dir(rel) {
		base := filepath.Base(rel)
		switch m := i2cClient.FindStringSubmatch(base); {
		case m != nil && i2cAdapter.MatchString(filepath.Base(filepath.Dir(rel))):
			parts = append(parts, m[1])
		case i2cAdapter.MatchString(base):
			parts = append(parts, adapterOf(filepath.Join(root, rel))...)
		case usbInterface.MatchString(base):
			if !usb { // the ports of hubs before it are in it
				m := usbInterface.FindStringSubmatch(base)
				parts = append(parts, strings.TrimSuffix(m[1]+":"+m[2], ":"))
			}
			usb = true
		case numbered.MatchString(base) || slices.Contains(classes, base):
		default:
			slices.Reverse(parts)
			return strings.Join(append([]string{base}, parts...), "-")
		}
	}
	slices.Reverse(parts)
	return strings.Join(parts, "-")
}

// adapterOf returns what tells an I2C bus from others of the same controller: the channel of a switch, or its name.
func adapterOf(dir string) []string {
	name, err := readText(dir, "name")
	if err != nil {
		return nil
	}
	if m := i2cChannel.FindStringSubmatch(name); m != nil {
		return []string{"channel" + m[1]}
	}
	entries, err := os.ReadDir(filepath.Dir(dir))
	if err != nil {
		return nil
	}
	for _, e := range entries {
		if i2cAdapter.MatchString(e.Name()) && e.Name() != filepath.Base(dir) {
			return []string{name}
		}
	}
	return nil
}

// serialOf returns the serial number of a device, from its own directory or that of its parent: a disk, a USB device, a
// battery. Numbers of zeros alone are what a maker writes who gives none.
func serialOf(dirs ...string) string {
	for _, dir := range dirs {
		for _, file := range []string{"serial", "serial_number", "wwid", "unique_id"} {
			if text, err := readText(dir, file); err == nil && strings.Trim(text, "0 .-") != "" {
				return text
			}
		}
	}
	return ""
}
