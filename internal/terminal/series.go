package terminal

import (
	"math"
	"slices"
	"time"
)

// A Series gathers numbers over time for a chart. It takes any number of them in a bounded memory: the more time they span, the
// coarser it is. The zero value is empty.
type Series struct {
	step  int // slots are 1<<step nanoseconds long
	slots map[int64]*Sample
	all   Sample
}

// A Sample is what is known of some numbers.
type Sample struct {
	Min, Max, Sum, Last float64
	Count               uint64

	first, last time.Time
}

// One returns the Sample of one number.
func One(v float64) Sample { return Sample{v, v, v, v, 1, time.Time{}, time.Time{}} }

// maxSlots is how many slots a Series has: enough for several in each column of a wide terminal.
const maxSlots = 4096

// Add adds numbers that were taken at a time. A Sample that is empty, or too large for a chart, is left out.
func (s *Series) Add(at time.Time, v Sample) {
	if v.Count == 0 || math.IsNaN(v.Sum) || math.IsInf(v.Sum, 0) || math.IsInf(v.Max-v.Min, 0) {
		return
	}
	if s.slots == nil {
		s.slots = make(map[int64]*Sample)
	}
	v.first, v.last = at, at
	s.all.add(&v)
	addTo(s.slots, at.UnixNano()>>s.step, &v)
	for len(s.slots) > maxSlots {
		s.step++
		coarser := make(map[int64]*Sample, maxSlots)
		for key, slot := range s.slots {
			addTo(coarser, key>>1, slot)
		}
		s.slots = coarser
	}
}

func addTo(slots map[int64]*Sample, key int64, v *Sample) {
	if slot := slots[key]; slot != nil {
		slot.add(v)
		return
	}
	first := *v
	slots[key] = &first
}

// Empty reports whether there is nothing to draw.
func (s *Series) Empty() bool { return s.all.Count == 0 }

// add adds one that may be earlier or later.
func (v *Sample) add(o *Sample) {
	if v.Count == 0 {
		*v = *o
		return
	}
	v.Min, v.Max = min(v.Min, o.Min), max(v.Max, o.Max)
	v.Sum += o.Sum
	v.Count += o.Count
	if o.first.Before(v.first) {
		v.first = o.first
	}
	if !o.last.Before(v.last) {
		v.last, v.Last = o.last, o.Last
	}
}

// mean returns the mean, which lies between the minimum and the maximum in spite of rounding.
func (v *Sample) mean() float64 {
	return min(max(v.Sum/float64(v.Count), v.Min), v.Max)
}

// columns spreads the series over so many columns; a column without a number is nil.
func (s *Series) columns(width int) []*Sample {
	list := make([]*Sample, width)
	begin, span := s.all.first, s.all.last.Sub(s.all.first) // of 292 years at most
	keys := make([]int64, 0, len(s.slots))
	for key := range s.slots {
		keys = append(keys, key)
	}
	slices.Sort(keys)
	for _, key := range keys {
		slot := s.slots[key]
		column := 0
		if span > 0 {
			column = min(int(float64(slot.first.Sub(begin))/float64(span)*float64(width)), width-1)
		}
		if list[column] == nil {
			list[column] = new(Sample)
		}
		list[column].add(slot)
	}
	return list
}
