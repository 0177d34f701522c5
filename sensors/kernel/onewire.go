package kernel

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"math"
	"path/filepath"
	"strings"

	"sighub/sensors"
)

// oneWireFamilies are the thermometers that the kernel's w1_therm supports, by the family at the start of their directory's name.
var oneWireFamilies = map[string]string{"10": "ds18s20", "22": "ds1822", "28": "ds18b20", "3b": "ds1825", "42": "ds28ea00"}

// A MAX31850 has the family of a DS1825, and a thermocouple of any type: -270 to 1768 °C.
var oneWireSpans = map[string]span{"3b": {-270, 1768}}

// oneWireDevice finds a thermometer on 1-Wire, such as 28-0316a2794cff. Reading its w1_slave measures, which takes up to 750 ms.
func oneWireDevice(_ *Options, dir string) (*device, error) {
	family, id, _ := strings.Cut(filepath.Base(dir), "-")
	name, ok := oneWireFamilies[family]
	if !ok || !exists(dir, "w1_slave") {
		return nil, nil
	}
	s, ok := oneWireSpans[family]
	if !ok {
		s = span{-55, 125}
	}
	parse := parseOneWire
	if family == "10" {
		parse = parseDS18S20
	}
	return &device{kind: OneWire, name: name + "-" + id, place: id, channels: []channel{{
		quantity: sensors.Quantity{Name: "temp", Unit: sensors.Celsius, Min: s.least, Max: s.most, Resolution: 0.0625},
		file:     "w1_slave", scale: 1e-3, parse: parse,
	}}}, nil
}

var (
	errOneWire   = errors.New("the checksum is wrong: the reading was damaged on the bus")
	errLow       = errors.New("every bit is 0: the bus is held low by a short circuit")
	errHigh      = errors.New("every bit is 1: the device does not answer")
	errUnpowered = errors.New("it reads 85 °C, as it does without enough power to measure")
	errMemory    = errors.New("the temperature is not that of the memory before it")
)

// parseOneWire parses two lines. The first has the device's memory and whether its checksum is right, the second has the memory
// again and the temperature in millidegrees. The checksum of a memory of zeros is right.
//
//	72 01 4b 46 7f ff 0e 10 57 : crc=57 YES
//	72 01 4b 46 7f ff 0e 10 57 t=23125
func parseOneWire(text []byte) (float64, error) { return parseMemory(text, 1000./16) }

// parseDS18S20 does the same for a DS18S20, whose memory has half degrees. The kernel adds what is finer.
func parseDS18S20(text []byte) (float64, error) { return parseMemory(text, 1000./2) }

func parseMemory(text []byte, unit float64) (float64, error) {
	first, second, ok := bytes.Cut(text, []byte("\n"))
	var memory [9]byte
	n := readMemory(first, memory[:])
	switch known := memory[:n]; {
	case n > 0 && bytes.Count(known, []byte{0x00}) == n:
		return 0, errLow
	case n > 0 && bytes.Count(known, []byte{0xff}) == n:
		return 0, errHigh
	case n == 0:
		return 0, errNumber
	case !ok || !bytes.HasSuffix(bytes.TrimRight(first, " \r"), []byte(" YES")):
		return 0, errOneWire
	}
	_, value, ok := bytes.Cut(second, []byte("t="))
	if !ok || n < len(memory) {
		return 0, errNumber
	}
	t, err := parseNumber(value)
	switch raw := float64(int16(binary.LittleEndian.Uint16(memory[:]))) * unit; {
	case err != nil:
		return 0, err
	case math.Abs(t-raw) > 2*unit: // it may be finer than the memory
		return 0, errMemory
	case t == 85_000 && memory[6] == 0x0c:
		// After power-up the device answers 85 °C until it has measured, with 0c in the seventh byte. A measured 85 °C
		// almost always has another value there.
		return 0, errUnpowered
	}
	return t, nil
}

// readMemory reads bytes in hexadecimal, and returns how many there are.
func readMemory(line []byte, memory []byte) int {
	for n := range memory {
		if len(line) < 2 {
			return n
		}
		if _, err := hex.Decode(memory[n:n+1], line[:2]); err != nil {
			return n
		}
		line = bytes.TrimLeft(line[2:], " ")
	}
	return len(memory)
}
