package drivers

import (
	"context"
	"fmt"
	"time"

	"sighub/sensors"
)

// Microchip, MCP9808, DS25095A: registers in section 5.1, with a timing diagram that reads +25.25 °C as an example;
// resolutions and their conversion times under the resolution register.
//
// A step is 0.0625 °C, from -40 to 125 °C. It converts continuously, once in 250 ms. There is no checksum.
type mcp9808Chip struct{ i2cDevice }

const (
	mcp9808Config       = 1 // registers
	mcp9808Value        = 5
	mcp9808Manufacturer = 6
	mcp9808Device       = 7
	mcp9808Resolution   = 8

	mcp9808Conversion = 250 * time.Millisecond
)

func mcp9808() Driver {
	return Driver{
		Name: "mcp9808", Summary: "Microchip MCP9808: temperature", Bus: I2C, identifies: true,
		Addresses: []uint16{0x18, 0x19, 0x1a, 0x1b, 0x1c, 0x1d, 0x1e, 0x1f},
		build:     func(*Options) (chip, error) { return new(mcp9808Chip), nil },
	}
}

func (c *mcp9808Chip) quantities() []sensors.Quantity {
	return []sensors.Quantity{{Name: "temp", Unit: sensors.Celsius, Min: -40, Max: 125, Resolution: 0.0625,
		Age: 2 * mcp9808Conversion}}
}

func (c *mcp9808Chip) setup(ctx context.Context) error {
	if err := c.identify(); err != nil {
		return err
	}
	id, err := c.word(mcp9808Device)
	if err != nil {
		return err
	}
	if id>>8 != 0x04 { // the lower byte is its revision
		return fmt.Errorf("its device number is %02x, not 04: this is another device", id>>8)
	}
	if err := c.write(mcp9808Config, 0, 0); err != nil { // it may have been shut down
		return err
	}
	if err := c.write(mcp9808Resolution, 3); err != nil {
		return err
	}
	return c.wait(ctx, mcp9808Conversion)
}

// identify checks its manufacturer.
func (c *mcp9808Chip) identify() error {
	id, err := c.word(mcp9808Manufacturer)
	if err == nil && id != 0x0054 {
		return fmt.Errorf("its manufacturer is %04x, not 0054: this is another device", id)
	}
	return err
}

func (c *mcp9808Chip) measure(_ context.Context, values []float64) error {
	word, err := c.word(mcp9808Value)
	if err != nil {
		return err
	}
	if word == 0 || word == 0xffff { // it is about 0 °C, or the bus always reads the same
		if err := c.identify(); err != nil {
			return err
		}
	}
	// The upper three bits are alerts; the 13 below are a two's complement, in sixteenths.
	values[0] = float64(int16(word<<3)>>3) * 0.0625
	return nil
}

func (c *mcp9808Chip) rest() error { return c.write(mcp9808Config, 0x01, 0x00) }
