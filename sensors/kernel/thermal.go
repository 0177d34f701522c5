package kernel

import (
	"path/filepath"

	"sighub/sensors"
)

// thermalDevice looks at a thermal zone: its type is its name, its temp is millidegrees Celsius.
func thermalDevice(dir string) (*device, error) {
	name, err := readText(dir, "type")
	if err != nil {
		return nil, err
	}
	if !exists(dir, "temp") {
		return nil, nil // it only has a mode
	}
	return &device{kind: Thermal, name: name, place: filepath.Base(dir), channels: []channel{{
		quantity: sensors.Quantity{Name: "temp", Unit: sensors.Celsius, Resolution: 1e-3},
		file:     "temp", scale: 1e-3, parse: parseNumber,
	}}}, nil
}
