package journal

import (
	"cmp"
	"context"
	"errors"
	"io"
	"io/fs"
	"math"
	"slices"
	"sort"
	"time"

	"sighub/journal/internal/rollup"
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
// overlap the time from from to to. Those without a number are left out. A step is whole minutes, and at least one. Where only hours are
// left of old events, all of an hour is in the step in which the hour begins.
//
// Sums are kept longer than events. They are read from files of their own, and of the events only those that are not summed up yet.
func (j *Journal) Rollup(sender, event string, from, to time.Time, step time.Duration) ([]Bucket, error) {
	return j.RollupFirst(context.Background(), math.MaxInt/4, sender, event, from, to, step)
}

// RollupFirst returns the first n buckets of Rollup, and needs memory for some more only. When ctx is done, it ends with its cause.
func (j *Journal) RollupFirst(ctx context.Context, n int, sender, event string, from, to time.Time, step time.Duration) ([]Bucket, error) {
	q := rollupQuery{topic: Topic{sender, event}, step: int64(max(step, time.Minute).Truncate(time.Minute)), most: max(n, 0)}
	q.from, q.to = rollup.Floor(nanoseconds(from), q.step), rollup.Ceil(nanoseconds(to), q.step)
	end := q.to
	for again := 0; ; again++ {
		q.to = end
		q.sums, q.late = q.sums[:0], nil
		run, err := j.rollup(ctx, &q)
		switch {
		case err == nil:
			return q.buckets(), nil
		case ctx.Err() != nil:
			return nil, context.Cause(ctx)
		case run == nil:
			return nil, err
		case again >= 3 || !errors.Is(err, fs.ErrNotExist): // else it was folded meanwhile
			j.o.Logger.Warn("sums of the journal cannot be read: they are computed again", "error", err)
			j.setRuns(func(rs rollup.Runs) rollup.Runs { return rs.Without(run) })
			j.tendSoon()
		}
	}
}

// A rollupQuery is a call of Rollup.
type rollupQuery struct {
	topic    Topic
	from, to int64
	step     int64
	most     int // buckets
	// sums has the buckets in the order of their starts, which is mostly the order in which they come. Those that come between are in
	// late, until they are many enough to sort them in.
	sums rollup.Sums
	late map[int64]*rollup.Sum
}

func (q *rollupQuery) add(s *rollup.Sum) {
	start := rollup.Floor(s.Start, q.step)
	if start >= q.to {
		return
	}
	switch last := len(q.sums) - 1; {
	case last >= 0 && q.sums[last].Start == start:
		q.sums[last].Add(s)
		return
	case last < 0 || q.sums[last].Start < start:
		q.sums = append(q.sums, *s)
		q.sums[last+1].Start = start
	case !q.addBetween(start, s):
		return
	}
	if len(q.sums)+len(q.late) >= 2*q.most+enoughToPrune {
		q.prune()
	}
}

// addBetween adds to a bucket before the last one, and reports whether that is a new one.
func (q *rollupQuery) addBetween(start int64, s *rollup.Sum) bool {
	if i, ok := slices.BinarySearchFunc(q.sums, start, compareStart); ok {
		q.sums[i].Add(s)
		return false
	}
	if sum := q.late[start]; sum != nil {
		sum.Add(s)
		return false
	}
	if q.late == nil {
		q.late = make(map[int64]*rollup.Sum)
	}
	sum := *s
	sum.Start = start
	q.late[start] = &sum
	return true
}

func compareStart(s rollup.Sum, start int64) int { return cmp.Compare(s.Start, start) }

// enoughToPrune are so many buckets that it is worth finding those that are not wanted.
const enoughToPrune = 100

// prune sorts all buckets in, and forgets those behind the first ones that are wanted.
func (q *rollupQuery) prune() {
	if len(q.late) > 0 {
		for _, sum := range q.late {
			q.sums = append(q.sums, *sum)
		}
		clear(q.late)
		sort.Slice(q.sums, func(i, j int) bool { return q.sums[i].Start < q.sums[j].Start })
	}
	if len(q.sums) > q.most {
		q.to = q.sums[q.most].Start
		q.sums = q.sums[:q.most]
	}
}

func (q *rollupQuery) buckets() []Bucket {
	q.prune()
	list := make([]Bucket, len(q.sums))
	for i := range q.sums {
		s := &q.sums[i]
		list[i] = Bucket{time.Unix(0, s.Start), s.Min, s.Max, s.Total, s.Last, s.Count}
	}
	return list
}

// rollup adds up what a query asks for, in the order of sequences. If a run cannot be read, it returns that.
func (j *Journal) rollup(ctx context.Context, q *rollupQuery) (*rollup.Run, error) {
	topic := rollup.Topic(q.topic)
	j.memMu.RLock()
	runs, gaps := j.mem.runs, j.gaps()
	frozen, table := j.mem.frozen.Sums(topic), j.mem.table.Sums(topic)
	j.memMu.RUnlock()
	for len(runs)+len(gaps) > 0 && ctx.Err() == nil {
		if len(runs) == 0 || len(gaps) > 0 && gaps[0].from < runs[0].From {
			if err := j.sumUp(ctx, gaps[0], Only(q.topic.Sender, q.topic.Event), func(e *Entry, n float64) error {
				if e.Topic == q.topic && e.Time >= q.from && e.Time < q.to {
					one := rollup.One(e.Time, e.Time, n)
					q.add(&one)
				}
				return nil
			}); err != nil {
				return nil, err
			}
			gaps = gaps[1:]
			continue
		}
		if err := runs[0].Query(j.dir, topic, q.from, q.to, q.step%rollup.Hour == 0, q.add); err != nil {
			return runs[0], err
		}
		runs = runs[1:]
	}
	if ctx.Err() != nil {
		return nil, context.Cause(ctx)
	}
	for _, sums := range []rollup.Sums{frozen, table} {
		for i := range sums {
			if s := &sums[i]; s.Start >= q.from && s.Start < q.to {
				q.add(s)
			}
		}
	}
	return nil, nil
}

// gaps returns the ranges of events that are there and not summed up. The lock of the memory is held.
func (j *Journal) gaps() (gaps []hole) {
	v := j.view.Load()
	if len(v.kept) == 0 {
		return nil
	}
	at := v.kept[0].first
	upTo := func(from, to uint64) {
		if from > at {
			gaps = append(gaps, hole{at, from})
		}
		at = max(at, to)
	}
	for _, r := range j.mem.runs {
		upTo(r.From, r.To)
	}
	if f := j.mem.frozen; f != nil {
		upTo(f.From, f.To)
	}
	upTo(j.mem.table.From, j.mem.table.To)
	return gaps
}

// sumUp gives the events of a range whose data is a number to visit.
func (j *Journal) sumUp(ctx context.Context, h hole, f Filter, visit func(*Entry, float64) error) error {
	r := j.Read(Query{Bounded: true, Filter: f})
	defer func() { _ = r.Close() }()
	r.next, r.end = max(r.next, h.from), min(r.end, h.to)
	some := make([]Entry, 64)
	for {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		n, err := r.Next(ctx, some)
		for i := range some[:n] {
			e := &some[i]
			if e.Lost > 0 || e.Sequence >= h.to { // a frame may go on behind the range
				continue
			}
			if value, ok := rollup.Number(e.JSON, e.Data); ok {
				if err := visit(e, value); err != nil {
					return err
				}
			}
		}
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
	}
}

func (j *Journal) setRuns(change func(rollup.Runs) rollup.Runs) {
	j.memMu.Lock()
	defer j.memMu.Unlock()
	j.mem.runs = change(j.mem.runs)
}
