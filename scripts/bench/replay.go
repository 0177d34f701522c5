package main

import (
	"context"
	"errors"
	"time"

	"sighub/hub"
	"sighub/scripts/bench/peers"
	"sighub/scripts/bench/results"
)

// replay measures how fast one listener hears what a hub has kept, from the beginning, and how that compares with the time in which it
// came. Both are for the same events.
func replay(ctx context.Context, e *env, p peers.Peer) ([]figure, error) {
	h, ok := p.(*peers.Sighub)
	if !ok {
		return nil, errors.New("only a hub with a journal replays")
	}
	h.JournalSize = "2GiB"
	return withCrowd(ctx, e, e.profiled(p), fan{senders: 1, listeners: 1}, func(c *crowd) ([]figure, error) {
		b, err := c.burst(ctx, e.span)
		if err != nil {
			return nil, err
		}
		var rates []float64
		for i := range 4 {
			t := newTally(c.clock, 1, new(count))
			done := func() error { return nil }
			if i == 1 {
				done = e.startProfile(e.span)
			}
			start := c.clock.Now()
			l, err := h.Listen(ctx, 0, hub.ListenerOptions{From: "start"}, t.hear)
			if err != nil {
				return nil, err
			}
			for end := c.clock.Now(); t.fresh.Load() < b.heard; {
				if before := t.fresh.Load(); pause(ctx, 200*time.Microsecond) != nil || c.clock.Now()-end > peers.Patience {
					l.Close()
					return nil, errors.Join(ctx.Err(), errors.New("the replay stands still"))
				} else if t.fresh.Load() > before {
					end = c.clock.Now()
				}
			}
			took := c.clock.Now() - start
			l.Close()
			if err := done(); err != nil {
				return nil, err
			}
			if n := t.repeated.Load() + t.garbled.Load(); n > 0 || t.fresh.Load() != b.heard {
				return nil, errors.New("what is replayed is not what was sent")
			}
			if i > 0 { // the first one finds nothing in memory
				rates = append(rates, float64(b.heard)/took.Seconds())
			}
		}
		rate := results.Median(rates)
		return []figure{{"events/s", rate}, {"as fast as they came, times", rate / b.perSecond()}}, nil
	})
}
