package main

import (
	"context"
	"time"
)

// fan is a case with this many senders and listeners. Every listener hears every sender. With many deliveries per message, or many
// senders, a limit keeps the senders from being too far ahead: enough to keep everyone busy, but not so much that the case measures the
// length of queues.
type fan struct{ senders, listeners, ahead int }

func (f fan) run(ctx context.Context, e *env, name string) ([]figure, error) {
	p, err := newPeer(name)
	if err != nil {
		return nil, err
	}
	var figures []figure
	e.senders = f.senders
	err = withPeer(ctx, e, e.profiled(p), func() error {
		c, err := newCrowd(ctx, p, f.senders, f.listeners, f.ahead)
		if err != nil {
			return err
		}
		defer c.close()
		if _, err := c.burst(ctx, e.warm); err != nil {
			return err
		}
		done := e.startProfile(e.span)
		b, busy, err := busyBurst(ctx, c, e.span)
		if err != nil {
			return err
		}
		figures = []figure{{"events/s", b.perSecond()}, {"peer's CPU, µs/event", micros(busy) / float64(b.heard)}}
		if !p.acknowledged() {
			figures = append(figures, figure{"lost, %", 100 * float64(b.lost) / float64(b.lost+b.heard)})
		}
		return done()
	})
	return figures, err
}

// busyBurst is a burst, and how much processor time the peer used for it.
func busyBurst(ctx context.Context, c *crowd, span time.Duration) (burst, time.Duration, error) {
	before, err := c.peer.process().cpu()
	if err != nil {
		return burst{}, 0, err
	}
	b, err := c.burst(ctx, span)
	if err != nil {
		return b, 0, err
	}
	after, err := c.peer.process().cpu()
	return b, after - before, err
}

// latencyRate is the number of events per second.
const latencyRate = 1000

// latency measures the time from just before an event is sent until its listener has it, with one clock.
func latency(ctx context.Context, e *env, name string) ([]figure, error) {
	p, err := newPeer(name)
	if err != nil {
		return nil, err
	}
	var figures []figure
	err = withPeer(ctx, e, p, func() error {
		c, err := newCrowd(ctx, p, 1, 1, 0)
		if err != nil {
			return err
		}
		defer c.close()
		if _, err := c.paced(ctx, latencyRate/4, time.Second/latencyRate); err != nil {
			return err
		}
		n := int(2 * e.span.Seconds() * latencyRate)
		c.tallies[0].recordLatencies(n)
		if _, err := c.paced(ctx, n, time.Second/latencyRate); err != nil {
			return err
		}
		figures = percentiles(c.tallies[0].latencies)
		return nil
	})
	return figures, err
}

func percentiles(v []time.Duration) []figure {
	return []figure{
		{"p50, µs", micros(percentile(v, 0.5))},
		{"p99, µs", micros(percentile(v, 0.99))},
		{"p99.9, µs", micros(percentile(v, 0.999))},
	}
}
