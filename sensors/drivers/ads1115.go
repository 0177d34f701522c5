package drivers

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math"
	"time"

	"sighub/sensors"
)

// Texas Instruments, ADS111x, SBAS444D: the register map, the table "Input Signal Versus Ideal Output Code", and the data
// rates, which may be off by a tenth, among the electrical characteristics.
//
// It has 16 bits: a code of 32768 would be the range. Each reading starts one conversion, so that several sensors can share
// the inputs. There is no checksum, but the configuration is read back.
type ads1115Chip struct {
	i2cDevice
	config uint16
	volts  float64 // the range
	time   time.Duration
	law    *Law // nil: none
}

const (
	ads1115Value  = 0 // registers
	ads1115Config = 1

	// ads1115Once starts one conversion. Its highest bit reads 1 when none is running.
	ads1115Once = 0x8103 // with the comparator disabled
	ads1115Idle = 0x8000
)

func ads1115() Driver {
	return Driver{
		Name: "ads1115", Summary: "TI ADS1115: voltage, or what a resistor measures", Bus: I2C,
		Addresses: []uint16{0x48, 0x49, 0x4a, 0x4b}, Options: []string{"channel", "range", "rate", "law"},
		build: func(o *Options) (chip, error) {
			mux, err := choose("channel", o.Channel, []choice[string, uint16]{{"0", 4}, {"1", 5}, {"2", 6}, {"3", 7},
				{"0-1", 0}, {"0-3", 1}, {"1-3", 2}, {"2-3", 3}})
			if err != nil {
				return nil, err
			}
			pga, err := choose("range", o.Range, []choice[float64, uint16]{{4.096, 1}, {6.144, 0}, {2.048, 2}, {1.024, 3},
				{0.512, 4}, {0.256, 5}})
			if err != nil {
				return nil, err
			}
			rate, err := choose("rate", o.Rate, []choice[int, uint16]{{128, 4}, {8, 0}, {16, 1}, {32, 2}, {64, 3}, {250, 5},
				{475, 6}, {860, 7}})
			if err != nil {
				return nil, err
			}
			c := &ads1115Chip{config: ads1115Once | mux<<12 | pga<<9 | rate<<5, volts: cmp.Or(o.Range, 4.096), law: o.Law}
			c.time = time.Second/time.Duration(cmp.Or(o.Rate, 128))*110/100 + 100*time.Microsecond
			if c.law != nil {
				err = c.law.check()
			}
			return c, err
		},
	}
}

func (c *ads1115Chip) quantities() []sensors.Quantity {
	if c.law != nil {
		return []sensors.Quantity{c.law.quantity()}
	}
	return []sensors.Quantity{{Name: "voltage", Unit: sensors.Volt, Min: -c.volts, Max: c.volts, Resolution: c.volts / 32768}}
}

// setup only checks that the device is there: each reading sends its own configuration.
func (c *ads1115Chip) setup(context.Context) error {
	_, err := c.word(ads1115Config)
	return err
}

func (c *ads1115Chip) measure(ctx context.Context, values []float64) error {
	if err := c.write(ads1115Config, byte(c.config>>8), byte(c.config)); err != nil {
		return err
	}
	for try := 0; ; try++ {
		if err := c.wait(ctx, c.time); err != nil {
			return err
		}
		config, err := c.word(ads1115Config)
		if err != nil {
			return err
		}
		if config|ads1115Idle != c.config {
			return errors.New("it does not keep its configuration: it may be another device, or another program uses it")
		}
		if config&ads1115Idle != 0 {
			break
		}
		if try == 3 {
			return errors.New("the conversion takes too long")
		}
	}
	word, err := c.word(ads1115Value)
	if err != nil {
		return err
	}
	code := int16(word)
	if code == math.MaxInt16 || code == math.MinInt16 {
		return fmt.Errorf("the voltage is beyond %v V: choose a larger range", c.volts)
	}
	values[0] = float64(code) * c.volts / 32768
	if c.law != nil {
		values[0], err = c.law.value(values[0])
	}
	return err
}

func (c *ads1115Chip) rest() error { return nil } // it rests between conversions
