package kernel

import (
	"os"
	"path/filepath"
	"regexp"

	"sighub/sensors"
)

// iioTypes are the channel types that are reported, with the name of the event and the factor from the unit of the ABI
// document, after offset and scale, to the SenML unit.
var iioTypes = map[string]struct {
	event, unit string
	factor      float64
}{
	"illuminance":      {"lux", sensors.Lux, 1},              // lux
	"temp":             {"temp", sensors.Celsius, 1e-3},      // milli degrees Celsius
	"humidityrelative": {"humidity", sensors.Humidity, 1e-3}, // milli percent
	"pressure":         {"pressure", sensors.Pascal, 1e3},    // kilopascal
}

// iioDevice finds the channels of a device: in_<type>[index][_modifier]_raw, a count, or ..._input, a value without scale.
func iioDevice(o *Options, dir string) (*device, error) {
	name, err := readText(dir, "name")
	if err != nil {
		return nil, err
	}
	parent := filepath.Dir(dir)
	d := &device{kind: IIO, name: name, label: textOr(dir, "label"), serial: serialOf(dir, parent, filepath.Dir(parent)),
		parent: parent, place: placeOf(o.Root, dir)}
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	pattern := regexp.MustCompile(`^in_(illuminance|temp|humidityrelative|pressure)([0-9]*)(_[a-z0-9]+)?_(raw|input)$`)
	counts := make(map[string]int)
	var events []string
	for _, entry := range entries {
		m := pattern.FindStringSubmatch(entry.Name())
		if m == nil {
			continue
		}
		if m[3] == "_mean" || m[3] == "_peak" { // the value itself is reported
			continue
		}
		base := "in_" + m[1] + m[2] + m[3]
		if m[4] == "raw" && exists(dir, base+"_input") {
			continue
		}
		t := iioTypes[m[1]]
		c := channel{file: entry.Name(), scale: t.factor, parse: parseNumber}
		c.humid = t.event == "humidity" && wet[name]
		c.quantity = within(IIO, name, t.event, sensors.Quantity{Unit: t.unit})
		if m[4] == "raw" {
			// A scale or offset that a channel does not have itself is shared by all channels of its type.
			scale, err := firstNumber(dir, 1, base+"_scale", "in_"+m[1]+m[2]+"_scale", "in_"+m[1]+m[3]+"_scale", "in_"+m[1]+"_scale")
			if err != nil {
				return nil, err
			}
			c.offset, err = firstNumber(dir, 0, base+"_offset", "in_"+m[1]+m[2]+"_offset", "in_"+m[1]+m[3]+"_offset",
				"in_"+m[1]+"_offset")
			if err != nil {
				return nil, err
			}
			c.scale *= scale
			c.quantity.Resolution = max(c.scale, -c.scale)
		}
		event := t.event
		if m[3] != "" {
			event += "-" + m[3][1:]
		}
		counts[event]++
		events = append(events, event)
		c.quantity.Name = event + m[2]
		d.channels = append(d.channels, c)
	}
	for i, event := range events { // in_temp0 is temp if there is no other
		if counts[event] == 1 {
			d.channels[i].quantity.Name = event
		}
	}
	return d, nil
}

// firstNumber reads the first of these files that exists.
func firstNumber(dir string, otherwise float64, files ...string) (float64, error) {
	for _, file := range files {
		if exists(dir, file) {
			return readNumber(dir, file, otherwise)
		}
	}
	return otherwise, nil
}
