package sensors

import (
	"math"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"
)

var epoch = time.Date(2026, 6, 21, 12, 0, 0, 0, time.UTC)

// TestChange: which of a row of values, one each second, are reported.
func TestChange(t *testing.T) {
	values := []float64{20, 20.1, 20.2, 20.3, 20.2, 20.2, 19.9, 25, 25, 25, 25}
	for _, test := range []struct {
		name   string
		output Output
		want   []int
	}{
		{"each", Output{}, []int{0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10}},
		{"change by 0.1", Output{Change: 0.1}, []int{0, 1, 2, 3, 4, 6, 7}}, // 20.3 less 20.2 is less than 0.1 in binary
		{"change by 0.25", Output{Change: 0.25}, []int{0, 3, 6, 7}},
		{"change by 1", Output{Change: 1}, []int{0, 7}},
		{"not more often than 3 s", Output{MinInterval: 3 * second}, []int{0, 3, 6, 9}},
		{"change, not more often than 2 s", Output{Change: 0.1, MinInterval: 2 * second}, []int{0, 2, 6, 8}},
		{"change, or after 4 s", Output{Change: 1, MaxInterval: 4 * second}, []int{0, 4, 7}},
		{"change, or after 1 s", Output{Change: 1, MaxInterval: second}, []int{0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10}},
	} {
		test.output.Factor = 1
		o := newOutput(test.output, warmth[0], 0, &Source{Period: second, Samples: 1})
		var reported []int
		for i, v := range values {
			// A reading takes a little, and not always the same: intervals are meant as in readings.
			at := epoch.Add(time.Duration(i)*second + time.Duration(i*i*7%20)*time.Millisecond)
			o.begin()
			o.add(v, at, at.Add(5*time.Millisecond))
			o.end()
			if _, ok := o.reading(); ok {
				reported = append(reported, i)
			}
		}
		if !slices.Equal(reported, test.want) {
			t.Errorf("%s: %v were reported, want %v", test.name, reported, test.want)
		}
	}
}

// TestReading: what becomes of the samples: median, calibration, rounding, and the time with how sure it is.
func TestReading(t *testing.T) {
	fine := Quantity{Name: "temp", Unit: Celsius, Resolution: 0.0625}
	for _, test := range []struct {
		name     string
		output   Output
		quantity Quantity
		samples  []float64
		want     float64
		none     bool
	}{
		{"one", Output{}, fine, []float64{21.0625}, 21.063, false}, // a tenth of the resolution, or finer
		{"three", Output{}, fine, []float64{21, 99, 20}, 21, false},
		{"four", Output{}, fine, []float64{21, 99, 20, 22}, 21.5, false},
		{"some are none", Output{}, fine, []float64{math.NaN(), 21, math.Inf(1), 22, 20}, 21, false},
		{"all are none", Output{}, fine, []float64{math.NaN(), math.NaN()}, 0, true},
		{"calibrated", Output{Factor: 1.02, Offset: -0.5}, fine, []float64{20}, 19.9, false},
		{"in fahrenheit", Output{Factor: 1.8, Offset: 32, Unit: "degF"}, fine, []float64{-40}, -40, false},
		{"in a small unit", Output{Factor: 1e-3}, Quantity{Unit: Pascal, Resolution: 0.18}, []float64{101325.27}, 101.32527, false},
		{"resolution unknown", Output{}, Quantity{}, []float64{1. / 3}, 1. / 3, false},
		{"coarse", Output{}, Quantity{Resolution: 400}, []float64{1234.56}, 1235, false},
		{"a little below 0", Output{}, fine, []float64{-0.0001}, 0, false},
		{"too large", Output{Factor: 1e300}, fine, []float64{1e300}, 0, true},
	} {
		unit := test.quantity.Unit
		if test.output.Unit != "" {
			unit = test.output.Unit
		}
		if test.output.Factor == 0 {
			test.output.Factor = 1
		}
		test.quantity.Age = 40 * time.Millisecond
		o := newOutput(test.output, test.quantity, 0, &Source{Period: second, Samples: len(test.samples)})
		o.begin()
		for i, v := range test.samples {
			at := epoch.Add(time.Duration(i) * 100 * time.Millisecond)
			o.add(v, at, at.Add(20*time.Millisecond))
		}
		o.end()
		r, ok := o.reading()
		if ok == test.none || r.Value != test.want || ok && r.Unit != unit || math.Signbit(r.Value) != (r.Value < 0) {
			t.Errorf("%s: %v, %v, want %v", test.name, r, ok, test.want)
		}
		// The first sample's start, less the age, to the last one's end.
		if ok && test.name == "three" && (!r.Time.Equal(epoch.Add(90*time.Millisecond)) || r.Uncertainty != 130*time.Millisecond) {
			t.Errorf("%s: %s give or take %s", test.name, r.Time.Sub(epoch), r.Uncertainty)
		}
	}
}

// TestRounding: rounding never moves a value by more than a tenth of the resolution.
func TestRounding(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		q := Quantity{Resolution: math.Pow(10, rapid.Float64Range(-6, 4).Draw(t, "resolution"))}
		v := rapid.Float64Range(-1e5, 1e5).Draw(t, "value")
		o := newOutput(Output{Factor: 1}, q, 0, &Source{Samples: 1})
		o.begin()
		o.add(v, epoch, epoch)
		o.end()
		r, _ := o.reading()
		if off := math.Abs(r.Value - v); off > q.Resolution/10+1e-9 && off > 0.5 {
			t.Fatalf("%v becomes %v, with a resolution of %v", v, r.Value, q.Resolution)
		} else if q.Resolution < 1 && off > q.Resolution/10+1e-9 {
			t.Fatalf("%v becomes %v, with a resolution of %v", v, r.Value, q.Resolution)
		}
	})
}
