package bridge

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"sighub/journal"
)

// TestHoursLeft: a journal of 100 bytes an event, ten events a second, is full after a million events.
func TestHoursLeft(t *testing.T) {
	now := time.Now()
	h := journal.Health{
		Bytes: 36_000 * 100, Size: 100_000_000, First: journal.Position{Epoch: 1, Sequence: 1}, Next: journal.Position{Epoch: 1, Sequence: 36_001},
		Oldest: now.Add(-time.Hour), Newest: now,
	}
	if hours, ok := hoursLeft(h, 36_000); !ok || hours < 26.7 || hours > 26.8 { // (1,000,000 - 36,000) / 36,000
		t.Errorf("%v hours, %t", hours, ok)
	}
	if hours, ok := hoursLeft(h, 2_000_000); !ok || hours != 0 {
		t.Errorf("%v hours, %t", hours, ok)
	}
	h.Oldest = now.Add(-time.Second)
	if _, ok := hoursLeft(h, 1); ok {
		t.Error("a second says how fast the journal is filled")
	}
	if _, ok := hoursLeft(journal.Health{}, 1); ok {
		t.Error("an empty journal says how fast it is filled")
	}
}

// TestRing: places come out in the order in which they went in, however many there are.
func TestRing(t *testing.T) {
	var r ring
	next := 0
	for i := range 1000 {
		r.push(place{size: i})
		if i%3 == 0 {
			if r.first().size != next {
				t.Fatalf("%d comes, not %d", r.first().size, next)
			}
			r.pop()
			next++
		}
	}
	for ; r.n > 0; next++ {
		if r.first().size != next {
			t.Fatalf("%d comes, not %d", r.first().size, next)
		}
		r.pop()
	}
	if next != 1000 {
		t.Errorf("%d come out", next)
	}
}

// TestPaceRate: as many events are read as the rate allows, many of them at a time.
func TestPaceRate(t *testing.T) {
	for _, rate := range []float64{0.5, 1, 40, 3000, 20_000} {
		synctest.Test(t, func(t *testing.T) {
			p := pace{rate: rate}
			const span = 20 * time.Second
			ctx, cancel := context.WithTimeout(t.Context(), span)
			defer cancel()
			n, waits := 0, 0
			for {
				before := time.Now()
				most, err := p.wait(ctx, 1000)
				if err != nil {
					break
				}
				if time.Now().After(before) {
					waits++
				}
				n += most
				p.spend(most)
			}
			want := rate*span.Seconds() + max(rate, 1) // and what may be read at first
			if got := float64(n); got > want+1 || got < want*0.98-1 {
				t.Errorf("at %v a second, %v are read, want %v", rate, got, want)
			}
			if most := wakes*int(span.Seconds()) + 1; waits > most {
				t.Errorf("at %v a second, it wakes %d times, want %d", rate, waits, most)
			}
		})
	}
}
