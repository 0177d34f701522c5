package config

import (
	"cmp"
	"errors"
	"fmt"
	"net/url"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"sighub/sensors/drivers"
)

// A Bus is what sensors are connected to: one of the machine's, or a simulated one.
type Bus struct {
	Kind   string // drivers.I2C or drivers.OneWire
	Number int    // that of /dev/i2c-1 is 1

	Sim  bool          // the bus is simulated
	Day  time.Duration // the length of a simulated day; 0: 24 hours
	File string        // while this file exists, the simulated bus counts as pulled out; empty: never
}

// String returns the bus as it is written: I2C1, OneWire1, sim?day=1m0s&unplugged=/tmp/out.
func (b Bus) String() string {
	switch {
	case b.Sim:
		var query []string
		if b.Day != 0 {
			query = append(query, "day="+b.Day.String())
		}
		if b.File != "" {
			query = append(query, "unplugged="+url.PathEscape(b.File))
		}
		if len(query) == 0 {
			return simBus
		}
		return simBus + "?" + strings.Join(query, "&")
	case b.Kind == drivers.OneWire:
		return oneWirePrefix + strconv.Itoa(b.Number)
	case b.Kind == drivers.I2C:
		return i2cPrefix + strconv.Itoa(b.Number)
	}
	return ""
}

const (
	simBus        = "sim"
	i2cPrefix     = "I2C"
	oneWirePrefix = "OneWire"
)

// ParseBus parses the name of a bus: I2C1 or /dev/i2c-1, OneWire1, or sim, which may be followed by ? and day and unplugged.
func ParseBus(text string) (Bus, error) {
	name, query, _ := strings.Cut(text, "?")
	if name == simBus {
		return parseSim(query)
	}
	for _, prefix := range []struct{ text, kind string }{
		{"/dev/i2c-", drivers.I2C}, {i2cPrefix, drivers.I2C}, {oneWirePrefix, drivers.OneWire},
	} {
		if digits, ok := strings.CutPrefix(text, prefix.text); ok {
			if n, err := strconv.ParseUint(digits, 10, 16); err == nil {
				return Bus{Kind: prefix.kind, Number: int(n)}, nil
			}
		}
	}
	return Bus{}, fmt.Errorf("bus %q is not known: write I2C1 for /dev/i2c-1, OneWire1, or sim for a simulated one", text)
}

func parseSim(query string) (Bus, error) {
	b := Bus{Kind: drivers.I2C, Sim: true}
	for pair := range strings.SplitSeq(query, "&") {
		if pair == "" {
			continue
		}
		key, value, _ := strings.Cut(pair, "=")
		value, err := url.PathUnescape(value)
		switch {
		case err != nil:
		case key == "day":
			if b.Day, err = time.ParseDuration(value); err != nil || b.Day < time.Second {
				err = fmt.Errorf("day %q must be a duration of 1s or more: write one such as day=1m", value)
			}
		case key == "unplugged":
			if b.File = filepath.Clean(cmp.Or(value, ".")); value == "" {
				err = errors.New("unplugged names no file: write one, such as unplugged=/tmp/out")
			}
		default:
			err = fmt.Errorf("%q is not known: write day or unplugged", key)
		}
		if err != nil {
			return Bus{}, fmt.Errorf("bus sim: %w", err)
		}
	}
	return b, nil
}

// suits returns an error if a driver needs a bus of another kind.
func (b Bus) suits(kind string) error {
	switch {
	case b.Kind == kind:
		return nil
	case kind == drivers.OneWire:
		return fmt.Errorf("this device needs 1-Wire, but %s is an I2C bus: write one such as OneWire1", b)
	default:
		return fmt.Errorf("this device needs I2C, but %s is a 1-Wire bus: write one such as I2C1", b)
	}
}
