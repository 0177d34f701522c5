package drivers

import (
	"fmt"
	"strings"
	"time"
)

// Options are the options of a sensor. The zero value is right for most. [Driver.Options] lists those that a driver has.
type Options struct {
	// Mode is how precisely a device measures, and so how long it takes: for a bh1750 "high" (1 lx, the default), "high2"
	// (0.5 lx) or "low" (4 lx), for an sht3x, sht4x or hdc302x "high" (the default), "medium" or "low".
	Mode string
	// Gain is how sensitive a light sensor is: for a bh1750 0.45 to 3.68 (1 by default), for a tsl2591 1, 25, 428 or
	// 9876, for a veml7700 0.125, 0.25, 1 or 2. By default those two choose it by the light, and with it a veml7700 its
	// Integration.
	Gain float64
	// Integration is how long a light sensor gathers light: for a tsl2591 100 to 600 ms (100 by default), for a
	// veml7700 25, 50, 100 (the default with a Gain), 200, 400 or 800 ms.
	Integration time.Duration
	// Bits is the resolution of a ds18b20, 9 to 12 bits (the default): each bit doubles the time.
	Bits int
	// Oversampling is how many measurements a bme280 or bmp280 averages: 1 (the default), 2, 4, 8 or 16.
	Oversampling int
	// Channel is the input of an ads1115: "0" (the default), "1", "2" or "3" against ground, or the difference "0-1",
	// "0-3", "1-3" or "2-3".
	Channel string
	// Range is the largest voltage that an ads1115 measures, positive or negative: 6.144, 4.096 (the default), 2.048,
	// 1.024, 0.512 or 0.256 V. Its inputs must stay within its supply whatever the range.
	Range float64
	// Rate is how many conversions an ads1115 makes in a second: 8, 16, 32, 64, 128 (the default), 250, 475 or 860. Fewer
	// have less noise.
	Rate int
	// Law converts the voltage that an ads1115 measures to light or temperature. Nil: the voltage itself is reported.
	Law *Law
}

// given returns the names of the options that are set.
func (o *Options) given() []string {
	var names []string
	for _, option := range []struct {
		name string
		set  bool
	}{
		{"mode", o.Mode != ""},
		{"gain", o.Gain != 0},
		{"integration", o.Integration != 0},
		{"bits", o.Bits != 0},
		{"oversampling", o.Oversampling != 0},
		{"channel", o.Channel != ""},
		{"range", o.Range != 0},
		{"rate", o.Rate != 0},
		{"law", o.Law != nil},
	} {
		if option.set {
			names = append(names, option.name)
		}
	}
	return names
}

// A choice is a value of an option, and what it means to the device.
type choice[V comparable, T any] struct {
	value V
	means T
}

// choose returns the meaning of a value. The zero value means the first choice.
func choose[V comparable, T any](name string, value V, choices []choice[V, T]) (T, error) {
	var zero V
	var possible []string
	for _, c := range choices {
		if value == c.value || value == zero {
			return c.means, nil
		}
		possible = append(possible, fmt.Sprint(c.value))
	}
	var none T
	return none, fmt.Errorf("%s must be one of %s, not %v", name, strings.Join(possible, ", "), value)
}
