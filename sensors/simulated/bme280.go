package simulated

import (
	"encoding/binary"
	"math"
	"time"
)

// A bme280 is Bosch's sensor for temperature, humidity and pressure, after BST-BME280-DS002: 256 registers, written in pairs of
// address and value, and read one after another. It measures immediately.
//
// Its calibration leaves out the non-linear coefficients of the data sheet's formulas (section 4.2.3), so that the formulas can
// be inverted.
type bme280 struct {
	place     Drift
	pointer   byte
	registers [256]byte
}

const (
	bme280ID      = 0xd0
	bme280Reset   = 0xe0
	bme280CtrlHum = 0xf2
	bme280Ctrl    = 0xf4
	bme280Data    = 0xf7

	bme280T1, bme280T2 = 27504, 26435
	bme280P1           = 36477
	bme280H2           = 362
)

func newBME280(place Drift) *bme280 {
	c := &bme280{place: place}
	c.start()
	return c
}

// start sets the registers to their values after power-up.
func (c *bme280) start() {
	c.registers = [256]byte{bme280ID: 0x60}
	for _, r := range []struct {
		at    byte
		value uint16
	}{{0x88, bme280T1}, {0x8a, bme280T2}, {0x8e, bme280P1}, {0xe1, bme280H2}} {
		binary.LittleEndian.PutUint16(c.registers[r.at:], r.value)
	}
	copy(c.registers[bme280Data:], []byte{0x80, 0, 0, 0x80, 0, 0, 0x80, 0}) // not measured yet
}

func (c *bme280) tx(w, r []byte, now time.Time) error {
	if len(w)%2 == 1 {
		c.pointer = w[len(w)-1] // the first register that is read
	}
	for ; len(w) >= 2; w = w[2:] {
		c.set(w[0], w[1], now)
	}
	for i := range r {
		r[i] = c.registers[c.pointer]
		c.pointer++
	}
	return nil
}

func (c *bme280) set(register, value byte, now time.Time) {
	switch register {
	case bme280Reset:
		if value == 0xb6 {
			c.start()
		}
	case bme280CtrlHum, 0xf5:
		c.registers[register] = value
	case bme280Ctrl:
		c.registers[register] = value
		if value&3 != 0 {
			c.measure(now)
			if value&3 != 3 { // it was to measure once, and sleeps again
				c.registers[register] &^= 3
			}
		}
	}
}

// measure puts counts into the registers: 80 00 0 for a quantity that is left out.
func (c *bme280) measure(now time.Time) {
	temp, pressure, humidity := uint32(0x80000), uint32(0x80000), uint16(0x8000)
	if c.registers[bme280Ctrl]>>5 != 0 {
		celsius := c.place.Temperature(now).Value
		temp = uint32(math.Round((celsius*5120/bme280T2 + bme280T1/1024.0) * 16384))
	}
	if c.registers[bme280Ctrl]>>2&7 != 0 {
		pressure = uint32(math.Round(1048576 - c.place.Pressure(now).Value*bme280P1/6250))
	}
	if c.registers[bme280CtrlHum]&7 != 0 {
		humidity = uint16(math.Round(c.place.Humidity(now).Value * 65536 / bme280H2))
	}
	data := c.registers[bme280Data:]
	data[0], data[1], data[2] = byte(pressure>>12), byte(pressure>>4), byte(pressure<<4)
	data[3], data[4], data[5] = byte(temp>>12), byte(temp>>4), byte(temp<<4)
	binary.BigEndian.PutUint16(data[6:], humidity)
}
