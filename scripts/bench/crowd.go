package main

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"
)

// A crowd has the senders and listeners of one peer, each with its own connection. Every listener hears every sender.
type crowd struct {
	peer    peer
	clock   *clock
	pubs    []publisher
	sent    []uint32 // by sender: how many messages
	tallies []*tally
	lost    []uint64 // by listener: how many messages count as lost
	subs    []closer
	ahead   uint64        // how many messages the senders together may be ahead of the slowest listener; 0: any
	total   atomic.Uint64 // sent, counted in steps of paceStep
}

// paceStep is the number of messages after which a sender checks how far it is ahead.
const paceStep = 16

// newCrowd connects all senders and listeners. The smaller of ahead and the peer's limit counts.
func newCrowd(ctx context.Context, p peer, senders, listeners, ahead int) (*crowd, error) {
	if ahead == 0 || p.ahead() > 0 && p.ahead() < ahead {
		ahead = p.ahead()
	}
	c := &crowd{
		ahead: uint64(ahead),
		peer:  p, clock: newClock(), sent: make([]uint32, senders),
		tallies: make([]*tally, listeners), lost: make([]uint64, listeners),
	}
	whom := everyone
	if senders == 1 {
		whom = 0
	}
	// Senders come first, as is usual. A listener that waits for its sender is another case.
	var err error
	c.pubs, err = openAll(senders, func(i int) (publisher, error) { return p.publisher(ctx, i) })
	if err == nil {
		c.subs, err = openAll(listeners, func(i int) (closer, error) {
			c.tallies[i] = newTally(c.clock, senders)
			return p.subscribe(ctx, whom, c.tallies[i].hear)
		})
	}
	if err != nil {
		c.close()
		return nil, err
	}
	return c, nil
}

// inParallel calls f for 0 to n-1, some at a time, until one fails.
func inParallel(n int, f func(i int) error) error {
	const workers = 16
	var next atomic.Int64
	var failed atomic.Pointer[error]
	var all sync.WaitGroup
	for range min(n, workers) {
		all.Go(func() {
			for i := int(next.Add(1)) - 1; i < n && failed.Load() == nil; i = int(next.Add(1)) - 1 {
				if err := f(i); err != nil {
					failed.CompareAndSwap(nil, &err)
				}
			}
		})
	}
	all.Wait()
	if err := failed.Load(); err != nil {
		return *err
	}
	return nil
}

func (c *crowd) close() {
	closeAll(c.pubs)
	closeAll(c.subs)
}

// openAll opens n clients, some at a time. If one fails, it closes the others.
func openAll[C closer](n int, open func(i int) (C, error)) ([]C, error) {
	clients := make([]C, n)
	err := inParallel(n, func(i int) error {
		c, err := open(i)
		if err == nil {
			clients[i] = c
		}
		return err
	})
	if err != nil {
		closeAll(clients)
		return nil, err
	}
	return clients, nil
}

// closeAll closes clients, except those that are nil.
func closeAll[C closer](clients []C) {
	_ = inParallel(len(clients), func(i int) error { // it does not fail
		if any(clients[i]) != nil {
			clients[i].close()
		}
		return nil
	})
}

// A burst is the result of sending for a while.
type burst struct {
	took  time.Duration // from the first message sent to the last one heard
	heard uint64        // messages, by all listeners together
	lost  uint64
}

func (b burst) perSecond() float64 { return float64(b.heard) / b.took.Seconds() }

// burst lets every sender send as fast as it can for a while, and waits until everything is heard.
func (c *crowd) burst(ctx context.Context, span time.Duration) (burst, error) {
	return c.measure(ctx, func(i int, start time.Duration) error { return c.pour(ctx, i, start+span) })
}

// paced lets every sender send n messages, one each period.
func (c *crowd) paced(ctx context.Context, n int, period time.Duration) (burst, error) {
	return c.measure(ctx, func(i int, start time.Duration) error { return c.drip(ctx, i, start, n, period) })
}

func (c *crowd) measure(ctx context.Context, send func(i int, start time.Duration) error) (burst, error) {
	before, start := c.heard(), c.clock.now()
	errs := make([]error, len(c.pubs))
	var all sync.WaitGroup
	for i := range c.pubs {
		all.Go(func() { errs[i] = send(i, start) })
	}
	all.Wait()
	if err := errors.Join(errs...); err != nil {
		return burst{}, fmt.Errorf("a sender failed: %w", err)
	}
	end, lost, err := c.settle(ctx)
	return burst{took: end - start, heard: c.heard() - before, lost: lost}, err
}

// pour sends as fast as it can.
func (c *crowd) pour(ctx context.Context, i int, until time.Duration) error {
	payload := make([]byte, payloadSize)
	for {
		now := c.clock.now()
		if now >= until {
			return c.pubs[i].drain()
		}
		if err := c.send(ctx, i, payload, now); err != nil {
			return err
		}
	}
}

// drip sends in time.
func (c *crowd) drip(ctx context.Context, i int, start time.Duration, n int, period time.Duration) error {
	payload, pub := make([]byte, payloadSize), c.pubs[i]
	for k := range n {
		time.Sleep(start + time.Duration(k)*period - c.clock.now())
		if err := c.send(ctx, i, payload, c.clock.now()); err != nil {
			return err
		}
		if err := pub.flush(); err != nil {
			return err
		}
	}
	return pub.drain()
}

// send sends one message. If the sender must not be too far ahead of the listeners, it waits for them when necessary.
func (c *crowd) send(ctx context.Context, i int, payload []byte, now time.Duration) error {
	writePayload(payload, uint32(i), c.sent[i], now)
	c.sent[i]++
	if err := c.pubs[i].publish(payload); err != nil || c.sent[i]%paceStep != 0 {
		return err
	}
	for total := c.total.Add(paceStep); c.ahead > 0 && total > c.slowest()+c.ahead && ctx.Err() == nil; {
		if err := c.pubs[i].flush(); err != nil {
			return err
		}
		time.Sleep(100 * time.Microsecond)
	}
	return ctx.Err()
}

func (c *crowd) heard() (n uint64) {
	for _, t := range c.tallies {
		n += t.fresh.Load()
	}
	return n
}

func (c *crowd) slowest() uint64 {
	least := ^uint64(0)
	for i, t := range c.tallies {
		least = min(least, t.fresh.Load()+c.lost[i])
	}
	return least
}

// settle waits until everything that was sent is heard, or no more messages come. It returns when the last message was heard, and how
// many were not heard; if the peer guarantees delivery, that is an error.
func (c *crowd) settle(ctx context.Context) (end time.Duration, lost uint64, err error) {
	wait := 2 * time.Second
	if c.peer.acknowledged() {
		wait = 10 * time.Second
	}
	var sent uint64
	for _, n := range c.sent {
		sent += uint64(n)
	}
	heard, end := c.heard(), c.clock.now()
	for c.slowest() < sent && c.clock.now()-end < wait && ctx.Err() == nil {
		time.Sleep(200 * time.Microsecond)
		if n := c.heard(); n != heard {
			heard, end = n, c.clock.now()
		}
	}
	var repeated, garbled uint64
	for i, t := range c.tallies {
		missing := sent - t.fresh.Load()
		lost += missing - c.lost[i]
		c.lost[i] = missing
		repeated += t.repeated.Load()
		garbled += t.garbled.Load()
	}
	switch {
	case ctx.Err() != nil:
		return end, lost, context.Cause(ctx)
	case repeated > 0 || garbled > 0:
		return end, lost, fmt.Errorf("%d messages came twice or out of order, %d were not what was sent", repeated, garbled)
	case lost > 0 && c.peer.acknowledged():
		return end, lost, fmt.Errorf("%d messages of %d are missing", lost, sent*uint64(len(c.tallies)))
	}
	return end, lost, nil
}
