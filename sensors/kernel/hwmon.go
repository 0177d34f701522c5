package kernel

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"

	"sighub/sensors"
)

// hwmonTypes are the types of values that are reported, with the factor from the unit of their files to the SenML unit.
var hwmonTypes = map[string]struct {
	event, unit string
	factor      float64
}{
	"temp":     {"temp", sensors.Celsius, 1e-3},      // millidegrees Celsius
	"in":       {"voltage", sensors.Volt, 1e-3},      // millivolts
	"fan":      {"fan", sensors.PerMinute, 1},        // revolutions per minute
	"curr":     {"current", sensors.Ampere, 1e-3},    // milliamperes
	"power":    {"power", sensors.Watt, 1e-6},        // microwatts
	"energy":   {"energy", sensors.Joule, 1e-6},      // microjoules
	"humidity": {"humidity", sensors.Humidity, 1e-3}, // milli percent
}

// hwmonDevice finds the values of a device: <type><number>_input, with a label if the driver has one.
func hwmonDevice(o *Options, dir string) (*device, error) {
	name, err := readText(dir, "name")
	if err != nil {
		return nil, err
	}
	d := &device{kind: Hwmon, name: name, parent: dir}
	if parent, err := filepath.EvalSymlinks(filepath.Join(dir, "device")); err == nil {
		if exists(parent, "w1_slave") || exists(parent, "temp") && exists(parent, "type") {
			return nil, nil // a thermometer on 1-Wire or a thermal zone, which is found as such
		}
		d.parent = parent
		d.serial = serialOf(parent, filepath.Dir(parent))
	}
	d.place = placeOf(o.Root, d.parent)
	d.label = textOr(dir, "label")
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	pattern := regexp.MustCompile(`^(temp|in|fan|curr|power|energy|humidity)([0-9]+)_(input|average)$`)
	counts := make(map[string]int)
	for _, entry := range entries {
		m := pattern.FindStringSubmatch(entry.Name())
		if m == nil {
			if input, ok := strings.CutSuffix(entry.Name(), "_input"); ok {
				d.unknown = append(d.unknown, input)
			}
			continue
		}
		if m[3] == "average" && (m[1] != "power" || exists(dir, m[1]+m[2]+"_input")) {
			continue // the present value is more useful
		}
		t := hwmonTypes[m[1]]
		c := channel{file: entry.Name(), scale: t.factor, parse: parseNumber}
		c.humid = t.event == "humidity" && wet[name]
		// Each of its inputs may be connected to something else, or to nothing.
		c.quantity = within(Hwmon, name, t.event, sensors.Quantity{Name: t.event, Unit: t.unit, Resolution: t.factor, Separate: true})
		if label, err := readText(dir, m[1]+m[2]+"_label"); err == nil {
			c.quantity.Name = slug(label, t.event)
		}
		if fault := m[1] + m[2] + "_fault"; exists(dir, fault) {
			c.fault = fault
		}
		counts[c.quantity.Name]++
		d.channels = append(d.channels, c)
	}
	// Values of the same name get their number at the end. If that is still not unique, they get another number.
	used := make(map[string]bool)
	for i := range d.channels {
		c := &d.channels[i]
		name := c.quantity.Name
		if counts[name] > 1 {
			c.quantity.Name += pattern.FindStringSubmatch(c.file)[2]
		}
		for n := 2; used[c.quantity.Name]; n++ {
			c.quantity.Name = fmt.Sprintf("%s-%d", name, n)
		}
		used[c.quantity.Name] = true
	}
	return d, nil
}
