package main

import (
	"context"
	"runtime"
	"strconv"
	"testing"
	"testing/synctest"
	"time"

	"sighub/carrier"
)

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
