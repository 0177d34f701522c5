package drivers

import (
	"cmp"
	"errors"
	"fmt"
	"math"

	"sighub/sensors"
)

// The kinds of a Law.
const (
	Photoresistor = "photoresistor" // its resistance falls with the light
	Thermistor    = "thermistor"    // its resistance falls with the temperature (NTC)
)

// A Law converts a voltage to light or temperature. The voltage is that between two resistors in series from a supply to
// ground: one depends on light or temperature, the other is fixed.
type Law struct {
	// Kind is Photoresistor or Thermistor.
	Kind string
	// Supply is the voltage across both resistors: 3.3 V by default.
	Supply float64
	// Fixed is the resistance of the fixed one: 10,000 ohms by default.
	Fixed float64
	// Grounded means that the sensor is between input and ground, so that the voltage falls with light or temperature.
	// Otherwise it is between supply and input, and the voltage rises.
	Grounded bool

	// R10 and Gamma describe a photoresistor: its resistance at 10 lx, 10,000 ohms by default, and the number of decades by
	// which it falls for each decade of light, 0.7 by default. Data sheets have both, with wide tolerances.
	R10, Gamma float64

	// R25 and Beta describe a thermistor: its resistance at 25 °C, 10,000 ohms by default, and its coefficient in kelvin, 3950
	// by default.
	R25, Beta float64
	// SteinhartHart are the coefficients A, B and C of Steinhart and Hart ("Calibration curves for thermistors", Deep-Sea
	// Research 15, 1968), which describe a thermistor better than R25 and Beta, and replace them. All 0: none.
	SteinhartHart [3]float64
}

const (
	kelvin = 273.15
	warm   = kelvin + 25 // of R25
)

// check returns what is wrong with the law.
func (l *Law) check() error {
	for _, v := range []struct {
		name  string
		value float64
	}{{"supply", l.Supply}, {"fixed", l.Fixed}, {"r10", l.R10}, {"gamma", l.Gamma}, {"r25", l.R25}, {"beta", l.Beta}} {
		if !(v.value >= 0) || math.IsInf(v.value, 0) {
			return fmt.Errorf("law: %s must be more than 0, not %v", v.name, v.value)
		}
	}
	switch l.Kind {
	case Photoresistor:
		if l.R25 != 0 || l.Beta != 0 || l.SteinhartHart != [3]float64{} {
			return errors.New("law: r25, beta and steinhart_hart are for a thermistor: remove them")
		}
	case Thermistor:
		if l.R10 != 0 || l.Gamma != 0 {
			return errors.New("law: r10 and gamma are for a photoresistor: remove them")
		}
		if l.SteinhartHart != [3]float64{} && (l.R25 != 0 || l.Beta != 0) {
			return errors.New("law: steinhart_hart replaces r25 and beta: remove one or the other")
		}
	default:
		return fmt.Errorf("law: kind must be %[2]s or %[3]s, not %[1]q", l.Kind, Photoresistor, Thermistor)
	}
	return nil
}

// quantity returns what the law converts a voltage to. The resolutions are rough: that of a curve varies.
// Thermistors in glass are for up to 300 °C (Semitec, GT series), most others for less.
func (l *Law) quantity() sensors.Quantity {
	if l.Kind == Photoresistor {
		return sensors.Quantity{Name: "lux", Unit: sensors.Lux, Max: 100_000, Resolution: 0.1}
	}
	return sensors.Quantity{Name: "temp", Unit: sensors.Celsius, Min: -55, Max: 300, Resolution: 0.01}
}

// value returns lux or degrees Celsius.
func (l *Law) value(volts float64) (float64, error) {
	r := l.ohms(volts)
	if l.Kind == Photoresistor {
		// log(R/R10) = -gamma log(E/10 lx). In the dark R is too large to be measured: that is 0 lx.
		if r <= 0 {
			return 0, fmt.Errorf("%.4f V: the photoresistor is short-circuited", volts)
		}
		return 10 * math.Pow(r/cmp.Or(l.R10, 10_000), -1/cmp.Or(l.Gamma, 0.7)), nil
	}
	if r <= 0 || math.IsInf(r, 0) {
		return 0, fmt.Errorf("%.4f V: the thermistor is disconnected or short-circuited", volts)
	}
	var inverse float64 // of the temperature in kelvin
	if s := l.SteinhartHart; s != [3]float64{} {
		ln := math.Log(r)
		inverse = s[0] + s[1]*ln + s[2]*ln*ln*ln
	} else {
		inverse = 1/warm + math.Log(r/cmp.Or(l.R25, 10_000))/cmp.Or(l.Beta, 3950)
	}
	if celsius := 1/inverse - kelvin; inverse > 0 && celsius >= -100 && celsius <= 400 {
		return celsius, nil
	}
	return 0, fmt.Errorf("%.4f V: no temperature has %.0f ohms: check the coefficients", volts, r)
}

// ohms returns the sensor's resistance: 0 or infinite when the voltage reaches an end of the supply.
func (l *Law) ohms(volts float64) float64 {
	supply, fixed := cmp.Or(l.Supply, 3.3), cmp.Or(l.Fixed, 10_000)
	across := supply - volts // the sensor's resistor
	if l.Grounded {
		across = volts
	}
	switch {
	case across <= 0:
		return 0
	case across >= supply:
		return math.Inf(1)
	}
	return fixed * across / (supply - across)
}
