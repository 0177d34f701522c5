package main

import (
	"context"
	"runtime"
	"runtime/debug"
	"strconv"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"sighub/carrier"
)

// crowded is a carrier with so many connections.
type crowded struct {
	carrier.Carrier
	n atomic.Int64
}

func (c *crowded) Connections() int { return int(c.n.Load()) }

// TestLimitMemory: the limit follows the budget and the connections, and is as it was afterwards.
func TestLimitMemory(t *testing.T) {
	t.Setenv("GOMEMLIMIT", "")
	t.Setenv("GOGC", "")
	before, percent := debug.SetMemoryLimit(-1), gcPercent()
	synctest.Test(t, func(t *testing.T) {
		c := new(crowded)
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan struct{})
		changed := make(chan struct{}, 1)
		go func() {
			defer close(ended)
			limitMemory(ctx, carrier.NewBudget(1<<30), []carrier.Carrier{c}, changed, func() {})
		}()
		for _, n := range []int64{10, manyConnections, manyConnections - 1, 5000, 0} {
			c.n.Store(n)
			changed <- struct{}{}
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
		cancel()
		<-ended
	})
	if got := debug.SetMemoryLimit(-1); got != before || gcPercent() != percent {
		t.Errorf("afterwards the limit is %d, and %d per cent, want %d and %d", got, gcPercent(), before, percent)
	}
}

// TestGiveBack: memory is given back soon after the start, and after many connections have come or gone, once no more do.
func TestGiveBack(t *testing.T) {
	t.Setenv("GOMEMLIMIT", "")
	synctest.Test(t, func(t *testing.T) {
		c := new(crowded)
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan struct{})
		changed := make(chan struct{}, 1)
		times := 0
		go func() {
			defer close(ended)
			limitMemory(ctx, carrier.NewBudget(0), []carrier.Carrier{c}, changed, func() { times++ })
		}()
		time.Sleep(time.Second)
		if synctest.Wait(); times != 1 {
			t.Errorf("a second after the start, memory was given back %d times, want 1", times)
		}
		for _, step := range []struct {
			add, steps int64
			want       int
		}{
			{0, 1, 1}, {manyNew - 1, 1, 1}, {1, 1, 2}, {manyNew, 10, 3}, {-manyNew, 1, 4}, {1 - manyNew, 1, 4},
		} {
			for range step.steps {
				c.n.Add(step.add)
				changed <- struct{}{}
				time.Sleep(lookAtConnections)
			}
			time.Sleep(time.Hour)
			synctest.Wait()
			if times != step.want {
				t.Errorf("after %d times %d more, to %d, memory was given back %d times, want %d", step.steps, step.add, c.n.Load(), times, step.want)
			}
		}
		cancel()
		<-ended
	})
}

func gcPercent() int {
	percent := debug.SetGCPercent(100)
	debug.SetGCPercent(percent)
	return percent
}

// TestSpareProcessors: more goroutines run at a time while much is large, and for a while afterwards; not for a large message now
// and then, nor against the environment.
func TestSpareProcessors(t *testing.T) {
	usual := runtime.GOMAXPROCS(0)
	for _, c := range []struct {
		name, environment   string
		turns               int // in each look
		during, soon, later int
	}{
		{"much", "", manyTurns, usual + spare, usual + spare, usual},
		{"little", "", manyTurns - 1, usual, usual, usual},
		{"told otherwise", strconv.Itoa(usual), 10 * manyTurns, usual, usual, usual},
	} {
		t.Setenv("GOMAXPROCS", c.environment)
		synctest.Test(t, func(t *testing.T) {
			ctx, cancel := context.WithCancel(t.Context())
			ended := make(chan struct{})
			go func() { defer close(ended); spareProcessors(ctx) }()
			time.Sleep(lookAtTurns / 2)
			for range 3 {
				for range c.turns {
					carrier.TakeTurn(1 << 20)()
				}
				time.Sleep(lookAtTurns + time.Millisecond) // what comes at the end of a look may count in either
			}
			during := runtime.GOMAXPROCS(0)
			time.Sleep((manyLooks - 2) * lookAtTurns)
			soon := runtime.GOMAXPROCS(0)
			time.Sleep(4 * lookAtTurns)
			if later := runtime.GOMAXPROCS(0); during != c.during || soon != c.soon || later != c.later {
				t.Errorf("%s: of %d, %d run at a time, then %d, at last %d", c.name, usual, during, soon, later)
			}
			cancel()
			<-ended
		})
	}
	if got := runtime.GOMAXPROCS(0); got != usual {
		t.Errorf("afterwards %d run at a time, not %d", got, usual)
	}
}
