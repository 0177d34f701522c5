package lean

import (
	"context"
	"runtime/debug"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// A world is what limit is told.
type world struct {
	n         atomic.Int64 // connections
	changed   chan struct{}
	told      chan struct{} // that garbage is collected often
	collected atomic.Uint64
	inUse     atomic.Uint64
	given     atomic.Int64 // how often memory was given back
}

func (w *world) often() <-chan struct{} { return w.told }
func (w *world) count() uint64          { return w.collected.Load() }
func (w *world) live(int) uint64        { return w.inUse.Load() }

// limiting runs f while memory is limited.
func limiting(t *testing.T, budget int64, f func(t *testing.T, w *world)) {
	t.Setenv("GOMEMLIMIT", "")
	before, percent := debug.SetMemoryLimit(-1), gcPercent()
	synctest.Test(t, func(t *testing.T) {
		w := &world{changed: make(chan struct{}, 1), told: make(chan struct{}, 1)}
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan struct{})
		go func() {
			defer close(ended)
			limit(ctx, budget, func() int { return int(w.n.Load()) }, w.changed, w, func() { w.given.Add(1) })
		}()
		f(t, w)
		cancel()
		<-ended
	})
	if got := debug.SetMemoryLimit(-1); got != before || gcPercent() != percent {
		t.Errorf("afterwards the limit is %d, and %d per cent, want %d and %d", got, gcPercent(), before, percent)
	}
}

func gcPercent() int {
	percent := debug.SetGCPercent(100)
	debug.SetGCPercent(percent)
	return percent
}

// TestLimit: the limit follows the budget and the connections, and is as it was afterwards.
func TestLimit(t *testing.T) {
	t.Setenv("GOGC", "")
	percent := gcPercent()
	limiting(t, 1<<30, func(t *testing.T, w *world) {
		for _, n := range []int64{10, manyConnections, manyConnections - 1, 5000, 0} {
			w.n.Store(n)
			w.changed <- struct{}{}
			time.Sleep(2 * lookAtConnections)
			if got, want := debug.SetMemoryLimit(-1), 1<<30+ownMemory+n*connectionMemory; got != want {
				t.Errorf("with %d connections the limit is %d, want %d", n, got, want)
			}
			want := percent
			if n >= manyConnections {
				want = crowdPercent
			}
			if got := gcPercent(); got != want {
				t.Errorf("with %d connections %d per cent of what is in use may be garbage, want %d", n, got, want)
			}
		}
	})
}

// TestGivesBack: memory is given back soon after the start, and after many connections have come or gone, once no more do.
func TestGivesBack(t *testing.T) {
	limiting(t, 0, func(t *testing.T, w *world) {
		time.Sleep(time.Second)
		if times := w.given.Load(); times != 1 {
			t.Errorf("a second after the start, memory was given back %d times, want 1", times)
		}
		for _, step := range []struct{ add, steps, want int64 }{
			{0, 1, 1}, {manyNew - 1, 1, 1}, {1, 1, 2}, {manyNew, 10, 3}, {-manyNew, 1, 4}, {1 - manyNew, 1, 4},
		} {
			for range step.steps {
				w.n.Add(step.add)
				w.changed <- struct{}{}
				time.Sleep(lookAtConnections)
			}
			time.Sleep(time.Hour)
			if times := w.given.Load(); times != step.want {
				t.Errorf("after %d times %d more, to %d, memory was given back %d times, want %d", step.steps, step.add, w.n.Load(), times, step.want)
			}
		}
	})
}

// TestBusy: there may be more garbage while it is collected often, up to a bound, and what that took is given back afterwards.
func TestBusy(t *testing.T) {
	const mib = 1 << 20
	for _, c := range []struct {
		name, environment  string
		connections, inUse int64
		want               int
	}{
		{"little is in use", "", 10, mib, busyPercent},
		{"nothing was collected yet", "", 10, 0, busyPercent},
		{"more is in use", "", 10, 8 * mib, 200},
		{"much is in use", "", 10, 100 * mib, 100},
		{"many connections", "", manyConnections, 20 * mib, 80},
		{"very many connections", "", manyConnections, 100 * mib, crowdPercent},
		{"told otherwise", "100", 10, mib, 100},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Setenv("GOGC", c.environment)
			defer debug.SetGCPercent(debug.SetGCPercent(100))
			limiting(t, 0, func(t *testing.T, w *world) {
				w.n.Store(c.connections)
				w.inUse.Store(uint64(c.inUse))
				w.changed <- struct{}{}
				time.Sleep(time.Minute)
				usual, given := gcPercent(), w.given.Load()
				for range 2 { // it may become busy again
					w.told <- struct{}{}
					time.Sleep(lookAtCollections / 2) // each look is in the middle of a step
					for range 10 {
						w.collected.Add(fewCollections)
						time.Sleep(lookAtCollections)
						if got := gcPercent(); got != c.want {
							t.Fatalf("%d per cent of %d bytes may be garbage, want %d", got, c.inUse, c.want)
						}
					}
					w.told <- struct{}{} // it is known already
					w.collected.Add(fewCollections - 1)
					time.Sleep(2 * lookAtCollections)
					if c.want > usual {
						given++
					}
					if got := gcPercent(); got != usual || w.given.Load() != given {
						t.Errorf("afterwards %d per cent may be garbage, and memory was given back %d times, want %d and %d", got, w.given.Load(), usual, given)
					}
					time.Sleep(time.Hour)
					if w.given.Load() != given {
						t.Errorf("in an idle hour, memory was given back %d times", w.given.Load()-given)
					}
				}
			})
		})
	}
}
