package kernel

import (
	"path/filepath"

	"sighub/sensors"
)

// thermalDevice finds the value of a thermal zone. Its type is its name; its temp is in millidegrees Celsius.
func thermalDevice(dir string) (*device, error) {
	name, err := readText(dir, "type")
	if err != nil {
		return nil, err
	}
	if !exists(dir, "temp") {
		return nil, nil // it has only a mode
	}
	return &device{kind: Thermal, name: name, place: filepath.Base(dir), channels: []channel{{
		quantity: within(Thermal, name, "temp", sensors.Quantity{Name: "temp", Unit: sensors.Celsius, Resolution: 1e-3}),
		file:     "temp", scale: 1e-3, parse: parseNumber,
	}}}, nil
}
