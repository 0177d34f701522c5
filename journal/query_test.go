package journal

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"sighub/journal/journaltest"
)

// TestQuery: what is read is what the query says, however it is read: in parts of any size, in one go or from one Reader to the next,
// and while there is more.
func TestQuery(t *testing.T) {
	for seed := range uint64(2) {
		synctest.Test(t, func(t *testing.T) {
			w := &rollupWorld{world: &world{t: t, c: journaltest.NewFolder(seed)}, rng: rand.New(rand.NewPCG(seed, 2)), now: time.Unix(1.75e9, 0)}
			o := Options{Segment: 64 << 10, Size: 30 * 64 << 10}
			w.start(o)
			var all []Entry
			fill := func(n int) {
				for range n {
					w.addSome()
				}
				all = nil
				readAll(t, w.j.Read(Query{Bounded: true}), 1000, func(e *Entry) { all = append(all, *e) })
			}
			fill(250)
			w.stop()
			w.start(o)
			fill(200)
			for range 50 {
				from, to := w.now.Add(-time.Duration(w.rng.Int64N(int64(60*time.Hour)))), w.now.Add(-time.Duration(w.rng.Int64N(int64(30*time.Hour))))
				if w.rng.IntN(2) == 0 { // exactly the time of an event
					from, to = time.Unix(0, all[w.rng.IntN(len(all))].Time), time.Unix(0, all[w.rng.IntN(len(all))].Time)
				}
				at := all[w.rng.IntN(len(all))].Position
				topic := w.topic()
				q := Query{Bounded: true}
				takes := []func(*Entry) bool{func(*Entry) bool { return true }}
				switch w.rng.IntN(4) {
				case 0:
					q.Start, takes = Since(from), append(takes, func(e *Entry) bool { return e.Time >= from.UnixNano() })
				case 1:
					q.Start, takes = At(at), append(takes, func(e *Entry) bool { return e.Sequence >= at.Sequence })
				case 2:
					q.Start, takes = After(at), append(takes, func(e *Entry) bool { return e.Sequence > at.Sequence })
				}
				if w.rng.IntN(2) == 0 {
					q.Until, takes = to, append(takes, func(e *Entry) bool { return e.Time < to.UnixNano() })
				}
				switch w.rng.IntN(4) {
				case 0:
					q.Filter, takes = Only(topic.Sender, topic.Event), append(takes, func(e *Entry) bool { return e.Topic == topic })
				case 1:
					q.Filter, takes = Only("", topic.Event), append(takes, func(e *Entry) bool { return e.Topic.Event == topic.Event })
				}
				var want, got []string
				for i := range all {
					ok := true
					for _, f := range takes {
						ok = ok && f(&all[i])
					}
					if ok {
						want = append(want, fmt.Sprintf("%v %s", all[i].Position, all[i].Data))
					}
				}
				visit := func(e *Entry) { got = append(got, fmt.Sprintf("%v %s", e.Position, e.Data)) }
				r := w.j.Read(q)
				if q.Start.kind == startAt && w.rng.IntN(2) == 0 { // another reader goes on in the middle
					some := make([]Entry, 1+w.rng.IntN(100))
					n, err := r.Next(t.Context(), some)
					if err != nil && !errors.Is(err, io.EOF) {
						t.Fatal(err)
					}
					for i := range some[:n] {
						visit(&some[i])
					}
					q.Start = At(r.Position())
					_ = r.Close()
					r = w.j.Read(q)
				}
				readAll(t, r, 1+w.rng.IntN(300), visit)
				if fmt.Sprint(got) != fmt.Sprint(want) {
					t.Errorf("%+v: %d events, want %d of %d", q, len(got), len(want), len(all))
				}
			}
			w.stop()
		})
	}
}

// readAll gives what a Reader reads to visit, in parts of a size at most, up to its end.
func readAll(t *testing.T, r *Reader, size int, visit func(*Entry)) {
	t.Helper()
	defer func() { _ = r.Close() }()
	some := make([]Entry, size)
	for {
		n, err := r.Next(context.Background(), some)
		for i := range some[:n] {
			e := some[i]
			e.Data = append([]byte(nil), e.Data...)
			visit(&e)
		}
		if errors.Is(err, io.EOF) {
			return
		}
		if err != nil {
			t.Fatal(err)
		}
	}
}

// TestSinceGoesOn: who reads since a time hears everything that is committed afterwards, whatever its time is.
func TestSinceGoesOn(t *testing.T) {
	inWorld(t, Options{Segment: 64 << 10, Size: 60 * 64 << 10}, func(t *testing.T, w *world) {
		add := func(at time.Time) {
			g := w.j.NewGroup()
			g.Add(Event{Topic: Topic{"s", "n"}, Time: at.UnixNano(), JSON: true, Data: []byte(at.UTC().Format("2006"))})
			g.Append(0)
			synctest.Wait()
		}
		years := func(y int) time.Time { return time.Date(y, 2, 3, 0, 0, 0, 0, time.UTC) }
		for _, y := range []int{1970, 2030, 2026, 1970, 2029} {
			add(years(y))
		}
		r := w.j.Read(Query{Start: Since(years(2027))})
		defer func() { _ = r.Close() }()
		var heard []string
		hear := func() {
			var some [8]Entry
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			defer cancel()
			for {
				n, err := r.Next(ctx, some[:])
				if err != nil {
					return
				}
				for _, e := range some[:n] {
					heard = append(heard, string(e.Data))
				}
			}
		}
		hear()
		for _, y := range []int{1970, 2028, 2026} {
			add(years(y))
		}
		hear()
		w.expect(heard, "2030", "2029", "1970", "2028", "2026")
		heard = nil
		for range 100 { // several segments
			add(years(1970))
			w.add("other n: " + strings.Repeat("x", 3000))
		}
		hear()
		if len(heard) != 200 {
			t.Errorf("%d of 200 events were heard", len(heard))
		}
	})
}

// TestTimes: spans of time overlap if an event at their ends may.
func TestTimes(t *testing.T) {
	for _, test := range []struct {
		of           times
		since, until int64
		want         bool
	}{
		{times{3, 5}, 5, 9, true}, {times{3, 5}, 6, 9, false}, {times{3, 5}, 0, 3, false}, {times{3, 5}, 0, 4, true},
		{never, math.MinInt64, math.MaxInt64, false}, {unknown, 7, 8, true}, {never.and(times{7, 7}), 7, 8, true},
	} {
		if got := test.of.overlaps(test.since, test.until); got != test.want {
			t.Errorf("%+v: %v", test, got)
		}
	}
}
