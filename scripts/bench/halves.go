package main

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"time"

	"sighub/scripts/bench/message"
	"sighub/scripts/bench/peers"
)

// senders are the side of a crowd that sends.
type senders struct {
	clock *message.Clock
	board *board
	pubs  []peers.Publisher
	sent  []uint32      // by sender: how many messages
	ahead uint64        // how many messages all together may be ahead of the slowest listener; 0: any
	total atomic.Uint64 // sent, counted in steps of paceStep
}

// paceStep is the number of messages after which a sender checks how far it is ahead.
const paceStep = 16

// openSenders connects so many senders. The smaller of ahead and the peer's limit counts.
func openSenders(ctx context.Context, p peers.Peer, c *message.Clock, b *board, n, ahead int) (*senders, error) {
	if ahead == 0 || p.Ahead() > 0 && p.Ahead() < ahead {
		ahead = p.Ahead()
	}
	pubs, err := openAll(n, func(i int) (peers.Publisher, error) { return p.Publisher(ctx, i) })
	return &senders{clock: c, board: b, pubs: pubs, sent: make([]uint32, n), ahead: uint64(ahead)}, err
}

func (s *senders) close() { closeAll(s.pubs) }

func (s *senders) pour(ctx context.Context, until time.Duration) (uint64, error) {
	return s.each(func(i int) error {
		payload := make([]byte, message.Size)
		for {
			now := s.clock.Now()
			if now >= until {
				return s.pubs[i].Drain()
			}
			if err := s.publish(ctx, i, payload, now); err != nil {
				return err
			}
		}
	})
}

func (s *senders) drip(ctx context.Context, start time.Duration, n int, period time.Duration) (uint64, error) {
	return s.each(func(i int) error {
		payload, pub := make([]byte, message.Size), s.pubs[i]
		for k := range n {
			time.Sleep(start + time.Duration(k)*period - s.clock.Now())
			if err := s.publish(ctx, i, payload, s.clock.Now()); err != nil {
				return err
			}
			if err := pub.Flush(); err != nil {
				return err
			}
		}
		return pub.Drain()
	})
}

// each calls send for each sender at once, and returns how many messages all together have sent.
func (s *senders) each(send func(i int) error) (sent uint64, err error) {
	errs := make([]error, len(s.pubs))
	var all sync.WaitGroup
	for i := range s.pubs {
		all.Go(func() { errs[i] = send(i) })
	}
	all.Wait()
	for _, n := range s.sent {
		sent += uint64(n)
	}
	return sent, errors.Join(errs...)
}

// publish sends one message. If the sender must not be too far ahead of the listeners, it waits for them when necessary.
func (s *senders) publish(ctx context.Context, i int, payload []byte, now time.Duration) error {
	message.Write(payload, uint32(i), s.sent[i], now)
	s.sent[i]++
	if err := s.pubs[i].Publish(payload); err != nil || s.sent[i]%paceStep != 0 {
		return err
	}
	for total := s.total.Add(paceStep); s.ahead > 0 && total > s.board.slowest()+s.ahead && ctx.Err() == nil; {
		if err := s.pubs[i].Flush(); err != nil {
			return err
		}
		time.Sleep(100 * time.Microsecond)
	}
	return ctx.Err()
}

// listeners are the side of a crowd that listens.
type listeners struct {
	tallies []*tally
	subs    []peers.Closer
}

// openListeners connects a listener for each count of a board, to so many senders.
func openListeners(ctx context.Context, p peers.Peer, c *message.Clock, b *board, senders int) (*listeners, error) {
	whom := peers.Everyone
	if senders == 1 {
		whom = 0
	}
	l := &listeners{tallies: make([]*tally, len(b.counts))}
	var err error
	l.subs, err = openAll(len(b.counts), func(i int) (peers.Closer, error) {
		l.tallies[i] = newTally(c, senders, &b.counts[i])
		return p.Subscribe(ctx, whom, l.tallies[i].hear)
	})
	return l, err
}

func (l *listeners) close() { closeAll(l.subs) }

func (l *listeners) recordLatencies(n int) error {
	l.tallies[0].recordLatencies(n)
	return nil
}

func (l *listeners) latencies() ([]time.Duration, error) { return l.tallies[0].latencies, nil }

// newCrowd returns a crowd within this process. Senders connect first, as is usual: a listener that waits for its sender is another case.
func newCrowd(ctx context.Context, p peers.Peer, f fan) (*crowd, error) {
	c := &crowd{peer: p, clock: message.NewClock(), board: newBoard(f.listeners)}
	s, err := openSenders(ctx, p, c.clock, c.board, f.senders, f.ahead)
	if err != nil {
		return nil, err
	}
	l, err := openListeners(ctx, p, c.clock, c.board, f.senders)
	if err != nil {
		s.close()
		return nil, err
	}
	c.send, c.listen = s, l
	c.closing = func() {
		s.close()
		l.close()
	}
	return c, nil
}
