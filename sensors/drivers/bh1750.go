package drivers

import (
	"cmp"
	"context"
	"fmt"
	"math"
	"time"

	"sighub/sensors"
)

// ROHM, BH1750FVI, Technical Note No. 11046EDT01, Rev. D: instructions on page 5, the formula and its example on page 7,
// the measurement time register on page 11, times on page 2.
//
// At its sensitivity of 69 in the measurement time register a count is 1/1.2 lx, in its second high mode half of that; it
// takes 120 ms (at most 180 ms) for one, in its low mode 16 ms (24 ms), and both grow with the sensitivity. There is no
// checksum and no identity.
type bh1750Chip struct {
	i2cDevice
	mode        byte
	sensitivity byte // 31 to 254
	lux         float64
	time        time.Duration // at most, for one measurement
}

const (
	bh1750Down  = 0x00
	bh1750On    = 0x01
	bh1750Usual = 69
)

type bh1750Mode struct {
	code  byte
	lux   float64 // of one count
	limit time.Duration
}

func bh1750() Driver {
	return Driver{
		Name: "bh1750", Summary: "ROHM BH1750FVI: light", Bus: I2C,
		Addresses: []uint16{0x23, 0x5c},
		Options:   []string{"mode", "gain"},
		build: func(o *Options) (chip, error) {
			mode, err := choose("mode", o.Mode, []choice[string, bh1750Mode]{
				{"high", bh1750Mode{0x10, 1 / 1.2, 180 * time.Millisecond}},
				{"high2", bh1750Mode{0x11, 0.5 / 1.2, 180 * time.Millisecond}},
				{"low", bh1750Mode{0x13, 1 / 1.2, 24 * time.Millisecond}},
			})
			if err != nil {
				return nil, err
			}
			sensitivity := math.Round(cmp.Or(o.Gain, 1) * bh1750Usual)
			if !(sensitivity >= 31 && sensitivity <= 254) {
				return nil, fmt.Errorf("gain must be 0.45 to 3.68, not %v", o.Gain)
			}
			scale := sensitivity / bh1750Usual
			return &bh1750Chip{
				mode:        mode.code,
				sensitivity: byte(sensitivity),
				lux:         mode.lux / scale,
				time:        time.Duration(float64(mode.limit) * max(scale, 1)),
			}, nil
		},
	}
}

func (c *bh1750Chip) quantities() []sensors.Quantity {
	resolution := c.lux
	if c.mode == 0x13 {
		resolution *= 4 // the low mode counts in steps of 4 lx (page 5)
	}
	return []sensors.Quantity{{Name: "lux", Unit: sensors.Lux, Max: math.MaxUint16 * c.lux, Resolution: resolution,
		Age: 2 * c.time}}
}

func (c *bh1750Chip) setup(ctx context.Context) error {
	for _, code := range [...]byte{bh1750On, 0x40 | c.sensitivity>>5, 0x60 | c.sensitivity&0x1f, c.mode} {
		if err := c.write(code); err != nil {
			return err
		}
	}
	return c.wait(ctx, c.time)
}

func (c *bh1750Chip) measure(ctx context.Context, values []float64) error {
	n, err := c.word()
	if err != nil {
		return err
	}
	if n == 0 {
		// It is dark, or the device has lost its power for a moment and rests: it answers 0 in both cases. Only a new
		// measurement can tell.
		if err := c.setup(ctx); err != nil {
			return err
		}
		if n, err = c.word(); err != nil {
			return err
		}
		if n == 0 {
			if err := c.heldLow(); err != nil {
				return err
			}
		}
	}
	if n == math.MaxUint16 { // the light is brighter than that, or nothing has answered
		return fmt.Errorf("the light is too bright for a gain of %.2f: it is beyond %.0f lx", float64(c.sensitivity)/bh1750Usual,
			math.MaxUint16*c.lux)
	}
	values[0] = float64(n) * c.lux
	return nil
}

func (c *bh1750Chip) rest() error { return c.write(bh1750Down) }
