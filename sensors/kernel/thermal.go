package kernel

import (
	"cmp"
	"path/filepath"

	"sighub/sensors"
)

// thermalDevice finds the value of a thermal zone. Its type is its name; its temp is in millidegrees Celsius.
func thermalDevice(o *Options, dir string) (*device, error) {
	name, err := readText(dir, "type")
	if err != nil {
		return nil, err
	}
	if !exists(dir, "temp") {
		return nil, nil // it has only a mode
	}
	d := &device{kind: Thermal, name: name, place: placeOf(o.Root, dir)}
	if parent, err := filepath.EvalSymlinks(filepath.Join(dir, "device")); err == nil {
		d.place = cmp.Or(textOr(parent, "path"), placeOf(o.Root, parent)) // its name in ACPI
	}
	d.channels = []channel{{
		quantity: within(Thermal, name, "temp", sensors.Quantity{Name: "temp", Unit: sensors.Celsius, Resolution: 1e-3}),
		file:     "temp", scale: 1e-3, parse: parseNumber,
	}}
	return d, nil
}
