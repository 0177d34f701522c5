package rollup

import (
	"encoding/binary"
	"math"
	"strconv"
)

// Number returns the number that an event's data is; ok is false if it is something else, or not finite. Integers beyond 2^53 are
// rounded.
func Number(json bool, data []byte) (n float64, ok bool) {
	if json {
		n, ok = jsonNumber(data)
	} else {
		n, ok = cborNumber(data)
	}
	return n, ok && !math.IsNaN(n) && !math.IsInf(n, 0)
}

func jsonNumber(data []byte) (float64, bool) {
	for len(data) > 0 && isSpace(data[0]) {
		data = data[1:]
	}
	for len(data) > 0 && isSpace(data[len(data)-1]) {
		data = data[:len(data)-1]
	}
	if len(data) == 0 || data[0] != '-' && (data[0] < '0' || data[0] > '9') || len(data) > 400 {
		return 0, false
	}
	for _, c := range data { // ParseFloat takes more than JSON has
		switch {
		case c >= '0' && c <= '9', c == '-', c == '+', c == '.', c == 'e', c == 'E':
		default:
			return 0, false
		}
	}
	n, err := strconv.ParseFloat(string(data), 64)
	return n, err == nil
}

func isSpace(c byte) bool { return c == ' ' || c == '\t' || c == '\n' || c == '\r' }

// The first bytes of CBOR numbers (RFC 8949, section 3): a major type in the upper three bits, and how long the number is.
const (
	cborNegative = 0x20
	cborHalf     = 0xf9
	cborSingle   = 0xfa
	cborDouble   = 0xfb
)

func cborNumber(data []byte) (float64, bool) {
	if len(data) == 0 {
		return 0, false
	}
	first, rest := data[0], data[1:]
	switch first {
	case cborHalf:
		return half(rest), len(rest) == 2
	case cborSingle:
		if len(rest) == 4 {
			return float64(math.Float32frombits(binary.BigEndian.Uint32(rest))), true
		}
		return 0, false
	case cborDouble:
		if len(rest) == 8 {
			return math.Float64frombits(binary.BigEndian.Uint64(rest)), true
		}
		return 0, false
	}
	if first >= 2*cborNegative {
		return 0, false
	}
	n := uint64(first & 0x1f)
	if n >= 24 {
		if n > 27 || len(rest) != 1<<(n-24) {
			return 0, false
		}
		n = 0
		for _, b := range rest {
			n = n<<8 | uint64(b)
		}
	} else if len(rest) > 0 {
		return 0, false
	}
	if first >= cborNegative {
		return -1 - float64(n), true
	}
	return float64(n), true
}

// half returns the value of a float with 16 bits.
func half(b []byte) float64 {
	if len(b) != 2 {
		return 0
	}
	sign, exponent, fraction := 1.0, int(b[0]>>2&0x1f), float64(int(b[0]&3)<<8|int(b[1]))
	if b[0]&0x80 != 0 {
		sign = -1
	}
	switch exponent {
	case 0:
		return sign * math.Ldexp(fraction, -24)
	case 0x1f:
		return math.NaN() // or an infinity
	}
	return sign * math.Ldexp(fraction+1024, exponent-25)
}
