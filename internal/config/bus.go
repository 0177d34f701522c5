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

// A Bus is what sensors hang on: one of the machine's, or one that is simulated.
type Bus struct {
	Kind   string // drivers.I2C or drivers.OneWire
	Number int    // as in /dev/i2c-1

	Sim  bool          // it is simulated
	Day  time.Duration // how long a day takes there; 0: 24 hours
	File string        // while a file of this name exists, the simulated bus is pulled out; empty: never
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

// ParseBus reads the name of a bus: I2C1 or /dev/i2c-1, OneWire1, or sim, which may have day and unplugged after a ?.
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
				err = fmt.Errorf("day %q: write how long it takes, 1s or more, as in day=1m", value)
			}
		case key == "unplugged":
			if b.File = filepath.Clean(cmp.Or(value, ".")); value == "" {
				err = errors.New("unplugged names no file")
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

// suits refuses a bus of another kind than a driver needs.
func (b Bus) suits(kind string) error {
	switch {
	case b.Kind == kind:
		return nil
	case kind == drivers.OneWire:
		return fmt.Errorf("it is on 1-Wire, and %s is an I2C bus: write one as in OneWire1", b)
	default:
		return fmt.Errorf("it is on I2C, and %s is a 1-Wire bus: write one as in I2C1", b)
	}
}
