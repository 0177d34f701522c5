package drivers

import (
	"context"
	"errors"
	"time"

	"sighub/sensors"
)

// Texas Instruments, TMP102, SBOS397: the tables "12-Bit Temperature Data Format" and "13-Bit Temperature Data Format", the
// configuration register, and the conversion time among the electrical characteristics.
//
// A step is 0.0625 °C, from -40 to 125 °C. One conversion takes 26 ms (at most 35 ms). The driver lets it make 8 a
// second. There is no checksum.
type tmp102Chip struct{ i2cDevice }

const (
	tmp102Value  = 0 // registers
	tmp102Config = 1

	// tmp102Run is the configuration: 8 conversions a second, not shut down, 12 bits. The device itself sets bit 15, when a
	// conversion has ended, and bit 5, the alert.
	tmp102Run  = 0x60c0
	tmp102Mask = 0x7fdf
	tmp102Stop = tmp102Run | 0x0100

	tmp102Conversion = 35 * time.Millisecond
	tmp102Period     = 125 * time.Millisecond
)

func tmp102() Driver {
	return Driver{
		Name: "tmp102", Summary: "TI TMP102: temperature", Bus: I2C,
		Addresses: []uint16{0x48, 0x49, 0x4a, 0x4b},
		build:     func(*Options) (chip, error) { return new(tmp102Chip), nil },
	}
}

func (c *tmp102Chip) quantities() []sensors.Quantity {
	return []sensors.Quantity{{Name: "temp", Unit: sensors.Celsius, Min: -40, Max: 125, Resolution: 0.0625,
		Age: tmp102Period + tmp102Conversion}}
}

func (c *tmp102Chip) setup(ctx context.Context) error {
	if err := c.write(tmp102Config, tmp102Run>>8, tmp102Run&0xff); err != nil {
		return err
	}
	// After a loss of power the value is 0 °C until the first conversion has ended. Otherwise it may be older than the
	// configuration.
	if err := c.wait(ctx, tmp102Conversion); err != nil {
		return err
	}
	return c.configured()
}

// configured checks that the device has the configuration of setup.
func (c *tmp102Chip) configured() error {
	config, err := c.word(tmp102Config)
	if err == nil && config&tmp102Mask != tmp102Run&tmp102Mask {
		return errors.New("it does not keep its configuration: it has lost its power for a moment, or is another device")
	}
	return err
}

func (c *tmp102Chip) measure(_ context.Context, values []float64) error {
	word, err := c.word(tmp102Value)
	if err != nil {
		return err
	}
	// The lowest bit says how many bits there are: 12, or 13 in the extended mode. Those below are 0.
	shift := 4 - word&1
	if word&(1<<shift-1)&^1 != 0 {
		return errors.New("the bits below the value are not 0: it does not answer, or is another device")
	}
	if word == 0 { // it is freezing, or the bus is held low, or the device has just lost its power
		if err := c.configured(); err != nil {
			return err
		}
	}
	values[0] = float64(int16(word)>>shift) * 0.0625
	return nil
}

func (c *tmp102Chip) rest() error { return c.write(tmp102Config, tmp102Stop>>8, tmp102Stop&0xff) }
