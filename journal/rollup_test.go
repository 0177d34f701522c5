package journal

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"sighub/journal/internal/rollup"
	"sighub/journal/journaltest"
)

// rollupRaw is Rollup by reading all events.
func rollupRaw(t *testing.T, j *Journal, topic Topic, from, to time.Time, step time.Duration) []Bucket {
	t.Helper()
	type sum struct {
		Bucket
		last int64
	}
	sums := map[int64]*sum{}
	r := j.Read(Query{Bounded: true, Filter: func(t Topic) bool { return t == topic }})
	defer func() { _ = r.Close() }()
	some := make([]Entry, 64)
	for {
		n, err := r.Next(context.Background(), some)
		for i := range some[:n] {
			e := &some[i]
			value, ok := rollup.Number(e.JSON, e.Data)
			at := rollup.Floor(e.Time, int64(step))
			if !ok || e.Lost > 0 || at+int64(step) <= nanoseconds(from) || at >= nanoseconds(to) {
				continue
			}
			s := sums[at]
			if s == nil {
				s = &sum{Bucket{Start: time.Unix(0, at), Min: value, Max: value}, e.Time}
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
			t.Fatal(err)
		}
	}
	var list []Bucket
	for _, at := range slices.Sorted(maps.Keys(sums)) {
		list = append(list, sums[at].Bucket)
	}
	return list
}

// A rollupWorld adds events of a few topics at random times: mostly in order, some late, some of a clock that stands in 1970, some
// that are no numbers.
type rollupWorld struct {
	*world
	rng *rand.Rand
	now time.Time
}

func (w *rollupWorld) addSome() {
	g := w.j.NewGroup()
	for range 1 + w.rng.IntN(40) {
		w.now = w.now.Add(time.Duration(w.rng.Int64N(int64(20 * time.Second))))
		at := w.now
		switch w.rng.IntN(20) {
		case 0:
			at = at.Add(-time.Duration(w.rng.Int64N(int64(50 * time.Hour))))
		case 1:
			at = time.Unix(int64(w.rng.IntN(5000))-2500, 0)
		}
		data := fmt.Sprint(float64(w.rng.IntN(4000)) / 4)
		if w.rng.IntN(30) == 0 {
			data = `"no number"`
		}
		g.Add(Event{Topic: w.topic(), Time: at.UnixNano(), JSON: true, Data: []byte(data)})
	}
	g.Append(0)
	synctest.Wait()
}

func (w *rollupWorld) topic() Topic {
	return Topic{[]string{"a", "b", "c"}[w.rng.IntN(3)], []string{"x", "y"}[w.rng.IntN(2)]}
}

// check compares a few answers with what the events say.
func (w *rollupWorld) check(steps ...time.Duration) {
	w.t.Helper()
	synctest.Wait()
	for range 4 {
		topic, step := w.topic(), steps[w.rng.IntN(len(steps))]
		from := w.now.Add(-time.Duration(w.rng.Int64N(int64(100 * time.Hour))))
		to := from.Add(time.Duration(w.rng.Int64N(int64(100 * time.Hour))))
		switch w.rng.IntN(6) {
		case 0:
			from = time.Unix(-10000, 0)
		case 1:
			from = time.Time{}
		case 2:
			from, to = time.Time{}, time.Unix(1e12, 0)
		}
		want := rollupRaw(w.t, w.j, topic, from, to, step)
		got, err := w.j.Rollup(topic.Sender, topic.Event, from, to, step)
		for i := 0; err == nil && i < max(len(got), len(want)); i++ {
			if i >= len(got) || i >= len(want) || got[i] != want[i] {
				err = fmt.Errorf("of %d and %d\n got %v\nwant %v", len(got), len(want), got[min(i, len(got)):min(i+1, len(got))], want[min(i, len(want)):min(i+1, len(want))])
			}
		}
		if err != nil {
			w.t.Errorf("%v from %v to %v, each %v: %v", topic, from, to, step, err)
		}
		some := w.rng.IntN(40)
		got, err = w.j.RollupFirst(w.t.Context(), some, topic.Sender, topic.Event, from, to, step)
		if err != nil || !slices.Equal(got, want[:min(some, len(want))]) {
			w.t.Errorf("the first %d of %d: %d, %v", some, len(want), len(got), err)
		}
	}
}

// rollupNames returns the files of sums.
func (w *world) rollupNames() (names []string) {
	all, _ := w.c.List()
	for _, name := range all {
		if strings.HasSuffix(name, ".rollup") {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

// TestRollup: sums are those of the events: while they are made, after restarts and losses of power, when files of sums are damaged
// or lost, and when events are late or their clock is wrong.
func TestRollup(t *testing.T) {
	for seed := range uint64(5) {
		synctest.Test(t, func(t *testing.T) {
			o := Options{Segment: 64 << 10, Size: 1000 * 64 << 10}
			rng := rand.New(rand.NewPCG(seed, 5))
			w := &rollupWorld{world: &world{t: t, c: journaltest.NewFolder(seed)}, rng: rng, now: time.Unix(1.75e9, 0)}
			w.start(o)
			for range 8 {
				for range 10 + rng.IntN(30) {
					w.addSome()
				}
				w.check(time.Minute, 7*time.Minute, time.Hour, 24*time.Hour)
				switch rng.IntN(5) {
				case 0:
					w.stop()
					w.start(o)
				case 1:
					f := journaltest.None()
					f.CutIn = rng.IntN(60)
					w.c.SetFaults(f)
					for range 5 {
						w.addSome()
					}
					w.stop()
					w.c.Restore()
					w.start(o)
				case 2:
					if names := w.rollupNames(); len(names) > 0 {
						w.c.Damage(names[rng.IntN(len(names))], func(data []byte) { data[rng.IntN(len(data))] ^= 0x10 })
					}
				case 3:
					w.stop()
					if names := w.rollupNames(); len(names) > 0 {
						_ = w.c.Remove(names[rng.IntN(len(names))])
					}
					w.start(o)
				}
				w.check(time.Minute, 5*time.Minute, time.Hour, 3*time.Hour)
			}
			if len(w.rollupNames()) < 5 {
				t.Error("there are hardly any files: the test shows nothing")
			}
			w.stop()
		})
	}
}

// TestRollupFolds: when there are too many sums of minutes, the oldest become hours, which are still right; and files stay few.
func TestRollupFolds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := Options{Segment: 64 << 10, Size: 20 * 64 << 10}
		rng := rand.New(rand.NewPCG(3, 5))
		w := &rollupWorld{world: &world{t: t, c: journaltest.NewFolder(3)}, rng: rng, now: time.Unix(1.75e9, 0)}
		w.start(o)
		all := map[int64]uint64{}
		for range 1500 {
			w.addSome()
		}
		r := w.j.Read(Query{Bounded: true})
		some := make([]Entry, 64)
		for {
			n, err := r.Next(t.Context(), some)
			for _, e := range some[:n] {
				if _, ok := rollup.Number(e.JSON, e.Data); ok && e.Topic == (Topic{"a", "x"}) {
					all[rollup.Floor(e.Time, rollup.Hour)]++
				}
			}
			if err != nil {
				break
			}
		}
		_ = r.Close()
		for range 2 {
			got, err := w.j.Rollup("a", "x", time.Unix(-1e6, 0), w.now.Add(time.Hour), time.Hour)
			if err != nil {
				t.Fatal(err)
			}
			older := 0
			for _, b := range got {
				switch have := all[b.Start.UnixNano()]; {
				case have == 0:
					older++
				case b.Count < have:
					t.Errorf("at %v there are %d in the sums, %d events", b.Start, b.Count, have)
				}
			}
			if older < 20 {
				t.Errorf("only %d hours are kept longer than their events", older)
			}
			w.checkPages(Topic{"a", "x"}, got)
			if h := w.j.Health(); h.Bytes > o.Size || len(w.rollupNames()) > 60 {
				t.Errorf("%d bytes in all, %d files of sums", h.Bytes, len(w.rollupNames()))
			}
			w.stop()
			w.start(o)
		}
		w.stop()
	})
}

// checkPages asks for minutes page by page: each sum is on one of them. A page may begin in an hour of which only one sum is left.
func (w *rollupWorld) checkPages(topic Topic, hours []Bucket) {
	w.t.Helper()
	from, to, most := time.Unix(-1e6, 0), w.now.Add(time.Hour), 7
	want, err := w.j.Rollup(topic.Sender, topic.Event, from, to, time.Minute)
	if err != nil {
		w.t.Fatal(err)
	}
	var all, counted uint64
	for _, b := range hours {
		all += b.Count
	}
	for _, b := range want {
		counted += b.Count
	}
	if all != counted {
		w.t.Errorf("%d numbers are in the minutes, and %d in the hours", counted, all)
	}
	var got []Bucket
	for pages := 0; pages <= len(want); pages++ {
		list, err := w.j.RollupFirst(w.t.Context(), most+1, topic.Sender, topic.Event, from, to, time.Minute)
		if err != nil {
			w.t.Fatal(err)
		}
		got = append(got, list[:min(len(list), most)]...)
		if len(list) <= most {
			break
		}
		from = list[most].Start
	}
	if !slices.Equal(got, want) {
		w.t.Errorf("there are %d sums on pages, want %d", len(got), len(want))
	}
}

// TestRollupLostTail: sums of events that the disk has lost are not told, and their file goes.
func TestRollupLostTail(t *testing.T) {
	inWorld(t, small, func(t *testing.T, w *world) {
		w.add("s n: 1", "s n: 2")
		synctest.Wait()
		w.c.SetFaults(cut)
		w.stop()
		w.c.Restore()
		table := rollup.NewTable(3)
		table.To = 60
		table.Series(rollup.Topic{Sender: "s", Event: "n"}).Add(time.Now().UnixNano(), 1000)
		if _, err := rollup.Write(w.c, table, 1); err != nil {
			t.Fatal(err)
		}
		for range 2 {
			w.start(small)
			w.add("s n: 3")
			synctest.Wait()
			from, to := time.Now().Add(-time.Hour), time.Now().Add(time.Hour)
			got, err := w.j.Rollup("s", "n", from, to, time.Minute)
			if want := rollupRaw(t, w.j, Topic{"s", "n"}, from, to, time.Minute); err != nil || !slices.Equal(got, want) {
				t.Errorf("got %v, %v, want %v", got, err, want)
			}
			if names := w.rollupNames(); slices.Contains(names, "0000000000000003-000000000000003c.rollup") {
				t.Errorf("the file is left: %v", names)
			}
			w.stop()
		}
		w.start(small)
	})
}

// TestRollupInterrupted: whoever does not want the sums any more does not wait for them.
func TestRollupInterrupted(t *testing.T) {
	inWorld(t, small, func(t *testing.T, w *world) {
		for i := range 500 {
			w.add(fmt.Sprint("s n: ", i))
		}
		synctest.Wait()
		w.stop()
		for _, name := range w.rollupNames() {
			if err := w.c.Remove(name); err != nil {
				t.Fatal(err)
			}
		}
		w.start(small)
		ctx, cancel := context.WithCancelCause(t.Context())
		why := errors.New("nobody waits")
		from, to := time.Now().Add(-time.Hour), time.Now().Add(time.Hour)
		if _, err := w.j.RollupFirst(ctx, 10, "s", "n", from, to, time.Minute); err != nil {
			t.Fatal(err)
		}
		cancel(why)
		if list, err := w.j.RollupFirst(ctx, 10, "s", "n", from, to, time.Minute); !errors.Is(err, why) || list != nil {
			t.Errorf("%v, %v", list, err)
		}
		if err := w.j.sumUp(ctx, hole{0, 100}, nil, func(*Entry, float64) error { t.Error("an event is added"); return nil }); !errors.Is(err, why) {
			t.Errorf("of events: %v", err)
		}
	})
}

// TestRollupLarge: the largest numbers have a sum, which is a number.
func TestRollupLarge(t *testing.T) {
	inWorld(t, small, func(t *testing.T, w *world) {
		w.add("s n: 1.7e308", "s n: 1.7e308", "s n: -1.7e308", "s n: -1.7e308", "s n: -1.7e308")
		synctest.Wait()
		got, err := w.j.Rollup("s", "n", time.Now().Add(-time.Hour), time.Now().Add(time.Hour), time.Minute)
		if err != nil || len(got) != 1 || got[0].Min != -1.7e308 || got[0].Max != 1.7e308 || math.IsInf(got[0].Sum, 0) || math.IsNaN(got[0].Sum) {
			t.Errorf("%+v, %v", got, err)
		}
	})
}

// TestRollupQuery: in whichever order sums come, the first buckets are right, and not many more are held.
func TestRollupQuery(t *testing.T) {
	for seed := range uint64(200) {
		rng := rand.New(rand.NewPCG(seed, 6))
		q := rollupQuery{step: 10, most: rng.IntN(60), to: math.MaxInt64}
		want := map[int64]*rollup.Sum{}
		at := int64(0)
		for i := range 2000 {
			at += rng.Int64N(8)
			start := at
			if rng.IntN(4) == 0 { // late
				start = rng.Int64N(at + 1)
			}
			one := rollup.One(start, int64(i), float64(rng.IntN(1000)))
			q.add(&one)
			if held := len(q.sums) + len(q.late); held > 2*q.most+enoughToPrune {
				t.Fatalf("seed %d: %d buckets are held for %d", seed, held, q.most)
			}
			start = rollup.Floor(start, 10)
			if sum := want[start]; sum != nil {
				sum.Add(&one)
			} else {
				one.Start = start
				want[start] = &one
			}
		}
		starts := slices.Sorted(maps.Keys(want))
		got := q.buckets()
		if len(got) != min(q.most, len(starts)) {
			t.Fatalf("seed %d: there are %d buckets, not %d", seed, len(got), min(q.most, len(starts)))
		}
		for i, b := range got {
			s := want[starts[i]]
			if b != (Bucket{time.Unix(0, starts[i]), s.Min, s.Max, s.Total, s.Last, s.Count}) {
				t.Fatalf("seed %d: bucket %d is %v, not %v", seed, i, b, s)
			}
		}
	}
}
