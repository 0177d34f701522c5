package sensors

import (
	"strconv"
	"time"
)

// A Reading is a value that a sensor has measured.
type Reading struct {
	Value       float64
	Unit        string        // a name of the SenML units registry (RFC 8428, section 12.1); empty: no unit
	Time        time.Time     // when it was taken
	Uncertainty time.Duration // how far Time may be off
}

// Units of the SenML registry.
const (
	Lux       = "lx"
	Celsius   = "Cel"
	Humidity  = "%RH"
	Pascal    = "Pa"
	Volt      = "V"
	Ampere    = "A"
	Watt      = "W"
	Joule     = "J"
	Ohm       = "Ohm"
	PerMinute = "1/min"
	Count     = "count"
)

// String returns the value and its unit: "21.5 Cel".
func (r Reading) String() string {
	s := strconv.FormatFloat(r.Value, 'f', -1, 64)
	if r.Unit != "" {
		s += " " + r.Unit
	}
	return s
}
