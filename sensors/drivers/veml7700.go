package drivers

import (
	"cmp"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"time"

	"sighub/sensors"
)

// Vishay, VEML7700, document 84286, and the application note "Designing the VEML7700 Into an Application", document
// 84323: the command registers, the resolution by gain and time, and the correction of large values.
//
// A count is 0.0042 lx at a gain of 2 and 800 ms, and twice as much for each halving of either; it measures up to 140 klx,
// at 1/8 and 25 ms. (The first editions of both documents had 0.0036 lx, and 120 klx.) It gathers light
// continuously. There is no checksum, and not all revisions have an identity.
type veml7700Chip struct {
	i2cDevice
	steps []veml7700Step // from the least to the most sensitive
	step  int            // the present one
}

type veml7700Step struct {
	gain float64
	time time.Duration
	bits uint16 // of the configuration
}

const (
	veml7700Config = 0 // command codes
	veml7700Saving = 3
	veml7700Value  = 4

	veml7700Down = 0x0001 // of the configuration

	// veml7700NoPauses is what the register for pauses between results is set to: the longest pause, disabled. It is not 0, so
	// that reading it back tells darkness from a bus that is held low: the configuration may be 0.
	veml7700NoPauses = 0x0006

	veml7700Most = 140_000 // lx: the correction is made for values up to this

	veml7700Wake = 4 * time.Millisecond // from shutdown until it starts: 2.5 ms at least
)

// lux returns the lux of one count.
func (s veml7700Step) lux() float64 {
	return 0.0042 * 2 / s.gain * float64(800*time.Millisecond/s.time)
}

func veml7700() Driver {
	gains := []choice[float64, uint16]{{0.125, 2 << 11}, {0.25, 3 << 11}, {1, 0 << 11}, {2, 1 << 11}}
	times := []choice[time.Duration, uint16]{
		{100 * time.Millisecond, 0 << 6}, {25 * time.Millisecond, 12 << 6}, {50 * time.Millisecond, 8 << 6},
		{200 * time.Millisecond, 1 << 6}, {400 * time.Millisecond, 2 << 6}, {800 * time.Millisecond, 3 << 6},
	}
	return Driver{
		Name: "veml7700", Summary: "Vishay VEML7700: light", Bus: I2C,
		Addresses: []uint16{0x10}, Options: []string{"gain", "integration"},
		build: func(o *Options) (chip, error) {
			// Each is 4 to 16 times as sensitive as the one before.
			choices := []veml7700Step{
				{gain: 0.125, time: 25 * time.Millisecond},
				{gain: 0.125, time: 100 * time.Millisecond},
				{gain: 1, time: 100 * time.Millisecond},
				{gain: 2, time: 400 * time.Millisecond},
			}
			if o.Gain != 0 || o.Integration != 0 {
				choices = []veml7700Step{{gain: cmp.Or(o.Gain, gains[0].value), time: cmp.Or(o.Integration, times[0].value)}}
			}
			for i := range choices {
				s := &choices[i]
				gain, err := choose("gain", s.gain, gains)
				if err != nil {
					return nil, err
				}
				integration, err := choose("integration", s.time, times)
				if err != nil {
					return nil, err
				}
				s.bits = gain | integration
			}
			return &veml7700Chip{steps: choices, step: min(1, len(choices)-1)}, nil
		},
	}
}

func (c *veml7700Chip) quantities() []sensors.Quantity {
	first, last := c.steps[0], c.steps[len(c.steps)-1]
	most := min(veml7700Correct(math.MaxUint16*first.lux(), first.gain), veml7700Most)
	return []sensors.Quantity{{Name: "lux", Unit: sensors.Lux, Max: most, Resolution: last.lux(), Age: 2 * last.period()}}
}

// period returns how long one result takes at most: the device's clock may be off by some percent.
func (s veml7700Step) period() time.Duration { return s.time * 110 / 100 }

func (c *veml7700Chip) setup(ctx context.Context) error {
	if err := c.write(veml7700Saving, veml7700NoPauses, 0); err != nil {
		return err
	}
	return c.start(ctx)
}

// start starts again with the present step, and waits for the first result.
func (c *veml7700Chip) start(ctx context.Context) error {
	s := c.steps[c.step]
	for _, bits := range [...]uint16{s.bits | veml7700Down, s.bits} {
		if err := c.write(veml7700Config, byte(bits), byte(bits>>8)); err != nil {
			return err
		}
	}
	return c.wait(ctx, veml7700Wake+s.period())
}

func (c *veml7700Chip) measure(ctx context.Context, values []float64) error {
	for round := 0; ; round++ {
		b, err := c.read(2, veml7700Config)
		if err != nil {
			return err
		}
		// A device that has lost its power for a moment is shut down, and would always answer the same value.
		if binary.LittleEndian.Uint16(b) != c.steps[c.step].bits {
			return errors.New("it has lost its configuration: it has lost its power for a moment, or is another device")
		}
		if b, err = c.read(2, veml7700Value); err != nil {
			return err
		}
		count := binary.LittleEndian.Uint16(b)
		if count == 0 {
			if b, err = c.read(2, veml7700Saving); err != nil {
				return err
			}
			if binary.LittleEndian.Uint16(b) != veml7700NoPauses {
				return errors.New("it has lost its configuration: the bus is held low, or it has lost its power for a moment")
			}
		}
		s := c.steps[c.step]
		step := c.better(count)
		if step == c.step || round == len(c.steps) {
			values[0] = veml7700Correct(float64(count)*s.lux(), s.gain)
			if count == math.MaxUint16 || values[0] > veml7700Most {
				return fmt.Errorf("the light is too bright for a gain of %v and %s", s.gain, s.time)
			}
			return nil
		}
		c.step = step
		if err := c.start(ctx); err != nil {
			return err
		}
	}
}

// better returns the step to continue with after this count: one lower if the count is too high (above 10000 it is less
// linear, says the application note), one higher if it would still be well below that.
func (c *veml7700Chip) better(count uint16) int {
	const high, low = 10_000, 5_000
	switch {
	case count > high && c.step > 0:
		return c.step - 1
	case c.step+1 < len(c.steps) && float64(count)*c.steps[c.step].lux()/c.steps[c.step+1].lux() < low:
		return c.step + 1
	}
	return c.step
}

// veml7700Correct straightens the line of the two low gains, which bends above some 1000 lx (application note, "...
// correction formula").
func veml7700Correct(lux, gain float64) float64 {
	if gain > 0.25 {
		return lux
	}
	return (((6.0135e-13*lux-9.3924e-9)*lux+8.1488e-5)*lux + 1.0023) * lux
}

func (c *veml7700Chip) rest() error {
	bits := c.steps[c.step].bits | veml7700Down
	return c.write(veml7700Config, byte(bits), byte(bits>>8))
}
