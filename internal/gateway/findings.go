package gateway

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"sighub/internal/config"
	"sighub/sensors/drivers"
	"sighub/sensors/kernel"
)

// Findings returns what the gateway would not find on this machine now. It opens nothing. It looks for devices in dev, usually
// /dev, and for the kernel's sensors in sys, usually /sys.
func Findings(cfg *config.Config, sys, dev string) (list []*config.Error) {
	c := &cfg.Sensing
	var found []kernel.Found
	if c.Auto || slices.ContainsFunc(c.Sensors, func(s config.Sensor) bool { return s.Kernel != "" }) {
		found = kernel.Scan(kernel.Options{Root: sys})
	}
	if c.Auto && len(found) == 0 {
		list = append(list, cfg.Warn("", "the kernel knows no sensor on this machine: auto finds nothing"))
	}
	for i := range c.Sensors {
		s := &c.Sensors[i]
		if missing := missingFor(s, found, sys, dev); missing != "" {
			list = append(list, cfg.Warn(s.Place(), "sensor %s: %s", s.Sender, missing))
		}
	}
	chips, _ := filepath.Glob(filepath.Join(dev, "gpiochip*"))
	for _, p := range c.Pins {
		if len(chips) == 0 {
			list = append(list, cfg.Warn(config.PinPlace(p.Pin), "pin %s: this machine has no pins: there is no %s", p.Pin, filepath.Join(dev, "gpiochip*")))
		}
	}
	return list
}

// missingFor says what a sensor needs that is not there; empty: nothing.
func missingFor(s *config.Sensor, found []kernel.Found, sys, dev string) string {
	switch {
	case s.Kernel != "":
		if slices.ContainsFunc(found, func(f kernel.Found) bool { return f.Name == s.Kernel }) {
			return ""
		}
		var names []string
		for _, f := range found {
			names = append(names, f.Name)
		}
		if len(names) == 0 {
			return fmt.Sprintf("the kernel has no sensor called %s, and no other: see `sighub sensors --scan`", s.Kernel)
		}
		return fmt.Sprintf("the kernel has no sensor called %s, only %s", s.Kernel, strings.Join(names, ", "))
	case s.Bus.Sim:
		return ""
	case s.Bus.Kind == drivers.OneWire:
		masters, _ := filepath.Glob(filepath.Join(sys, "bus", "w1", "devices", "w1_bus_master*"))
		if len(masters) == 0 {
			return fmt.Sprintf("there is no %s: it needs the module w1_gpio (on a Raspberry Pi: dtoverlay=w1-gpio in config.txt)", s.Bus)
		}
	default:
		path := filepath.Join(dev, fmt.Sprintf("i2c-%d", s.Bus.Number))
		if _, err := os.Stat(path); err != nil {
			return fmt.Sprintf("there is no %s: switch I2C on (on a Raspberry Pi: dtparam=i2c_arm=on in config.txt), or choose a bus that "+
				"`sighub sensors --scan` lists", path)
		}
	}
	return ""
}
