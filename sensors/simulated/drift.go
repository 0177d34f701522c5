package simulated

import (
	"cmp"
	"math"
	"time"

	"sighub/sensors"
)

// A Drift is a place where light, temperature, humidity and pressure change as over a day. Its values depend only on its fields
// and the time. The zero Drift has days of 24 hours.
type Drift struct {
	// Start is a midnight: by default that of 1970-01-01 in UTC.
	Start time.Time
	// Day is the length of a day: 24 hours by default. A demo shows more with a shorter one.
	Day time.Duration
	// Seed chooses the weather.
	Seed uint64
}

// The shape of a day: full sun outdoors is some 100,000 lux, an overcast noon a tenth of that.
const (
	noonLux     = 20_000
	clouds      = 0.4 // the largest share of the light that clouds take
	meanCelsius = 16.0
	swing       = 6.0 // in kelvin, from the mean to the warmest and coldest
	delay       = 0.1 // of a day, from the sun's maximum to the temperature's
	gusts       = 0.8 // in kelvin

	meanHumidity = 60.0      // in %RH, at the mean temperature
	drying       = 3.0       // in %RH per kelvin
	meanPressure = 101_325.0 // in pascal, that of the standard atmosphere
	fronts       = 1_500.0   // in pascal, from the mean to the highest and lowest
)

// Light returns the light, in whole lux.
func (d Drift) Light(at time.Time) sensors.Reading {
	day := d.days(at)
	sun := max(0, -math.Cos(2*math.Pi*day))
	lux := noonLux * sun * (1 - clouds*d.weather(day*12, 1))
	return sensors.Reading{Value: math.Round(lux), Unit: sensors.Lux, Time: at}
}

// Temperature returns the temperature in degrees Celsius, to a hundredth.
func (d Drift) Temperature(at time.Time) sensors.Reading {
	day := d.days(at)
	warmth := -math.Cos(2 * math.Pi * (day - delay))
	celsius := meanCelsius + swing*warmth + gusts*(2*d.weather(day*24, 2)-1)
	return sensors.Reading{Value: math.Round(celsius*100) / 100, Unit: sensors.Celsius, Time: at}
}

// Humidity returns the relative humidity, to a hundredth of a percent: warm air is dry.
func (d Drift) Humidity(at time.Time) sensors.Reading {
	percent := meanHumidity - drying*(d.Temperature(at).Value-meanCelsius)
	percent = min(max(percent, 0), 100)
	return sensors.Reading{Value: math.Round(percent*100) / 100, Unit: sensors.Humidity, Time: at}
}

// Pressure returns the air pressure, to a pascal. It changes twice a day.
func (d Drift) Pressure(at time.Time) sensors.Reading {
	pascal := meanPressure + fronts*(2*d.weather(d.days(at)*2, 3)-1)
	return sensors.Reading{Value: math.Round(pascal), Unit: sensors.Pascal, Time: at}
}

// days returns how many days have passed since Start.
func (d Drift) days(at time.Time) float64 {
	length := cmp.Or(max(d.Day, 0), 24*time.Hour)
	start := d.Start
	if start.IsZero() {
		start = time.Unix(0, 0) // a Duration does not reach back to year 1
	}
	return float64(at.Sub(start)) / float64(length)
}

// weather returns a number from 0 to 1 that changes smoothly with t. Each integer t has its own value; in between, it blends
// from one value to the next.
func (d Drift) weather(t float64, kind uint64) float64 {
	whole := math.Floor(t)
	part := t - whole
	part = part * part * (3 - 2*part)
	a, b := d.noise(int64(whole), kind), d.noise(int64(whole)+1, kind)
	return a + (b-a)*part
}

// noise returns a number from 0 to 1 that looks random, by the finaliser of SplitMix64 (Steele, Lea and Flood,
// "Fast splittable pseudorandom number generators", 2014).
func (d Drift) noise(n int64, kind uint64) float64 {
	x := d.Seed + kind<<56 + uint64(n)*0x9e3779b97f4a7c15
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	x ^= x >> 31
	return float64(x>>11) / (1 << 53)
}
