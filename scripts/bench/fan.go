package main

import (
	"context"
	"time"
)

// fan is a case with this many senders and listeners. Every listener hears every sender. With many deliveries per message, or many
// senders, a limit keeps the senders from being too far ahead: enough to keep everyone busy, but not so much that the case measures the
// length of queues.
type fan struct{ senders, listeners, ahead int }

func (f fan) run(ctx context.Context, e *env, p peer) ([]figure, error) {
	return withCrowd(ctx, e, e.profiled(p), f, func(c *crowd) ([]figure, error) {
		if _, err := c.burst(ctx, e.warm); err != nil {
			return nil, err
		}
		done := e.startProfile(e.span)
		b, busy, err := busyBurst(ctx, c, e.span)
		if err != nil {
			return nil, err
		}
		figures := []figure{{"events/s", b.perSecond()}, {"peer's CPU, µs/event", micros(busy) / float64(b.heard)}}
		if !p.acknowledged() {
			figures = append(figures, figure{"lost, %", 100 * float64(b.lost) / float64(b.lost+b.heard)})
		}
		return figures, done()
	})
}

// busyBurst is a burst, and how much processor time the peer used for it.
func busyBurst(ctx context.Context, c *crowd, span time.Duration) (burst, time.Duration, error) {
	before, err := c.peer.running().cpu()
	if err != nil {
		return burst{}, 0, err
	}
	b, err := c.burst(ctx, span)
	if err != nil {
		return b, 0, err
	}
	after, err := c.peer.running().cpu()
	return b, after - before, err
}

// latencyRate is the number of events per second.
const latencyRate = 1000

// latency measures the time from just before an event is sent until its listener has it, with one clock.
func latency(ctx context.Context, e *env, p peer) ([]figure, error) {
	return withCrowd(ctx, e, p, fan{senders: 1, listeners: 1}, func(c *crowd) ([]figure, error) {
		if _, err := c.paced(ctx, latencyRate/4, time.Second/latencyRate); err != nil {
			return nil, err
		}
		n := int(2 * e.span.Seconds() * latencyRate)
		c.tallies[0].recordLatencies(n)
		_, err := c.paced(ctx, n, time.Second/latencyRate)
		return percentiles(c.tallies[0].latencies), err
	})
}

func percentiles(v []time.Duration) []figure {
	return []figure{
		{"p50, µs", micros(percentile(v, 0.5))},
		{"p99, µs", micros(percentile(v, 0.99))},
		{"p99.9, µs", micros(percentile(v, 0.999))},
	}
}
