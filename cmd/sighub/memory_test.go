package main

import (
	"context"
	"runtime/debug"
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
	before := debug.SetMemoryLimit(-1)
	synctest.Test(t, func(t *testing.T) {
		c := new(crowded)
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan struct{})
		go func() { defer close(ended); limitMemory(ctx, carrier.NewBudget(1<<30), []carrier.Carrier{c}) }()
		for _, n := range []int64{10, 1000, 0} {
			c.n.Store(n)
			time.Sleep(2 * lookAtConnections)
			if got, want := debug.SetMemoryLimit(-1), 1<<30+ownMemory+n*connectionMemory; got != want {
				t.Errorf("with %d connections the limit is %d, want %d", n, got, want)
			}
		}
		cancel()
		<-ended
	})
	if got := debug.SetMemoryLimit(-1); got != before {
		t.Errorf("afterwards the limit is %d, want %d", got, before)
	}
}
