package kernel

import (
	"bytes"
	"errors"
	"path/filepath"
	"strings"

	"sighub/sensors"
)

// oneWireFamilies are the thermometers that the kernel's w1_therm supports, by the family at the start of their directory's name.
var oneWireFamilies = map[string]string{"10": "ds18s20", "22": "ds1822", "28": "ds18b20", "3b": "ds1825", "42": "ds28ea00"}

// oneWireDevice finds a thermometer on 1-Wire, such as 28-0316a2794cff. Reading its w1_slave measures, which takes up to 750 ms.
func oneWireDevice(dir string) (*device, error) {
	family, id, _ := strings.Cut(filepath.Base(dir), "-")
	name, ok := oneWireFamilies[family]
	if !ok || !exists(dir, "w1_slave") {
		return nil, nil
	}
	return &device{kind: OneWire, name: name + "-" + id, place: id, channels: []channel{{
		quantity: sensors.Quantity{Name: "temp", Unit: sensors.Celsius, Min: -55, Max: 125, Resolution: 0.0625},
		file:     "w1_slave", scale: 1e-3, parse: parseOneWire,
	}}}, nil
}

var (
	errOneWire   = errors.New("the checksum is wrong: the reading was damaged on the bus")
	errUnpowered = errors.New("it reads 85 °C, as it does without enough power to measure")
)

// parseOneWire parses two lines. The first has the device's memory and whether its checksum is right, the second has the memory
// again and the temperature in millidegrees.
//
//	72 01 4b 46 7f ff 0e 10 57 : crc=57 YES
//	72 01 4b 46 7f ff 0e 10 57 t=23125
func parseOneWire(text []byte) (float64, error) {
	first, second, ok := bytes.Cut(text, []byte("\n"))
	if !ok || !bytes.HasSuffix(bytes.TrimRight(first, " \r"), []byte(" YES")) {
		return 0, errOneWire
	}
	_, value, ok := bytes.Cut(second, []byte("t="))
	if !ok {
		return 0, errNumber
	}
	n, err := parseNumber(value)
	// After power-up the device answers 85 °C until it has measured, with 0c in the seventh byte. A measured 85 °C almost
	// always has another value there.
	if err == nil && n == 85_000 && len(first) >= 20 && string(first[18:20]) == "0c" {
		return 0, errUnpowered
	}
	return n, err
}
