package main

import (
	"context"
	"time"

	"sighub/scripts/bench/peers"
)

// fan is a case with this many senders and listeners. Every listener hears every sender. With many deliveries per message, or many
// senders, a limit keeps the senders from being too far ahead: enough to keep peers.Everyone busy, but not so much that the case measures the
// length of queues.
type fan struct{ senders, listeners, ahead int }

func (f fan) run(ctx context.Context, e *env, p peers.Peer) ([]figure, error) {
	return withCrowd(ctx, e, e.profiled(p), f, func(c *crowd) ([]figure, error) {
		if _, err := c.burst(ctx, e.warm); err != nil {
			return nil, err
		}
		done := e.startProfile(e.span)
		var b burst
		costs, err := c.costs(e, func(span time.Duration) (float64, error) {
			now, err := c.burst(ctx, span)
			if b.heard == 0 { // the others are for the counts
				b = now
			}
			return float64(now.heard), err
		})
		if err != nil {
			return nil, err
		}
		figures := append([]figure{{"events/s", b.perSecond()}}, costs...)
		if !p.Acknowledged() {
			figures = append(figures, figure{"lost, %", 100 * float64(b.lost) / float64(b.lost+b.heard)})
		}
		return figures, done()
	})
}

// latencyRate is the number of events per second.
const latencyRate = 1000

// latencySpans is how many times longer than usual latency is measured: the slowest in a thousand are few.
const latencySpans = 5

// latency measures the time from just before an event is sent until its listener has it, with one clock.
func latency(ctx context.Context, e *env, p peers.Peer) ([]figure, error) {
	return withCrowd(ctx, e, e.profiled(p), fan{senders: 1, listeners: 1}, func(c *crowd) ([]figure, error) {
		if _, err := c.paced(ctx, latencyRate/4, time.Second/latencyRate); err != nil {
			return nil, err
		}
		events := func(span time.Duration) int { return int(latencySpans * span.Seconds() * latencyRate) }
		if err := c.listen.recordLatencies(events(e.span)); err != nil {
			return nil, err
		}
		done := e.startProfile(latencySpans * e.span)
		costs, err := c.costs(e, func(span time.Duration) (float64, error) {
			b, err := c.paced(ctx, events(span), time.Second/latencyRate)
			return float64(b.heard), err
		})
		if err != nil {
			return nil, err
		}
		took, err := c.listen.latencies()
		if err != nil {
			return nil, err
		}
		return append(percentiles(took), costs...), done()
	})
}

func percentiles(v []time.Duration) []figure {
	return []figure{
		{"p50, µs", micros(percentile(v, 0.5))},
		{"p99, µs", micros(percentile(v, 0.99))},
		{"p99.9, µs", micros(percentile(v, 0.999))},
	}
}
