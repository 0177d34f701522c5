package simulated

import (
	"encoding/binary"
	"math"
	"time"
)

// A bh1750 is ROHM's light sensor, after Technical Note No. 11046EDT01: instructions on page 5, the measurement time register
// on page 11. It has a result as soon as it is told to measure.
type bh1750 struct {
	place       Drift
	on          bool
	mode        byte // 0: none
	sensitivity byte
}

const bh1750Usual = 69 // its sensitivity after power-up

func newBH1750(place Drift) *bh1750 { return &bh1750{place: place, sensitivity: bh1750Usual} }

func (c *bh1750) tx(w, r []byte, now time.Time) error {
	for _, code := range w {
		switch {
		case code == 0x00:
			c.on, c.mode = false, 0
		case code == 0x01:
			c.on = true
		case code&^0x33 == 0 && code&0x30 != 0 && code&0x03 != 0x02: // 10, 11, 13: again and again; 20, 21, 23: once
			c.on, c.mode = true, code
		case code&^0x07 == 0x40:
			c.sensitivity = c.sensitivity&0x1f | code<<5
		case code&^0x1f == 0x60:
			c.sensitivity = c.sensitivity&0xe0 | code&0x1f
		}
	}
	if len(r) == 0 {
		return nil
	}
	clear(r)
	if !c.on || c.mode == 0 || len(r) < 2 {
		return nil
	}
	count := c.place.Light(now).Value * 1.2 * float64(c.sensitivity) / bh1750Usual
	if c.mode&0x03 == 1 {
		count *= 2
	}
	binary.BigEndian.PutUint16(r, uint16(min(math.Round(count), math.MaxUint16)))
	return nil
}
