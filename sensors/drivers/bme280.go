package drivers

import (
	"context"
	"errors"
	"fmt"
	"math"
	"time"

	"sighub/sensors"
)

// Bosch Sensortec, BME280 Data sheet, BST-BME280-DS002, revision 1.6: registers in section 5, measurement times in
// section 9.1. BMP280 Data sheet, BST-BMP280-DS001, revision 1.14, likewise; it has no humidity.
//
// Each reading starts one measurement, and the device rests in between. A measurement takes at most 9.3 ms (6.4 ms without
// humidity) with an oversampling of 1, and 112.8 ms (75.4 ms) with 16. There is no checksum.
type bme280Chip struct {
	i2cDevice
	humid  bool // it is a BME280
	osrs   byte // oversampling as the registers have it
	factor int  // oversampling
	cal    bme280Calibration
}

const (
	bme280Calibrated1 = 0x88 // registers
	bme280ID          = 0xd0
	bme280Calibrated2 = 0xe1
	bme280CtrlHum     = 0xf2
	bme280Status      = 0xf3
	bme280CtrlMeas    = 0xf4
	bme280Config      = 0xf5
	bme280Data        = 0xf7

	bme280Busy = 0x09 // of the status: it measures, or reads its calibration

	bme280IsHumid = 0x60 // identities
	bmp280Is      = 0x58

	bme280Skipped   = 0x80000 // what was not measured
	bme280SkippedRH = 0x8000
)

var bme280Options = []string{"oversampling"}

func bme280() Driver {
	return Driver{
		Name: "bme280", Summary: "Bosch BME280: temperature, humidity, pressure", Bus: I2C, identifies: true,
		Addresses: []uint16{0x76, 0x77}, Options: bme280Options,
		build: func(o *Options) (chip, error) { return newBME280(o, true) },
	}
}

func bmp280() Driver {
	return Driver{
		Name: "bmp280", Summary: "Bosch BMP280: temperature, pressure", Bus: I2C, identifies: true,
		Addresses: []uint16{0x76, 0x77}, Options: bme280Options,
		build: func(o *Options) (chip, error) { return newBME280(o, false) },
	}
}

func newBME280(o *Options, humid bool) (chip, error) {
	osrs, err := choose("oversampling", o.Oversampling, []choice[int, byte]{{1, 1}, {2, 2}, {4, 3}, {8, 4}, {16, 5}})
	return &bme280Chip{humid: humid, osrs: osrs, factor: max(o.Oversampling, 1)}, err
}

func (c *bme280Chip) quantities() []sensors.Quantity {
	all := []sensors.Quantity{
		{Name: "temp", Unit: sensors.Celsius, Min: -40, Max: 85, Resolution: 0.01},
		{Name: "pressure", Unit: sensors.Pascal, Min: 30_000, Max: 110_000, Resolution: 0.18, Noisy: true},
		{Name: "humidity", Unit: sensors.Humidity, Max: 100, Resolution: 0.008},
	}
	if !c.humid {
		all = all[:2]
	}
	return all
}

// limit returns how long a measurement takes at most (section 9.1).
func (c *bme280Chip) limit() time.Duration {
	quantity := time.Duration(c.factor) * 2300 * time.Microsecond
	const more, begin = 575 * time.Microsecond, 1250 * time.Microsecond
	limit := begin + quantity + quantity + more
	if c.humid {
		limit += quantity + more
	}
	return limit
}

func (c *bme280Chip) setup(ctx context.Context) error {
	b, err := c.read(1, bme280ID)
	if err != nil {
		return err
	}
	switch id := b[0]; {
	case id == bme280IsHumid && !c.humid:
		return errors.New("this is a bme280")
	case id == bmp280Is && c.humid:
		return errors.New("this is a bmp280, which has no humidity")
	case id != bme280IsHumid && id != bmp280Is:
		return fmt.Errorf("its chip number is %02x, not 60 (bme280) or 58 (bmp280): this is another device", id)
	}
	// After power-up it takes 2 ms to read its calibration.
	if err := c.idle(ctx, 2*time.Millisecond); err != nil {
		return err
	}
	if b, err = c.read(26, bme280Calibrated1); err != nil {
		return err
	}
	c.cal.first((*[26]byte)(b))
	if c.humid {
		if b, err = c.read(7, bme280Calibrated2); err != nil {
			return err
		}
		c.cal.second((*[7]byte)(b))
	}
	if !c.cal.valid() {
		return errors.New("its calibration is empty: it has not started, or it is damaged")
	}
	// It is certain to accept a configuration only while it sleeps (section 5.4.6).
	if err := c.write(bme280CtrlMeas, 0); err != nil {
		return err
	}
	return c.write(bme280Config, 0) // no filter
}

// idle waits until the device is idle.
func (c *bme280Chip) idle(ctx context.Context, pause time.Duration) error {
	for range 5 {
		b, err := c.read(1, bme280Status)
		if err != nil || b[0]&bme280Busy == 0 {
			return err
		}
		if err := c.wait(ctx, pause); err != nil {
			return err
		}
	}
	return errors.New("the measurement takes too long")
}

func (c *bme280Chip) measure(ctx context.Context, values []float64) error {
	if c.humid {
		if err := c.write(bme280CtrlHum, c.osrs); err != nil { // becomes effective with the next line
			return err
		}
	}
	if err := c.write(bme280CtrlMeas, c.osrs<<5|c.osrs<<2|1); err != nil { // 1: measure once
		return err
	}
	if err := c.wait(ctx, c.limit()); err != nil {
		return err
	}
	if err := c.idle(ctx, time.Millisecond); err != nil {
		return err
	}
	n := 6
	if c.humid {
		n = 8
	}
	b, err := c.read(n, bme280Data)
	if err != nil {
		return err
	}
	if err := stuck(b); err != nil { // the ends of all scales at once
		return err
	}
	pressure := int32(b[0])<<12 | int32(b[1])<<4 | int32(b[2])>>4
	temp := int32(b[3])<<12 | int32(b[4])<<4 | int32(b[5])>>4
	if temp == bme280Skipped || pressure == bme280Skipped {
		return errors.New("it did not measure: it has lost its power for a moment")
	}
	fine := c.cal.fine(temp)
	values[0] = fine / 5120
	if values[1] = c.cal.pascal(pressure, fine); math.IsNaN(values[1]) {
		return errors.New("its calibration is damaged: it gives no pressure")
	}
	if c.humid {
		humidity := int32(b[6])<<8 | int32(b[7])
		if humidity == bme280SkippedRH {
			return errors.New("it did not measure humidity: it has lost its power for a moment")
		}
		values[2] = c.cal.percent(humidity, fine)
	}
	return nil
}

func (c *bme280Chip) rest() error { return nil } // it rests between measurements
