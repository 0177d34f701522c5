package kernel

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"sighub/sensors"
)

// An iioType is a type of channel: the name of its event, its unit, and the factor from the unit of the ABI document, after offset and
// scale, to that.
type iioType struct {
	event, unit string
	factor      float64
}

// iioTypes are the channel types that are reported, by the ABI document of the kernel (Documentation/ABI/testing/sysfs-bus-iio). Units
// are those of SenML, RFC 8428 and RFC 8798.
var iioTypes = map[string]iioType{
	"illuminance":            {"lux", sensors.Lux, 1},              // lux
	"temp":                   {"temp", sensors.Celsius, 1e-3},      // milli degrees Celsius
	"humidityrelative":       {"humidity", sensors.Humidity, 1e-3}, // milli percent
	"pressure":               {"pressure", sensors.Pascal, 1e3},    // kilopascal
	"voltage":                {"voltage", sensors.Volt, 1e-3},      // millivolts
	"current":                {"current", sensors.Ampere, 1e-3},    // milliamps
	"power":                  {"power", sensors.Watt, 1e-3},        // milliwatts
	"energy":                 {"energy", sensors.Joule, 1},         // joules
	"resistance":             {"resistance", sensors.Ohm, 1},       // ohms
	"capacitance":            {"capacitance", "F", 1e-9},           // nanofarads
	"electricalconductivity": {"conductivity", "S/m", 1},           // siemens per meter
	"ph":                     {"ph", "pH", 1},                      // pH
	"concentration":          {"concentration", "ppm", 1e4},        // percents
	"massconcentration":      {"dust", "ug/m3", 1},                 // micrograms per cubic meter
	"accel":                  {"acceleration", "m/s2", 1},          // m/s^2
	"gravity":                {"gravity", "m/s2", 1},               // m/s^2
	"anglvel":                {"rotation", "rad/s", 1},             // radians per second
	"angl":                   {"angle", "rad", 1},                  // radians
	"incli":                  {"inclination", "deg", 1},            // degrees
	"magn":                   {"field", "T", 1e-4},                 // gauss
	"distance":               {"distance", "m", 1},                 // meters
	"proximity":              {"proximity", "m", 1},                // meters, with a scale
	"intensity":              {"intensity", "", 1},                 // no unit, with or without a scale
	"uvindex":                {"uv-index", "", 1},                  // no unit
	"count":                  {"count", sensors.Count, 1},
	"steps":                  {"steps", sensors.Count, 1},
}

// substances are channels that are called by what they measure. Oxygen is not rare: it has another unit.
var substances = map[string]iioType{
	"concentration_co2": {"co2", "ppm", 1e4}, "concentration_voc": {"voc", "ppm", 1e4}, "concentration_ethanol": {"ethanol", "ppm", 1e4},
	"concentration_h2": {"h2", "ppm", 1e4}, "concentration_o2": {"o2", "%", 1},
	"massconcentration_pm1": {"pm1", "ug/m3", 1}, "massconcentration_pm2p5": {"pm25", "ug/m3", 1},
	"massconcentration_pm4": {"pm4", "ug/m3", 1}, "massconcentration_pm10": {"pm10", "ug/m3", 1},
}

// An iioChannel is the name of a file with a value: in_<type>[index][-<type>index][_modifier]_raw, a count, or ..._input, a value
// without scale.
type iioChannel struct{ kind, index, minus, modifier, form string }

var iioFile = regexp.MustCompile(`^in_([a-z]+)([0-9]*)(-[a-z]+[0-9]+)?((?:_[a-z0-9]+)*)_(raw|input)$`)

// parseIIO parses the name of a file. It is no channel if it is not the value itself, but its mean or its extremes.
func parseIIO(file string) (c iioChannel, ok bool) {
	whole, value := strings.CutPrefix(file, "in_")
	i := strings.LastIndexByte(whole, '_')
	if !value || i < 0 || whole[i:] != "_raw" && whole[i:] != "_input" {
		return c, false
	}
	for _, other := range []string{"_mean", "_peak", "_trough"} {
		if strings.HasSuffix(whole[:i], other) {
			return c, false
		}
	}
	if m := iioFile.FindStringSubmatch(file); m != nil {
		return iioChannel{m[1], m[2], m[3], m[4], m[5]}, true
	}
	return iioChannel{kind: whole[:i], form: whole[i+1:]}, true // in_velocity_sqrt(x^2+y^2+z^2)_input
}

func (c iioChannel) base() string { return "in_" + c.kind + c.index + c.minus + c.modifier }

// shared returns the names of what a channel may share with others of its type, such as a scale, nearest first.
func (c iioChannel) shared(what string) []string {
	list := []string{c.base(), "in_" + c.kind + c.index + c.minus, "in_" + c.kind + c.modifier, "in_" + c.kind}
	if c.minus != "" {
		list = slices.Insert(list, 2, "in_"+c.kind+"-"+c.kind)
	}
	for i := range list {
		list[i] += what
	}
	return list
}

// iioDevice finds the channels of a device.
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
	counts := make(map[string]int)
	var events []string
	for _, entry := range entries {
		f, ok := parseIIO(entry.Name())
		if !ok || f.form == "raw" && exists(dir, f.base()+"_input") {
			continue
		}
		t, modifier, known := f.meaning()
		if !known {
			d.unknown = append(d.unknown, f.base())
			continue
		}
		c, err := f.channel(dir, name, t)
		if err != nil {
			return nil, err
		}
		event := t.event
		if f.minus != "" {
			event += f.index + "-" + strings.TrimPrefix(f.minus, "-"+f.kind)
			f.index = ""
		}
		event += strings.ReplaceAll(modifier, "_", "-")
		counts[event]++
		events = append(events, event)
		c.quantity.Name = event + f.index
		d.channels = append(d.channels, c)
	}
	for i, event := range events { // in_temp0 is temp if there is no other
		if counts[event] == 1 {
			d.channels[i].quantity.Name = event
		}
	}
	return d, nil
}

// meaning returns what a channel measures, and the modifier that tells it apart from others that measure the same.
func (c iioChannel) meaning() (t iioType, modifier string, known bool) {
	if t, known = substances[c.kind+c.modifier]; known {
		return t, "", true
	}
	t, known = iioTypes[c.kind]
	if c.minus != "" && !strings.HasPrefix(c.minus[1:], c.kind) {
		known = false
	}
	return t, c.modifier, known
}

// channel returns a channel of the device in dir, which the kernel calls device.
func (c iioChannel) channel(dir, device string, t iioType) (channel, error) {
	ch := channel{file: c.base() + "_" + c.form, scale: t.factor, parse: parseNumber}
	ch.humid = t.event == "humidity" && wet[device]
	ch.quantity = within(IIO, device, t.event, sensors.Quantity{Unit: t.unit})
	if c.form == "input" {
		return ch, nil
	}
	// A scale or offset that a channel does not have itself is shared by all channels of its type.
	scale, err := firstNumber(dir, 1, c.shared("_scale")...)
	if err != nil {
		return ch, err
	}
	if ch.offset, err = firstNumber(dir, 0, c.shared("_offset")...); err != nil {
		return ch, err
	}
	if c.kind == "proximity" && !slices.ContainsFunc(c.shared("_scale"), func(file string) bool { return exists(dir, file) }) {
		ch.quantity = sensors.Quantity{Unit: sensors.Count} // the more, the nearer, whatever that means in meters
	}
	ch.scale *= scale
	ch.quantity.Resolution = max(ch.scale, -ch.scale)
	return ch, nil
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
