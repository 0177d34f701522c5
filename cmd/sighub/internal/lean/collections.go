package lean

import (
	"context"
	"runtime"
	"runtime/metrics"
	"sync/atomic"
	"time"
)

// watched are the collections of garbage of this program.
type watched struct {
	told  chan struct{}
	ended atomic.Bool

	// Of the cleanup, of which there is one at a time.
	since time.Time
	n     int
}

// many is how many collections within a second are many. Each takes a millisecond or so, however little is in use.
const many = 10

// watchCollections watches collections until ctx is done. A program that does nothing is not woken for it.
func watchCollections(ctx context.Context) *watched {
	c := &watched{told: make(chan struct{}, 1)}
	context.AfterFunc(ctx, func() { c.ended.Store(true) })
	c.arm()
	return c
}

// often returns what is sent to when many of them took place within a second, unless nobody has received that yet.
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
	if now := time.Now(); now.Sub(c.since) > time.Second {
		c.since, c.n = now, 0
	}
	if c.n++; c.n == many {
		select {
		case c.told <- struct{}{}:
		default:
		}
	}
	c.arm()
}

// count returns how many collections there were since the program began.
func (c *watched) count() uint64 { return metric("/gc/cycles/total:gc-cycles") }

// live returns how many bytes the latest collection found in use, 0 if there was none.
func (c *watched) live() uint64 { return metric("/gc/heap/live:bytes") }

func metric(name string) uint64 {
	s := []metrics.Sample{{Name: name}}
	metrics.Read(s)
	return s[0].Value.Uint64()
}
