package hub

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"time"

	"sighub/carrier"
)

// signals are the streams of signals of a client. Those that arrive are handled where they are read, which is fastest,
// unless something is in the way: a message before them, callbacks, or slow listeners. Then they wait for a goroutine of
// their own, as many of them as the client may have unanswered.
type signals struct {
	sink    carrier.SignalSink // towards the client; nil: its signals are messages
	codec   carrier.Codec
	reached reached // of whoever handles signals: one goroutine at a time
	later   runner
	muted   bool // one was left unanswered, so that no other can be answered: like reached

	all  *atomic.Int64 // bytes of signals in later, and what they cost, of all clients
	most int           // of these

	mu     sync.Mutex
	queued int           // this client's
	room   chan struct{} // closed when there is room again; nil if nobody waits
}

// queuedBytes bounds the signals of a client that wait to be handled, in bytes, and scarceQueued those of each when all of
// them together are more than a quarter of OutboxOptions.Memory. When there are more, the client is not read any further.
// Who waits for it meanwhile, as a callback may that asks it, is helped by the request's timeout.
const (
	queuedBytes  = 16 << 20
	scarceQueued = 64 << 10
)

// handleSignals takes signals as they were read: their data is the carrier's again when it returns.
func (c *remote) handleSignals(list []carrier.Signal, answers carrier.Answers) {
	if c.server.callbacks.Load() == 0 && c.work.idle() && c.signals.later.idle() {
		list = list[c.trigger(list, answers, false):]
		if len(c.signals.reached.over) > 0 {
			c.signals.later.do(func() { c.waitForListeners(answers) })
		}
	}
	if len(list) > 0 {
		c.queueSignals(carrier.CloneSignals(nil, list), answers)
	}
}

// queueSignals handles signals later, in order, after the messages that came before them.
func (c *remote) queueSignals(list []carrier.Signal, answers carrier.Answers) {
	size := 0
	for i := range list {
		size += entryCost + list[i].Data.Size()
	}
	c.signals.waitForRoom(c.ctx, size)
	c.work.do(func() {
		c.signals.later.do(func() {
			c.trigger(list, answers, true)
			c.signals.leave(size)
		})
	})
}

// waitForRoom waits until there is room for so many bytes, unless ctx is done.
func (s *signals) waitForRoom(ctx context.Context, size int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for s.full() && ctx.Err() == nil {
		if s.room == nil {
			s.room = make(chan struct{})
		}
		room := s.room
		s.mu.Unlock()
		select {
		case <-room:
		case <-ctx.Done():
		}
		s.mu.Lock()
	}
	s.queued += size
	s.all.Add(int64(size))
}

func (s *signals) full() bool {
	return s.queued > queuedBytes || s.queued > scarceQueued && s.all.Load() > int64(s.most)
}

func (s *signals) leave(size int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.queued -= size
	s.all.Add(int64(-size))
	if s.room != nil {
		close(s.room)
		s.room = nil
	}
}

// trigger triggers events and answers them, those for which listeners have no room when they have: that slows this
// client down, and nobody else. If it may not wait, it returns when it should, with the number of events that it has
// triggered; the last of these is not answered if listeners are over their limit.
func (c *remote) trigger(list []carrier.Signal, answers carrier.Answers, mayWait bool) int {
	r := &c.signals.reached
	if c.signals.muted {
		return len(list)
	}
	done, now := 0, c.server.now() // of those that came together
	for i := range list {
		if !mayWait && c.server.callbacks.Load() > 0 { // one was added meanwhile
			r.flush(true)
			answers.Done(done)
			return i
		}
		err := c.triggerOne(&list[i], now, !mayWait)
		switch {
		case err == nil:
			done++
		case errors.Is(err, ErrNotConnected) && c.server.shuttingDown():
			// Not answered at all: a refusal would let a device drop the reading, which the next hub could take.
			c.signals.muted = true
			r.flush(true)
			answers.Done(done)
			return len(list)
		default:
			answers.Done(done)
			answers.Fail(carrier.Failed(err))
			done = 0
		}
		if len(r.over) == 0 {
			if mayWait { // callbacks take their time
				answers.Done(done)
				done = 0
			}
			continue
		}
		r.flush(true)
		answers.Done(done - 1)
		if done = 0; !mayWait {
			return i + 1
		}
		c.waitForListeners(answers)
		now = c.server.now()
	}
	r.flush(true)
	answers.Done(done)
	return len(list)
}

// waitForListeners waits until those have room that had none for an event, and answers that.
func (c *remote) waitForListeners(answers carrier.Answers) {
	r := &c.signals.reached
	waitForRoom(c.ctx, r.over)
	r.lose()
	answers.Done(1)
}

// triggerOne triggers the event of a signal, now unless it says when it happened. borrowed: the data is the carrier's,
// so that who keeps it needs a copy.
func (c *remote) triggerOne(s *carrier.Signal, now time.Time, borrowed bool) error {
	at := now
	if s.Time != 0 {
		at = time.Unix(0, s.Time)
	}
	g, known := s.Route.Handle.(*Signal)
	for {
		if !known {
			var err error
			if g, err = c.find(s.Route); err != nil {
				return err
			}
			s.Route.Handle = g
		}
		d := delivery{
			event: Event{
				Sender: g.sender.name, Name: g.event, Time: at, Uncertainty: time.Duration(s.Uncertainty), Data: s.Data,
			},
			signal: g, borrowed: borrowed, reached: &c.signals.reached,
		}
		err := g.sender.topic.trigger(c.ctx, &d)
		if !known || !errors.Is(err, ErrNotConnected) {
			return err
		}
		known = false // it was removed, and may have been added again since
	}
}

func (c *remote) find(r *carrier.Route) (*Signal, error) {
	s, err := c.own(r.Sender)
	if err != nil {
		return nil, err
	}
	return s.Signal(r.Event)
}
