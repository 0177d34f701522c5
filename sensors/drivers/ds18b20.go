package drivers

import (
	"context"
	"encoding/binary"
	"errors"
	"math"
	"time"

	"periph.io/x/conn/v3/onewire"

	"sighub/sensors"
)

// Maxim Integrated (Analog Devices), DS18B20, 19-7487, revision 6: the table of temperatures (table 1), the memory
// (figures 8 to 10), conversion times (table 2), functions in the section "DS18B20 Function Commands".
//
// From -55 to 125 °C in steps of 0.5 °C with 9 bits, in 94 ms, to 0.0625 °C with 12, in 750 ms. What it answers has a
// checksum. Devices that are powered by the data line work if the bus can supply power during a conversion.
type ds18b20Chip struct {
	oneWireDevice
	bits   int
	last   float64 // the temperature before; NaN: none
	config byte
}

const (
	ds18b20Convert = 0x44
	ds18b20Read    = 0xbe
	ds18b20Write   = 0x4e

	ds18b20Family     = 0x28
	ds18b20Conversion = 750 * time.Millisecond // with 12 bits

	// ds18b20Start is the value after power-up, until a conversion has ended.
	ds18b20Start = 0x0550 // 85 °C
)

func ds18b20() Driver {
	return Driver{
		Name: "ds18b20", Summary: "Maxim DS18B20: temperature", Bus: OneWire, Family: ds18b20Family,
		Options: []string{"bits"},
		build: func(o *Options) (chip, error) {
			bits, err := choose("bits", o.Bits, []choice[int, int]{{12, 12}, {11, 11}, {10, 10}, {9, 9}})
			return &ds18b20Chip{bits: bits, last: math.NaN(), config: byte(bits-9)<<5 | 0x1f}, err
		},
	}
}

func (c *ds18b20Chip) quantities() []sensors.Quantity {
	return []sensors.Quantity{{Name: "temp", Unit: sensors.Celsius, Min: -55, Max: 125,
		Resolution: math.Ldexp(1, 8-c.bits)}}
}

// setup sets the resolution, but only in RAM: the EEPROM endures a limited number of writes. The two bytes before it belong to
// an alarm, or to the user.
func (c *ds18b20Chip) setup(context.Context) error {
	b, err := c.memory()
	if err != nil || b[4] == c.config {
		return err
	}
	if _, err := c.tx(onewire.WeakPullup, 0, ds18b20Write, b[2], b[3], c.config); err != nil {
		return err
	}
	if b, err = c.memory(); err != nil {
		return err
	}
	if b[4] != c.config {
		return errors.New("it does not keep its resolution: it may be another device")
	}
	return nil
}

func (c *ds18b20Chip) measure(ctx context.Context, values []float64) error {
	if _, err := c.tx(onewire.StrongPullup, 0, ds18b20Convert); err != nil {
		return err
	}
	if err := c.wait(ctx, ds18b20Conversion>>(12-c.bits)+5*time.Millisecond); err != nil {
		return err
	}
	b, err := c.memory()
	if err != nil {
		return err
	}
	if b[4] != c.config {
		return errors.New("it has lost its power for a moment, and its resolution with it")
	}
	raw := int16(binary.LittleEndian.Uint16(b)) &^ (1<<(12-c.bits) - 1) // the bits below are undefined
	celsius := float64(raw) / 16
	if raw == ds18b20Start && !(math.Abs(celsius-c.last) < 5) {
		return errors.New("it reads 85 °C, as it does without enough power to measure")
	}
	c.last = celsius
	values[0] = celsius
	return nil
}

// memory reads its nine bytes.
func (c *ds18b20Chip) memory() ([]byte, error) {
	b, err := c.tx(onewire.WeakPullup, 9, ds18b20Read)
	if err != nil {
		return nil, err
	}
	if onewire.CheckCRC(b) && b[4]&0x9f == 0x1f { // a line that is held low also has a right checksum, but not these bits
		return b, nil
	}
	if err := stuck(b); err != nil {
		return nil, err
	}
	return nil, errCRC
}

func (c *ds18b20Chip) rest() error { return nil } // it rests between conversions
