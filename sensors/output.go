package sensors

import (
	"cmp"
	"math"
	"slices"
	"time"
)

// An output is an Output of an open sensor.
type output struct {
	Output
	index  int // of its value in Read
	age    time.Duration
	slack  time.Duration // half a period: an interval ends with the reading nearest to its end
	digits float64       // values are rounded to multiples of 1/digits; 0: not at all

	// The present reading.
	samples     []float64
	first, last time.Time

	// The last reading that was reported since the sender connected.
	reported bool
	value    float64
	at       time.Time
}

func newOutput(w Output, q Quantity, index int, source *Source) *output {
	w.Unit = cmp.Or(w.Unit, q.Unit)
	return &output{
		Output:  w,
		index:   index,
		age:     q.Age,
		slack:   source.Period / 2,
		digits:  digits(q.Resolution * math.Abs(w.Factor)),
		samples: make([]float64, 0, source.Samples),
	}
}

// digits returns a power of ten whose inverse is at least ten times finer than a resolution. Rounding to it keeps listeners
// from getting digits without meaning: with a resolution of 0.0625, 21.0625 becomes 21.063.
func digits(resolution float64) float64 {
	if !(resolution > 0) || math.IsInf(resolution, 0) {
		return 0
	}
	n := math.Ceil(-math.Log10(resolution)) + 1
	return math.Pow(10, min(max(n, 0), 12))
}

// begin begins a reading.
func (o *output) begin() { o.samples = o.samples[:0] }

// add adds a sample that was taken between two times.
func (o *output) add(value float64, start, end time.Time) {
	if math.IsNaN(value) || math.IsInf(value, 0) {
		return
	}
	if len(o.samples) == 0 {
		o.first = start
	}
	o.last = end
	o.samples = append(o.samples, value)
}

// end ends the reading.
func (o *output) end() { slices.Sort(o.samples) }

// restart forgets what was reported: after a new connection, the first value is always reported.
func (o *output) restart() { o.reported = false }

// reading returns the present reading and whether to report it. If so, it counts as reported.
func (o *output) reading() (Reading, bool) {
	n := len(o.samples)
	if n == 0 {
		return Reading{}, false
	}
	value := o.samples[n/2]
	if n%2 == 0 {
		value = (value + o.samples[n/2-1]) / 2
	}
	value = value*o.Factor + o.Offset
	if o.digits > 0 {
		value = math.Round(value*o.digits) / o.digits
	}
	value += 0 // makes -0 a 0
	if math.IsNaN(value) || math.IsInf(value, 0) || !o.wanted(value) {
		return Reading{}, false
	}
	o.reported, o.value, o.at = true, value, o.last
	// It was measured at some time from the start of the first sample, minus its age, to the end of the last one.
	half := (o.last.Sub(o.first) + o.age) / 2
	return Reading{Value: value, Unit: o.Unit, Time: o.last.Add(-half), Uncertainty: half}, true
}

// wanted reports whether to report a value, given the one before.
func (o *output) wanted(value float64) bool {
	if !o.reported {
		return true
	}
	since := o.last.Sub(o.at) + o.slack
	if o.MaxInterval > 0 && since >= o.MaxInterval {
		return true
	}
	// In binary, 0.3 minus 0.2 is slightly less than 0.1. It still counts as a change of 0.1.
	changed := math.Abs(value-o.value) >= o.Change*(1-1e-9)
	return changed && since >= o.MinInterval
}
