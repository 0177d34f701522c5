package lean

import (
	"context"
	"runtime"
	"sync/atomic"
	"time"
)

// watched are the collections of garbage of this program.
type watched struct {
	told  chan struct{}
	ended atomic.Bool
	noted atomic.Uint64

	// Of the cleanup, of which there is one at a time.
	since time.Time
	n     int
}

// manyCollections is how many collections within a second are many. Each takes a millisecond or so, however little is in use.
const manyCollections = 10

// watchCollections watches collections until ctx is done. A program that does nothing is not woken for it.
func watchCollections(ctx context.Context) *watched {
	c := &watched{told: make(chan struct{}, 1)}
	context.AfterFunc(ctx, func() { c.ended.Store(true) })
	c.arm()
	return c
}

// often returns what is sent to when manyCollections of them took place within a second, unless nobody has received that yet.
func (c *watched) often() <-chan struct{} { return c.told }

// arm has the next collection noted: it finds something that nobody refers to.
func (c *watched) arm() {
	runtime.AddCleanup(&unused{c}, (*watched).note, c)
}

// unused has a pointer, since small objects without pointers may share a place in memory, and then be found late or never.
type unused struct{ _ *watched }

// note notes that a collection has taken place.
func (c *watched) note() {
	if c.ended.Load() {
		return
	}
	c.noted.Add(1)
	if now := time.Now(); now.Sub(c.since) > time.Second {
		c.since, c.n = now, 0
	}
	if c.n++; c.n == manyCollections {
		select {
		case c.told <- struct{}{}:
		default:
		}
	}
	c.arm()
}

// count returns how many collections were noted. Of those that follow each other at once, some may be missed.
func (c *watched) count() uint64 { return c.noted.Load() }

// live returns how many bytes are in use, about, with the stacks: the next collection begins when so many percent more are taken.
func (c *watched) live(percent int) uint64 {
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return (m.NextGC + m.StackInuse) * 100 / uint64(100+percent)
}
