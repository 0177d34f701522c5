package main

import (
	"context"
	"fmt"
	"time"

	"sighub/hub"
	"sighub/scripts/bench/peers"
)

const (
	// slowOthers is how many listeners there are beside the one that stops reading.
	slowOthers = 100
	// slowAhead is how far the sender may be ahead of them. The policy applies to all listeners: if it drops events of late ones,
	// the others must not be late, because they must miss nothing.
	slowAhead = 512
)

// slowListener measures, for each policy, how one listener that stops reading for good affects the others and the hub, and checks the
// count of what it missed.
func slowListener(ctx context.Context, e *env, _ peers.Peer) ([]figure, error) {
	var figures []figure
	for _, policy := range hub.Policies() {
		f, err := slowWith(ctx, e, policy)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", policy, err)
		}
		for _, one := range f {
			figures = append(figures, figure{string(policy) + ": " + one.Name, one.Value})
		}
	}
	return figures, nil
}

// slowOnset is enough events to fill the outbox of a listener that reads nothing several times.
const slowOnset = 4096

func slowWith(ctx context.Context, e *env, policy hub.Policy) ([]figure, error) {
	p := &peers.Sighub{Policy: policy}
	return withCrowd(ctx, e, p, fan{1, slowOthers, slowAhead}, func(c *crowd) ([]figure, error) {
		if _, err := c.burst(ctx, e.warm); err != nil {
			return nil, err
		}
		without, err := c.burst(ctx, e.span)
		if err != nil {
			return nil, fmt.Errorf("without it: %w", err)
		}
		slow, err := newDeafListener(p.Addr(), peers.SenderName(0), peers.Event)
		if err != nil {
			return nil, err
		}
		defer slow.close()
		before := c.sent
		held, err := c.longestSilence(func() error {
			_, err := c.paced(ctx, slowOnset, 0)
			return err
		})
		if err != nil {
			return nil, fmt.Errorf("when it begins: %w", err)
		}
		with, err := c.burst(ctx, e.span)
		if err != nil {
			return nil, fmt.Errorf("with it: %w", err)
		}
		if err := c.agree(ctx, slow, policy, c.sent-before); err != nil {
			return nil, err
		}
		_, peak, err := p.Resident()
		if err != nil {
			return nil, err
		}
		slow.close()
		after, err := c.burst(ctx, e.span)
		if err != nil {
			return nil, fmt.Errorf("when it has gone: %w", err)
		}
		usual := (without.perSecond() + after.perSecond()) / 2
		return []figure{
			{"others' events/s", with.perSecond()},
			{"with ÷ without it", with.perSecond() / usual},
			{"others' longest silence, s", held.Seconds()},
			{"hub's peak, MB", peak / (1 << 20)},
			{"events it missed", float64(slow.missed)},
		}, nil
	})
}

// longestSilence returns the longest time in which no listener heard anything while during ran.
func (c *crowd) longestSilence(during func() error) (time.Duration, error) {
	done := make(chan error, 1)
	go func() { done <- during() }()
	var longest time.Duration
	heard, since := c.board.heard(), c.clock.Now()
	for tick := time.NewTicker(time.Millisecond); ; {
		select {
		case err := <-done:
			tick.Stop()
			return longest, err
		case <-tick.C:
		}
		now := c.clock.Now()
		longest = max(longest, now-since)
		if n := c.board.heard(); n != heard {
			heard, since = n, now
		}
	}
}

// agree lets the listener read on. What it hears and what it missed, by the #gaps, must add up to what was sent to it. With
// the policy disconnect, it must have been disconnected instead.
func (c *crowd) agree(ctx context.Context, slow *deafListener, policy hub.Policy, sent uint64) error {
	cut := policy == hub.Hangup
	hungUp, err := slow.catchUp(ctx, sent, cut)
	switch {
	case err != nil:
		return err
	case hungUp != cut:
		return fmt.Errorf("the listener was disconnected: %t, after %d events and %d that it missed, of %d", hungUp, slow.heard, slow.missed, sent)
	case cut:
		slow.missed = sent - slow.heard
		return nil
	case slow.heard+slow.missed != sent:
		return fmt.Errorf("the listener heard %d events and was told that it missed %d, of %d", slow.heard, slow.missed, sent)
	case slow.missed == 0:
		return fmt.Errorf("the listener missed nothing of %d events: it was not slow", sent)
	}
	return nil
}
