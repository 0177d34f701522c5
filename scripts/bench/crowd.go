package main

import (
	"context"
	"fmt"
	"time"

	"sighub/scripts/bench/message"
	"sighub/scripts/bench/peers"
)

// A crowd has the senders and listeners of one peer, each with its own connection. Every listener hears every sender. The two sides
// are processes of their own, except in tests.
type crowd struct {
	peer               peers.Peer
	clock              *message.Clock
	board              *board
	send               sending
	listen             listening
	sent               uint64       // messages, by all senders together
	senders, listeners *sideProcess // nil in tests
	closing            func()
}

// sending is the side of a crowd that sends. Both functions return how many messages all senders together have sent since they
// were connected.
type sending interface {
	// pour lets every sender send as fast as it can until then.
	pour(ctx context.Context, until time.Duration) (uint64, error)
	// drip lets every sender send n messages, one each period.
	drip(ctx context.Context, start time.Duration, n int, period time.Duration) (uint64, error)
}

// listening is the side of a crowd that listens.
type listening interface {
	// recordLatencies makes the first listener note the latencies of the next n messages.
	recordLatencies(n int) error
	// latencies returns what was noted.
	latencies() ([]time.Duration, error)
}

func (c *crowd) close() { c.closing() }

// A burst is the result of sending for a while.
type burst struct {
	took  time.Duration // from the first message sent to the last one heard
	heard uint64        // messages, by all listeners together
	lost  uint64
}

func (b burst) perSecond() float64 { return float64(b.heard) / b.took.Seconds() }

// burst lets every sender send as fast as it can for a while, and waits until everything is heard.
func (c *crowd) burst(ctx context.Context, span time.Duration) (burst, error) {
	return c.measure(ctx, func(start time.Duration) (uint64, error) { return c.send.pour(ctx, start+span) })
}

// paced lets every sender send n messages, one each period.
func (c *crowd) paced(ctx context.Context, n int, period time.Duration) (burst, error) {
	return c.measure(ctx, func(start time.Duration) (uint64, error) { return c.send.drip(ctx, start, n, period) })
}

func (c *crowd) measure(ctx context.Context, send func(start time.Duration) (uint64, error)) (burst, error) {
	before, start := c.board.heard(), c.clock.Now()
	sent, err := send(start)
	if err != nil {
		return burst{}, fmt.Errorf("a sender failed: %w", err)
	}
	c.sent = sent
	end, lost, err := c.settle(ctx)
	return burst{took: end - start, heard: c.board.heard() - before, lost: lost}, err
}

// settle waits until everything that was sent is heard, or no more messages come. It returns when the last message was heard, and how
// many were not heard; if the peer guarantees delivery, that is an error.
func (c *crowd) settle(ctx context.Context) (end time.Duration, lost uint64, err error) {
	wait := 2 * time.Second
	if c.peer.Acknowledged() {
		wait = 10 * time.Second
	}
	heard, end := c.board.heard(), c.clock.Now()
	for c.board.slowest() < c.sent && c.clock.Now()-end < wait && ctx.Err() == nil {
		time.Sleep(200 * time.Microsecond)
		if n := c.board.heard(); n != heard {
			heard, end = n, c.clock.Now()
		}
	}
	var repeated, garbled uint64
	for i := range c.board.counts {
		t := &c.board.counts[i]
		missing := c.sent - t.fresh.Load()
		lost += missing - t.lost.Load()
		t.lost.Store(missing)
		repeated += t.repeated.Load()
		garbled += t.garbled.Load()
	}
	switch {
	case ctx.Err() != nil:
		return end, lost, context.Cause(ctx)
	case repeated > 0 || garbled > 0:
		return end, lost, fmt.Errorf("%d messages came twice or out of order, %d were not what was sent", repeated, garbled)
	case lost > 0 && c.peer.Acknowledged():
		return end, lost, fmt.Errorf("%d messages of %d are missing", lost, c.sent*uint64(len(c.board.counts)))
	}
	return end, lost, nil
}
