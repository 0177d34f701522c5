package journal

import (
	"context"
	"errors"
	"io"
	"math"
	"slices"
	"time"
)

// A Bucket sums up the numbers of an event in a span of time.
type Bucket struct {
	Start    time.Time
	Min, Max float64
	Sum      float64 // the mean is Sum / Count
	Last     float64 // of the latest time
	Count    uint64
}

// Rollup sums up the data of an event that is a number, in steps that begin at multiples of step since 1970, for all steps that
// overlap the time from from to to. Those without a number are left out. A step is a minute at least, and whole minutes.
func (j *Journal) Rollup(sender, event string, from, to time.Time, step time.Duration) ([]Bucket, error) {
	step = max(step, time.Minute).Truncate(time.Minute)
	return j.rollupRaw(sender, event, from, to, step)
}

// rollupRaw is Rollup by reading all events.
func (j *Journal) rollupRaw(sender, event string, from, to time.Time, step time.Duration) ([]Bucket, error) {
	start := floor(nanoseconds(from), int64(step))
	end := nanoseconds(to)
	if rest := end - floor(end, int64(step)); rest > 0 {
		end += int64(step) - rest
	}
	type sum struct {
		Bucket
		last int64
	}
	sums := map[int64]*sum{}
	topic := Topic{sender, event}
	r := j.Read(Query{Bounded: true, Filter: func(t Topic) bool { return t == topic }})
	defer func() { _ = r.Close() }()
	some := make([]Entry, 64)
	for {
		n, err := r.Next(context.Background(), some)
		for i := range some[:n] {
			e := &some[i]
			value, ok := number(e.JSON, e.Data)
			if !ok || e.Lost > 0 || e.Time < start || e.Time >= end {
				continue
			}
			at := floor(e.Time, int64(step))
			s := sums[at]
			if s == nil {
				s = &sum{Bucket{Start: time.Unix(0, at), Min: math.Inf(1), Max: math.Inf(-1)}, math.MinInt64}
				sums[at] = s
			}
			s.Min, s.Max, s.Sum = min(s.Min, value), max(s.Max, value), s.Sum+value
			if s.Count++; e.Time >= s.last {
				s.Last, s.last = value, e.Time
			}
		}
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, err
		}
	}
	list := make([]Bucket, 0, len(sums))
	for _, s := range sums {
		list = append(list, s.Bucket)
	}
	slices.SortFunc(list, func(a, b Bucket) int { return a.Start.Compare(b.Start) })
	return list, nil
}

// floor returns the greatest multiple of step that is not above t.
func floor(t, step int64) int64 {
	rest := t % step
	if rest < 0 {
		rest += step
	}
	return t - rest
}
