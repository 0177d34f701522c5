package drivers

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"time"

	"sighub/sensors"
)

// ams, TSL2591, Datasheet v2-04 (2018-06-05): registers in the section "Register Description".
//
// It has one diode for visible light and infrared, channel 0, and one for infrared alone, channel 1; each counts up to
// 36863 in 100 ms and 65535 in more. It gathers light continuously, and says when the first result is
// there. There is no checksum.
//
// The data sheet has no formula for lux. The one here is in wide use and empirical: a count of channel 0 is
// 408/(gain·ms) lx where there is no infrared, and the infrared share is subtracted twice: once because it is not visible,
// and once because channel 0 contains it. Expect an error of up to a fifth, and calibrate where it matters.
type tsl2591Chip struct {
	i2cDevice
	gain  int  // in tsl2591Gains
	fixed bool // the gain was chosen by the user
	time  int  // in units of 100 ms, 1 to 6
}

const (
	tsl2591Enable  = 0xa0 // registers, with the bits that make them a command
	tsl2591Control = 0xa1
	tsl2591ID      = 0xb2
	tsl2591Status  = 0xb3 // the counts of both channels follow

	tsl2591On    = 0x01 // of Enable
	tsl2591Run   = 0x03
	tsl2591Valid = 0x01 // of Status
	tsl2591Known = 0x31 // and two interrupts; the others are reserved

	tsl2591Lux  = 408 // lx ms per count, at a gain of 1
	tsl2591Unit = 100 * time.Millisecond
)

// tsl2591Gains are the gains, by their two bits.
var tsl2591Gains = [...]float64{1, 25, 428, 9876}

func tsl2591() Driver {
	return Driver{
		Name: "tsl2591", Summary: "ams TSL2591: light", Bus: I2C, identifies: true,
		Addresses: []uint16{0x29}, Options: []string{"gain", "integration"},
		build: func(o *Options) (chip, error) {
			gain, err := choose("gain", o.Gain, []choice[float64, int]{{25, 1}, {1, 0}, {428, 2}, {9876, 3}})
			if err != nil {
				return nil, err
			}
			units := max(o.Integration, tsl2591Unit) / tsl2591Unit
			if o.Integration%tsl2591Unit != 0 || o.Integration < 0 || units > 6 {
				return nil, fmt.Errorf("integration must be 100ms to 600ms, in steps of 100ms, not %s",
					o.Integration)
			}
			return &tsl2591Chip{gain: gain, fixed: o.Gain != 0, time: int(units)}, nil
		},
	}
}

// full returns the highest count.
func (c *tsl2591Chip) full() uint16 {
	if c.time == 1 {
		return 36863
	}
	return math.MaxUint16
}

// lux returns the lux of one count of channel 0.
func (c *tsl2591Chip) lux(gain int) float64 {
	return tsl2591Lux / (tsl2591Gains[gain] * float64(c.time) * 100)
}

func (c *tsl2591Chip) quantities() []sensors.Quantity {
	q := sensors.Quantity{Name: "lux", Unit: sensors.Lux, Max: float64(c.full()) * c.lux(c.gain), Resolution: c.lux(c.gain),
		Age: 2 * c.period()}
	if !c.fixed {
		q.Max, q.Resolution = float64(c.full())*c.lux(0), c.lux(len(tsl2591Gains)-1)
	}
	return []sensors.Quantity{q}
}

// period returns how long one result takes at most: the device's clock may be off by some percent.
func (c *tsl2591Chip) period() time.Duration { return time.Duration(c.time) * tsl2591Unit * 110 / 100 }

func (c *tsl2591Chip) setup(ctx context.Context) error {
	b, err := c.read(1, tsl2591ID)
	if err != nil {
		return err
	}
	if b[0] != 0x50 {
		return fmt.Errorf("its device number is %02x, not 50: this is another device", b[0])
	}
	return c.start(ctx)
}

// start starts again with the present gain, and waits for the first result.
func (c *tsl2591Chip) start(ctx context.Context) error {
	for _, w := range [...][2]byte{{tsl2591Enable, tsl2591On}, {tsl2591Control, byte(c.gain<<4 | (c.time - 1))}, {tsl2591Enable, tsl2591Run}} {
		if err := c.write(w[:]...); err != nil {
			return err
		}
	}
	return c.wait(ctx, c.period())
}

func (c *tsl2591Chip) measure(ctx context.Context, values []float64) error {
	// Each round changes the gain by at most one step. If the light changes as fast as that, the last result counts.
	for round := 0; ; round++ {
		b, err := c.read(5, tsl2591Status)
		if err != nil {
			return err
		}
		switch {
		case b[0]&^tsl2591Known != 0:
			return fmt.Errorf("its status is %02x, which has bits that are always 0: it does not answer", b[0])
		case b[0]&tsl2591Valid == 0:
			return errors.New("it has no result: it has lost its power for a moment")
		}
		both, infrared := binary.LittleEndian.Uint16(b[1:]), binary.LittleEndian.Uint16(b[3:])
		gain := c.better(max(both, infrared))
		if gain == c.gain || round == len(tsl2591Gains) {
			if both >= c.full() || infrared >= c.full() {
				return fmt.Errorf("the light is too bright for a gain of %v and %d00 ms", tsl2591Gains[c.gain], c.time)
			}
			values[0] = 0
			if both > infrared {
				share := float64(infrared) / float64(both)
				values[0] = float64(both-infrared) * (1 - share) * c.lux(c.gain)
			}
			return nil
		}
		c.gain = gain
		if err := c.start(ctx); err != nil {
			return err
		}
	}
}

// better returns the gain to continue with after this count: a step lower if the count is too high, a step higher if it would
// still be below half of the highest.
func (c *tsl2591Chip) better(count uint16) int {
	switch {
	case c.fixed:
	case count >= c.full() && c.gain > 0:
		return c.gain - 1
	case c.gain+1 < len(tsl2591Gains) && float64(count)*tsl2591Gains[c.gain+1]/tsl2591Gains[c.gain] < float64(c.full())/2:
		return c.gain + 1
	}
	return c.gain
}

func (c *tsl2591Chip) rest() error { return c.write(tsl2591Enable, 0) }
