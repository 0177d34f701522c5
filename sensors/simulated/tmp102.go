package simulated

import (
	"encoding/binary"
	"math"
	"time"
)

// A tmp102 is TI's thermometer, after SBOS397: a pointer, which a write sets, and four registers of two bytes. It always has a
// result.
type tmp102 struct {
	place     Drift
	pointer   byte
	registers [4]uint16 // temperature (computed), configuration, and the alert's limits
}

const tmp102Extended = 0x0010 // of the configuration: 13 bits

func newTMP102(place Drift) *tmp102 {
	return &tmp102{place: place, registers: [4]uint16{0, 0x60a0, 0x4b00, 0x5000}}
}

func (c *tmp102) tx(w, r []byte, now time.Time) error {
	if len(w) > 0 {
		c.pointer = w[0] & 3
	}
	if len(w) >= 3 && c.pointer != 0 {
		c.registers[c.pointer] = binary.BigEndian.Uint16(w[1:])
	}
	value := c.registers[c.pointer]
	if c.pointer == 0 {
		steps := int16(math.Round(c.place.Temperature(now).Value / 0.0625))
		if value = uint16(steps << 4); c.registers[1]&tmp102Extended != 0 {
			value = uint16(steps<<3) | 1
		}
	}
	for i := range r { // it begins again after the second byte
		r[i] = byte(value >> (8 * (1 - i%2)))
	}
	return nil
}
