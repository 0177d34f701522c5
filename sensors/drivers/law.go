package drivers

import (
	"errors"
	"fmt"
	"math"

	"sighub/sensors"
)

// The kinds of resistors that a Law knows.
const (
	Photoresistor = "photoresistor" // its resistance falls with the light
	Thermistor    = "thermistor"    // with the warmth (NTC)
)

// A Law makes light or temperature of a voltage: that of a sensor's resistor and a fixed one in series, between a supply
// and ground, where they meet.
type Law struct {
	// Kind is Photoresistor or Thermistor.
	Kind string
	// Supply is the voltage across both: 3.3 V by default.
	Supply float64
	// Fixed is the fixed resistor: 10,000 ohms by default.
	Fixed float64
	// Grounded says that the sensor's resistor is between input and ground, and the fixed one between supply and input:
	// the voltage falls then with light or warmth. Otherwise they are the other way round, and it rises.
	Grounded bool

	// R10 and Gamma are a photoresistor's: its resistance at 10 lx, 10,000 ohms by default, and by how many decades that
	// falls while the light rises by one, 0.7 by default. Data sheets have both, within wide bounds.
	R10, Gamma float64

	// R25 and Beta are a thermistor's: its resistance at 25 °C, 10,000 ohms by default, and the coefficient of its
	// temperature in kelvin, 3950 by default.
	R25, Beta float64
	// SteinhartHart are the coefficients A, B and C of Steinhart and Hart ("Calibration curves for thermistors", Deep-Sea
	// Research 15, 1968), which fit a thermistor better than R25 and Beta do and replace them. All 0: none.
	SteinhartHart [3]float64
}

const (
	kelvin = 273.15
	warm   = kelvin + 25 // where R25 holds
)

// check tells what makes no sense.
func (l *Law) check() error {
	for _, v := range []struct {
		name  string
		value float64
	}{{"supply", l.Supply}, {"fixed", l.Fixed}, {"r10", l.R10}, {"gamma", l.Gamma}, {"r25", l.R25}, {"beta", l.Beta}} {
		if !(v.value >= 0) || math.IsInf(v.value, 0) {
			return fmt.Errorf("law: %s %v: it must be more than 0", v.name, v.value)
		}
	}
	switch l.Kind {
	case Photoresistor:
		if l.R25 != 0 || l.Beta != 0 || l.SteinhartHart != [3]float64{} {
			return errors.New("law: r25, beta and steinhart_hart are a thermistor's")
		}
	case Thermistor:
		if l.R10 != 0 || l.Gamma != 0 {
			return errors.New("law: r10 and gamma are a photoresistor's")
		}
		if l.SteinhartHart != [3]float64{} && (l.R25 != 0 || l.Beta != 0) {
			return errors.New("law: steinhart_hart replaces r25 and beta: leave one or the other out")
		}
	default:
		return fmt.Errorf("law: kind %q: it can be %s or %s", l.Kind, Photoresistor, Thermistor)
	}
	return nil
}

// quantity is what the law makes of a voltage. The resolutions are rough: that of a curve differs from point to point.
func (l *Law) quantity() sensors.Quantity {
	if l.Kind == Photoresistor {
		return sensors.Quantity{Name: "lux", Unit: sensors.Lux, Max: 100_000, Resolution: 0.1}
	}
	return sensors.Quantity{Name: "temp", Unit: sensors.Celsius, Min: -55, Max: 150, Resolution: 0.01}
}

func or(value, otherwise float64) float64 {
	if value == 0 {
		return otherwise
	}
	return value
}

// value returns lux or degrees Celsius.
func (l *Law) value(volts float64) (float64, error) {
	r := l.ohms(volts)
	if l.Kind == Photoresistor {
		// log(R/R10) = -gamma log(E/10 lx). In the dark R is too large for any voltage to be measured: that is 0 lx.
		if r <= 0 {
			return 0, fmt.Errorf("%.4f V: the photoresistor is short-circuited", volts)
		}
		return 10 * math.Pow(r/or(l.R10, 10_000), -1/or(l.Gamma, 0.7)), nil
	}
	if r <= 0 || math.IsInf(r, 0) {
		return 0, fmt.Errorf("%.4f V: the thermistor is disconnected or short-circuited", volts)
	}
	var inverse float64 // of the temperature in kelvin
	if s := l.SteinhartHart; s != [3]float64{} {
		ln := math.Log(r)
		inverse = s[0] + s[1]*ln + s[2]*ln*ln*ln
	} else {
		inverse = 1/warm + math.Log(r/or(l.R25, 10_000))/or(l.Beta, 3950)
	}
	if celsius := 1/inverse - kelvin; inverse > 0 && celsius >= -100 && celsius <= 400 {
		return celsius, nil
	}
	return 0, fmt.Errorf("%.4f V: no temperature belongs to %.0f ohms: are the coefficients right?", volts, r)
}

// ohms returns the sensor's resistance, 0 or infinite where the voltage reaches an end of the supply.
func (l *Law) ohms(volts float64) float64 {
	supply, fixed := or(l.Supply, 3.3), or(l.Fixed, 10_000)
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
