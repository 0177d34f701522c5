package sensors

import (
	"cmp"
	"fmt"
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
	why         error // why a sample is missing
	first, last time.Time
	result      float64 // what they give

	left uint64 // how many values are missing since it was opened
	loss Loss   // readings that failed, of which listeners were not told yet

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
func (o *output) begin() { o.samples, o.why = o.samples[:0], nil }

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

// end ends the reading. A calibration that makes the value infinite leaves none.
func (o *output) end() {
	slices.Sort(o.samples)
	if len(o.samples) == 0 {
		return
	}
	if o.result = o.calibrated(); math.IsNaN(o.result) || math.IsInf(o.result, 0) {
		o.why = fmt.Errorf("%w: %s becomes %v with factor %v and offset %v", ErrRange, o.Quantity, o.result, o.Factor, o.Offset)
		o.samples = o.samples[:0]
	}
}

// calibrated returns the median of the samples, calibrated and rounded.
func (o *output) calibrated() float64 {
	n := len(o.samples)
	value := o.samples[n/2]
	if n%2 == 0 {
		value = (value + o.samples[n/2-1]) / 2
	}
	value = value*o.Factor + o.Offset
	if o.digits > 0 {
		value = math.Round(value*o.digits) / o.digits
	}
	return value + 0 // makes -0 a 0
}

// restart forgets what was reported: after a new connection, the first value is always reported.
func (o *output) restart() { o.reported, o.loss = false, Loss{} }

// reading returns the present reading and whether to report it. If so, it counts as reported.
func (o *output) reading() (Reading, bool) {
	value := o.result
	if len(o.samples) == 0 || !o.wanted(value) {
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
