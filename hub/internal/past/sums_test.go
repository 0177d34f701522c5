package past_test

import (
	"context"
	"fmt"
	"math"
	"slices"
	"testing"
	"time"

	"sighub/carrier"
	"sighub/hub/internal/past"
	"sighub/journal"
	"sighub/journal/journaltest"
)

func TestReadStep(t *testing.T) {
	for v, want := range map[any]time.Duration{
		uint64(60000): time.Minute, "1m": time.Minute, "90m": 90 * time.Minute, uint64(366 * 24 * 3600 * 1000): 366 * 24 * time.Hour,
		uint64(59999): 0, uint64(0): 0, uint64(366*24*3600*1000 + 1): 0, uint64(1 << 63): 0, "": 0, "30s": 0, "367d": 0, true: 0, 1.5: 0,
	} {
		raw, err := carrier.CBOR.Append(nil, v)
		if err != nil {
			t.Fatal(err)
		}
		got, err := past.ReadStep(carrier.RawValue(carrier.CBOR, raw))
		if got != want || (err == nil) != (want > 0) {
			t.Errorf("%v is read as %s (%v), want %s", v, got, err, want)
		}
	}
}

// Pages together have each sum once, however large they are.
func TestSums(t *testing.T) {
	for _, begin := range []time.Time{time.Date(2026, 3, 1, 10, 25, 0, 0, time.UTC), time.Date(1969, 12, 1, 10, 25, 0, 0, time.UTC)} {
		for _, each := range []time.Duration{7 * time.Minute, 50 * time.Minute} {
			t.Run(fmt.Sprint(begin.Year(), ", each ", each), func(t *testing.T) { checkSums(t, begin, each) })
		}
	}
}

func checkSums(t *testing.T, begin time.Time, each time.Duration) {
	j, err := journal.OpenFolder(journaltest.NewFolder(1), journal.Options{Size: 4 << 20, Segment: 512 << 10})
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	served := make(chan error)
	go func() { served <- j.Serve(ctx, func(journal.Ticket, bool) {}) }()
	topic := journal.Topic{Sender: "meter", Event: "power"}
	g := j.NewGroup()
	for i := range 300 {
		at := begin.Add(time.Duration(i) * each)
		if i >= 150 { // there is nothing for a month
			at = at.Add(30 * 24 * time.Hour)
		}
		g.Add(journal.Event{Topic: topic, Connection: 1, Seq: uint64(i), Time: at.UnixNano(), Data: []byte{byte(i % 24)}})
	}
	g.Append(0)
	if err := j.Sync(ctx); err != nil {
		t.Fatal(err)
	}
	to := begin.Add(60 * 24 * time.Hour)
	for _, step := range []time.Duration{time.Minute, 7 * time.Minute, time.Hour, 90 * time.Minute, 25 * time.Hour} {
		want, err := j.Rollup(topic.Sender, topic.Event, begin, to, step)
		if err != nil {
			t.Fatal(err)
		}
		for _, steps := range []int{1, 3, 60, 2000} {
			for name, from := range map[string]time.Time{"a time": begin, "the beginning": {}} {
				t.Run(fmt.Sprint(step, ", ", steps, " from ", name), func(t *testing.T) {
					var got []journal.Bucket
					for pages := 0; ; pages++ {
						list, next, err := past.Sums(t.Context(), j, topic, from, to, step, steps)
						if err != nil || len(list) > steps || pages > 2000 {
							t.Fatalf("page %d has %d sums: %v", pages, len(list), err)
						}
						got = append(got, list...)
						if next.IsZero() {
							break
						}
						from = next
					}
					if !slices.Equal(got, want) {
						t.Errorf("there are %d sums, want %d", len(got), len(want))
					}
				})
			}
		}
	}
	stop()
	if err := <-served; err != nil {
		t.Error(err)
	}
}

// TestMean: a mean is never below all numbers, or above them, however the sum is rounded or however large it is.
func TestMean(t *testing.T) {
	tenth, large := 0.1, math.MaxFloat64
	at := time.Unix(1.8e9, 0)
	answer := past.NewBuckets([]journal.Bucket{
		{Start: at, Min: tenth, Max: tenth, Sum: tenth + tenth + tenth, Last: tenth, Count: 3},
		{Start: at, Min: -tenth, Max: -tenth, Sum: -tenth - tenth - tenth, Last: -tenth, Count: 3},
		{Start: at, Min: large, Max: large, Sum: large, Last: large, Count: 2}, // the sum has no room for more
		{Start: at, Min: 1, Max: 4, Sum: 5, Last: 4, Count: 2},
	}, time.Time{})
	for _, c := range []carrier.Codec{carrier.JSON, carrier.CBOR} {
		raw, err := answer.AppendTo(nil, c)
		if err != nil {
			t.Fatal(err)
		}
		page, err := past.ReadPage(carrier.RawValue(c, raw))
		if err != nil {
			t.Fatal(err)
		}
		list, err := page.Buckets()
		if err != nil || len(list) != 4 {
			t.Fatal(list, err)
		}
		for i, want := range []float64{tenth, -tenth, large, 2.5} {
			if list[i].Mean != want {
				t.Errorf("%s: the mean is %v, want %v", c.Name(), list[i].Mean, want)
			}
		}
	}
}
