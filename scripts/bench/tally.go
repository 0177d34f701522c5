package main

import (
	"time"

	"sighub/scripts/bench/message"
)

// A tally counts what one listener hears. One goroutine at a time calls hear; the counts may be read by others.
type tally struct {
	*count
	clock     *message.Clock
	next      []uint32        // by sender: the next expected number
	latencies []time.Duration // recorded while there is capacity

	_ [64]byte // tallies are written by different cores
}

func newTally(c *message.Clock, senders int, counts *count) *tally {
	return &tally{count: counts, clock: c, next: make([]uint32, senders)}
}

// recordLatencies makes room for this many.
func (t *tally) recordLatencies(n int) { t.latencies = make([]time.Duration, 0, n) }

func (t *tally) hear(p []byte) {
	sender, seq, at, ok := message.Read(p)
	if !ok || int(sender) >= len(t.next) {
		t.garbled.Add(1)
		return
	}
	if len(t.latencies) < cap(t.latencies) {
		t.latencies = append(t.latencies, t.clock.Now()-at)
	}
	if seq < t.next[sender] {
		t.repeated.Add(1)
		return
	}
	t.next[sender] = seq + 1
	t.fresh.Store(t.fresh.Load() + 1) // this goroutine alone writes it
}
