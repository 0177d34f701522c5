package main

import (
	"context"
	"errors"
	"time"

	"sighub/hub"
)

// replay measures how fast one listener hears what a hub has kept, from the beginning, and how that compares with the time in which it
// came. Both are for the same events.
func replay(ctx context.Context, e *env, p peer) ([]figure, error) {
	h, ok := p.(*hubPeer)
	if !ok {
		return nil, errors.New("only a hub with a journal replays")
	}
	h.journalSize = "2GiB"
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
			start := c.clock.now()
			l, err := h.listen(ctx, 0, hub.ListenerOptions{From: "start"}, t.hear)
			if err != nil {
				return nil, err
			}
			for end := c.clock.now(); t.fresh.Load() < b.heard; {
				if before := t.fresh.Load(); pause(ctx, 200*time.Microsecond) != nil || c.clock.now()-end > patience {
					l.close()
					return nil, errors.Join(ctx.Err(), errors.New("the replay stands still"))
				} else if t.fresh.Load() > before {
					end = c.clock.now()
				}
			}
			took := c.clock.now() - start
			l.close()
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
		rate := median(rates)
		return []figure{{"events/s", rate}, {"as fast as they came, times", rate / b.perSecond()}}, nil
	})
}
