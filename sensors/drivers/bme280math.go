package drivers

import (
	"encoding/binary"
	"math"
)

// A bme280Calibration converts the counts of a BME280 or BMP280 to values: BST-BME280-DS002, table 16 of section
// 4.2.2, and the formulas in double precision of section 8.1. BST-BMP280-DS001 has a worked example in section 3.12.
type bme280Calibration struct {
	t [3]float64 // dig_T1 to dig_T3
	p [9]float64 // dig_P1 to dig_P9
	h [6]float64 // dig_H1 to dig_H6
}

// first sets what the registers 88 to A1 contain.
func (c *bme280Calibration) first(b *[26]byte) {
	number := func(i int) uint16 { return binary.LittleEndian.Uint16(b[2*i:]) }
	for i := range c.t {
		c.t[i] = float64(int16(number(i)))
	}
	for i := range c.p {
		c.p[i] = float64(int16(number(3 + i)))
	}
	c.t[0], c.p[0] = float64(number(0)), float64(number(3)) // these two have no sign
	c.h[0] = float64(b[25])
}

// second sets what the registers E1 to E7 contain. Two numbers of 12 bits share the byte in the middle.
func (c *bme280Calibration) second(b *[7]byte) {
	c.h[1] = float64(int16(binary.LittleEndian.Uint16(b[:])))
	c.h[2] = float64(b[2])
	c.h[3] = float64(int16(int8(b[3]))<<4 | int16(b[4]&0x0f))
	c.h[4] = float64(int16(int8(b[5]))<<4 | int16(b[4]>>4))
	c.h[5] = float64(int8(b[6]))
}

// valid reports whether there is a calibration: a device that has not started has none, and dig_P1 is a divisor.
func (c *bme280Calibration) valid() bool { return c.t[0] != 0 && c.p[0] != 0 }

// fine returns the temperature in 1/5120 °C.
func (c *bme280Calibration) fine(count int32) float64 {
	n := float64(count)
	a := (n/16384 - c.t[0]/1024) * c.t[1]
	b := n/131072 - c.t[0]/8192
	return a + b*b*c.t[2]
}

// pascal returns the pressure, or NaN if a damaged calibration gives none.
func (c *bme280Calibration) pascal(count int32, fine float64) float64 {
	a := fine/2 - 64000
	b := a*a*c.p[5]/32768 + a*c.p[4]*2
	b = b/4 + c.p[3]*65536
	a = (c.p[2]*a*a/524288 + c.p[1]*a) / 524288
	a = (1 + a/32768) * c.p[0]
	if a == 0 {
		return math.NaN()
	}
	p := (1048576 - float64(count) - b/4096) * 6250 / a
	return p + (c.p[8]*p*p/2147483648+p*c.p[7]/32768+c.p[6])/16
}

// percent returns the relative humidity.
func (c *bme280Calibration) percent(count int32, fine float64) float64 {
	f := fine - 76800
	h := float64(count) - (c.h[3]*64 + c.h[4]/16384*f)
	h *= c.h[1] / 65536 * (1 + c.h[5]/67108864*f*(1+c.h[2]/67108864*f))
	h *= 1 - c.h[0]*h/524288
	return min(max(h, 0), 100)
}
