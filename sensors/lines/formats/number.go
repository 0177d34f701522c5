package formats

import (
	"strconv"
	"strings"
	"unicode/utf8"
)

// numbers reads numbers as people and sketches print them.
type numbers struct{ comma bool }

// length returns how many bytes at the beginning of a text are a number: a sign, digits, a point or a comma, an exponent.
func (n numbers) length(s string) int {
	i, digits := 0, 0
	if i < len(s) && (s[i] == '+' || s[i] == '-') {
		i++
	}
	point := byte('.')
	if n.comma {
		point = ','
	}
	for pointed := false; i < len(s); i++ {
		if c := s[i]; c >= '0' && c <= '9' {
			digits++
		} else if c == point && !pointed && (!n.comma || i+1 < len(s) && isDigit(s[i+1])) {
			pointed = true
		} else {
			break
		}
	}
	if digits == 0 {
		return 0
	}
	if i < len(s) && (s[i] == 'e' || s[i] == 'E') {
		j := i + 1
		if j < len(s) && (s[j] == '+' || s[j] == '-') {
			j++
		}
		end := j
		for end < len(s) && isDigit(s[end]) {
			end++
		}
		if end > j {
			i = end
		}
	}
	return i
}

func isDigit(c byte) bool { return c >= '0' && c <= '9' }

func isLetter(c byte) bool { return c|0x20 >= 'a' && c|0x20 <= 'z' }

// number reads a text that is a number as a whole. The error is errNumber, or that the device has no value.
func (n numbers) number(s string) (float64, error) {
	if length := n.length(s); length == 0 || length < len(s) {
		switch strings.ToLower(strings.TrimLeft(s, "+-")) {
		case "nan", "inf", "infinity", "ovf":
			return 0, errNoValue
		}
		return 0, errNumber
	}
	if n.comma {
		s = strings.Replace(s, ",", ".", 1)
	}
	v, err := strconv.ParseFloat(s, 64)
	if err != nil {
		return 0, errTooBig
	}
	return v, nil
}

// measured reads a number that a unit may follow. A unit that is not known makes it no number.
func (n numbers) measured(s string) (v float64, unit string, err error) {
	v, err = n.number(s)
	if err != errNumber { //nolint:errorlint // it is never wrapped
		return v, "", err
	}
	length := n.length(s)
	if length == 0 {
		return 0, "", err
	}
	unit, ok := knownUnit(strings.TrimLeft(s[length:], " "))
	if !ok {
		return 0, "", errNumber
	}
	v, err = n.number(s[:length])
	return v, unit, err
}

// value reads a number, true or false, or a plain word.
func (n numbers) value(s string) (any, error) {
	s = strings.TrimSpace(s)
	v, _, err := n.measured(s)
	if err != errNumber { //nolint:errorlint // it is never wrapped
		return v, err
	}
	return word(s)
}

// word reads a text that is not a number: true or false, or what devices call their states.
func word(s string) (any, error) {
	switch strings.ToLower(s) {
	case "true":
		return true, nil
	case "false":
		return false, nil
	}
	if s == "" || len(s) > maxText {
		return nil, errText
	}
	for i := range len(s) {
		if c := s[i]; !isLetter(c) && !isDigit(c) && !strings.ContainsRune(" _-+.:/", rune(c)) && c < utf8.RuneSelf {
			return nil, errText
		}
	}
	return s, nil
}

// units are what devices print behind numbers, with the names of the SenML registry (RFC 8428 and 8798) where it has some.
var units = map[string]string{
	"C": "Cel", "°C": "Cel", "ºC": "Cel", "degC": "Cel", "Cel": "Cel", "*C": "Cel", "oC": "Cel", "F": "degF", "°F": "degF", "*F": "degF",
	"K": "K", "%": "%", "%RH": "%RH", "%rH": "%RH", "% RH": "%RH", "Pa": "Pa", "hPa": "hPa", "kPa": "kPa", "mbar": "mbar", "bar": "bar",
	"V": "V", "mV": "mV", "A": "A", "mA": "mA", "W": "W", "mW": "mW", "kW": "kW", "Wh": "Wh", "kWh": "kWh", "J": "J", "VA": "VA", "var": "var",
	"Ohm": "Ohm", "Ω": "Ohm", "kOhm": "kOhm", "Hz": "Hz", "kHz": "kHz", "MHz": "MHz", "s": "s", "ms": "ms", "us": "us", "min": "min",
	"h": "h", "lx": "lx", "lux": "lx", "Lux": "lx", "ppm": "ppm", "ppb": "ppb", "ug/m3": "ug/m3", "µg/m3": "ug/m3", "µg/m³": "ug/m3", "m": "m",
	"cm": "cm", "mm": "mm", "km": "km", "m/s": "m/s", "m/s2": "m/s2", "m/s²": "m/s2", "km/h": "km/h", "rpm": "1/min", "RPM": "1/min", "g": "g",
	"kg": "kg", "l": "l", "L": "l", "m3": "m3", "m³": "m3", "dB": "dB", "dBm": "dBm", "deg": "deg", "°": "deg", "rad": "rad", "pH": "pH",
	"uT": "uT", "µT": "uT", "N": "N", "l/min": "l/min", "bpm": "beats/min", "count": "count",
}

func knownUnit(s string) (string, bool) {
	unit, ok := units[s]
	return unit, ok
}
