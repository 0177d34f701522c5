package drivers

import (
	"math"
	"testing"

	"pgregory.net/rapid"
)

// TestLaw: values worked out by hand.
func TestLaw(t *testing.T) {
	ntc := [3]float64{1.129148e-3, 2.34125e-4, 8.76741e-8} // a common thermistor of 10 kΩ
	for _, test := range []struct {
		name   string
		law    Law
		volts  float64
		want   float64
		within float64
	}{
		{"10 lx", Law{Kind: Photoresistor}, 1.65, 10, 1e-9},
		{"100 lx, gamma 1", Law{Kind: Photoresistor, Gamma: 1, Supply: 5, Fixed: 1000}, 2.5, 100, 1e-9}, // 1 kΩ
		{"1 lx, gamma 1", Law{Kind: Photoresistor, Gamma: 1, Fixed: 100_000}, 1.65, 1, 1e-9},            // 100 kΩ
		{"grounded, brighter", Law{Kind: Photoresistor, Gamma: 1, Grounded: true}, 0.3, 100, 1e-6},      // 1 kΩ of 11
		{"dark", Law{Kind: Photoresistor}, 0, 0, 0},
		{"dark, a step below ground", Law{Kind: Photoresistor}, -0.000125, 0, 0},
		{"25 °C", Law{Kind: Thermistor}, 1.65, 25, 1e-9},
		// 3435 K between 25 and 85 °C is 1/298.15 - 1/358.15 K apart: 6.8898 times less resistance.
		{"85 °C", Law{Kind: Thermistor, Beta: 3435, Fixed: 10_000 / math.Exp(3435*(1/298.15-1/358.15))}, 1.65, 85, 1e-6},
		{"-40 °C", Law{Kind: Thermistor, Beta: 3435, Fixed: 10_000 / math.Exp(3435*(1/298.15-1/233.15))}, 1.65, -40, 1e-6},
		{"Steinhart and Hart, 25 °C", Law{Kind: Thermistor, SteinhartHart: ntc}, 1.65, 25, 0.01},
		{"Steinhart and Hart, 0 °C", Law{Kind: Thermistor, SteinhartHart: ntc, Fixed: 32_650}, 1.65, 0, 0.05},
	} {
		got, err := test.law.value(test.volts)
		if err != nil || !(math.Abs(got-test.want) <= test.within) {
			t.Errorf("%s: %v, %v, want %v", test.name, got, err, test.want)
		}
		if err := test.law.check(); err != nil {
			t.Error(err)
		}
	}
	for name, volts := range map[string]float64{"ground": 0, "supply": 3.3, "above": 3.4, "below": -0.1} {
		if got, err := (&Law{Kind: Thermistor}).value(volts); err == nil {
			t.Errorf("a thermistor at %s: %v", name, got)
		}
	}
	if got, err := (&Law{Kind: Photoresistor}).value(3.3); err == nil {
		t.Errorf("a photoresistor that is short-circuited: %v", got)
	}
	if got, err := (&Law{Kind: Thermistor, SteinhartHart: [3]float64{1, 1, 1}}).value(1); err == nil {
		t.Errorf("coefficients that make no sense: %v", got)
	}
}

// TestLawInverse: the voltage that a divider has at some light or warmth gives that light or warmth.
func TestLawInverse(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		l := Law{
			Kind: rapid.SampledFrom([]string{Photoresistor, Thermistor}).Draw(t, "kind"), Grounded: rapid.Bool().Draw(t, "grounded"),
			Supply: rapid.Float64Range(1.8, 5.5).Draw(t, "supply"), Fixed: rapid.Float64Range(100, 1e6).Draw(t, "fixed"),
		}
		var want, r float64
		if l.Kind == Photoresistor {
			l.R10, l.Gamma = rapid.Float64Range(1e3, 1e6).Draw(t, "r10"), rapid.Float64Range(0.4, 1.2).Draw(t, "gamma")
			want = rapid.Float64Range(0.1, 1e5).Draw(t, "lux")
			r = l.R10 * math.Pow(want/10, -l.Gamma)
		} else {
			l.R25, l.Beta = rapid.Float64Range(1e3, 1e6).Draw(t, "r25"), rapid.Float64Range(2000, 5000).Draw(t, "beta")
			want = rapid.Float64Range(-40, 125).Draw(t, "celsius")
			r = l.R25 * math.Exp(l.Beta*(1/(want+273.15)-1/298.15))
		}
		volts := l.Supply * l.Fixed / (r + l.Fixed)
		if l.Grounded {
			volts = l.Supply * r / (r + l.Fixed)
		}
		got, err := l.value(volts)
		if err != nil || math.Abs(got-want) > 1e-4*math.Max(1, math.Abs(want)) {
			t.Fatalf("%+v at %v V: %v, %v, want %v", l, volts, got, err, want)
		}
	})
}
