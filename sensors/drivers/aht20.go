package drivers

import (
	"context"
	"errors"
	"time"

	"sighub/sensors"
)

// ASAIR (Guangzhou Aosong), AHT20 Product manuals: the steps and times of "Sensor reading process", the formulas of "Signal
// conversion".
//
// 20 bits each: 0.0001 %RH and 0.0002 °C in steps, of which 0.024 %RH and 0.01 °C are significant; from 0 to 100 %RH and
// -40 to 85 °C. A measurement takes 80 ms. The checksum covers the status and both values.
type aht20Chip struct{ i2cDevice }

const (
	aht20Busy       = 0x80 // of the status
	aht20Calibrated = 0x08

	aht20Measurement = 80 * time.Millisecond
	aht20Again       = 10 * time.Millisecond
	aht20Tries       = 5
)

func aht20() Driver {
	return Driver{
		Name: "aht20", Summary: "ASAIR AHT20: temperature, humidity", Bus: I2C,
		Addresses: []uint16{0x38},
		build:     func(*Options) (chip, error) { return new(aht20Chip), nil },
	}
}

func (c *aht20Chip) quantities() []sensors.Quantity {
	return []sensors.Quantity{
		{Name: "temp", Unit: sensors.Celsius, Min: -40, Max: 85, Resolution: 0.01},
		{Name: "humidity", Unit: sensors.Humidity, Max: 100, Resolution: 0.024},
	}
}

func (c *aht20Chip) setup(ctx context.Context) error {
	if err := c.wait(ctx, 40*time.Millisecond); err != nil { // its power may just have been switched on
		return err
	}
	b, err := c.read(1, 0x71)
	if err != nil || b[0]&aht20Calibrated != 0 {
		return err
	}
	if err := c.write(0xbe, 0x08, 0x00); err != nil {
		return err
	}
	return c.wait(ctx, 10*time.Millisecond)
}

func (c *aht20Chip) measure(ctx context.Context, values []float64) error {
	if err := c.write(0xac, 0x33, 0x00); err != nil {
		return err
	}
	if err := c.wait(ctx, aht20Measurement); err != nil {
		return err
	}
	b, err := c.read(7)
	for try := 1; err == nil && b[0]&aht20Busy != 0; try++ {
		if try == aht20Tries {
			return errors.New("the measurement takes too long")
		}
		if err = c.wait(ctx, aht20Again); err == nil {
			b, err = c.read(7)
		}
	}
	if err != nil {
		return err
	}
	if crc8(b[:6]) != b[6] {
		return errCRC
	}
	if b[0]&aht20Calibrated == 0 {
		return errors.New("it is not calibrated: it has lost its power for a moment")
	}
	humidity := uint32(b[1])<<12 | uint32(b[2])<<4 | uint32(b[3])>>4
	temp := uint32(b[3]&0x0f)<<16 | uint32(b[4])<<8 | uint32(b[5])
	values[0] = float64(temp)/(1<<20)*200 - 50
	values[1] = float64(humidity) / (1 << 20) * 100
	return nil
}

func (c *aht20Chip) rest() error { return nil } // it rests between measurements
