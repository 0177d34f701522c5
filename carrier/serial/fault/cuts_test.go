package fault

import (
	"testing"
	"time"
)

// moments returns the n first moments at which the line is cut or mended.
func moments(t *testing.T, o Options, n int) []time.Time {
	t.Helper()
	c, err := NewCuts(o)
	if err != nil {
		t.Fatal(err)
	}
	var all []time.Time
	now := start
	for i := range n {
		cut, until := c.At(now)
		if cut != (i%2 == 1) || !until.After(now) {
			t.Fatalf("moment %d: cut is %t until %s", i, cut, until.Sub(now))
		}
		now = until
		all = append(all, now)
	}
	return all
}

func TestCuts(t *testing.T) {
	o := Options{Seed: 3, Cut: 10 * time.Second, Away: 2 * time.Second}
	const cuts = 2000
	first := moments(t, o, 2*cuts)
	for i, m := range moments(t, o, 2*cuts) {
		if !m.Equal(first[i]) {
			t.Fatalf("moment %d comes at another time", i)
		}
	}
	var up time.Duration
	before, short := start, 0
	for i := 0; i < len(first); i += 2 {
		d := first[i].Sub(before)
		if up += d; d < o.Cut/2 {
			short++
		}
		before = first[i+1]
		if away := before.Sub(first[i]); away != o.Away {
			t.Fatalf("away for %s", away)
		}
	}
	if mean := up / cuts; mean < 9*time.Second || mean > 11*time.Second {
		t.Errorf("cut every %s, instead of 10 s", mean)
	}
	// Of exponentially distributed times, 1-exp(-1/2) are shorter than half their mean: 39 %.
	if short < cuts*35/100 || short > cuts*43/100 {
		t.Errorf("%d of %d times are shorter than half the mean", short, cuts)
	}
	o.Seed++
	if other := moments(t, o, 1); other[0].Equal(first[0]) {
		t.Error("another seed cuts at the same time")
	}
	// Who looks only at the end has missed nothing.
	o.Seed--
	c, _ := NewCuts(o)
	c.At(start)
	if _, until := c.At(first[999]); !until.Equal(first[1000]) || c.count != 500 {
		t.Errorf("%d cuts until then, the next at %s", c.count, until)
	}
}

func TestNoCuts(t *testing.T) {
	c, err := NewCuts(Options{Away: time.Second})
	if err != nil {
		t.Fatal(err)
	}
	if cut, until := c.At(start); cut || !until.IsZero() {
		t.Errorf("cut is %t until %s", cut, until)
	}
}
