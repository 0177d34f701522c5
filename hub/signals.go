package hub

import (
	"context"
	"errors"
	"sync/atomic"
	"time"

	"sighub/carrier"
	"sighub/internal/lockrank"
)

// signals are the streams of signals of a client. Those that arrive are handled where they are read, which is fastest,
// unless something is in the way: a message before them, callbacks, or slow listeners. Then they wait for a goroutine of
// their own, as many of them as the client may have unanswered.
type signals struct {
	fanout       fanout // of whoever handles signals: one goroutine at a time
	afterWaiting runner
	unanswered   bool // one was left unanswered, so no other can be: like fanout

	all  *atomic.Int64 // bytes of signals in afterWaiting, and what they cost, of all clients
	most int           // of these

	mu     lockrank.Mutex[lockrank.Leaf]
	queued int // this client's
	room   waiters
}

// queuedBytes bounds the signals of a client that wait to be handled, in bytes, and scarceQueued those of each when all of
// them together are more than a quarter of OutboxOptions.Memory. When there are more, the client is not read any further.
// Who waits for it meanwhile, as a callback may that asks it, is helped by the request's timeout.
const (
	queuedBytes  = 16 << 20
	scarceQueued = 64 << 10
)

// handleSignals takes signals of the client's stream as they were read: their data is the carrier's again when it returns.
func (c *client) handleSignals(list []carrier.Signal, answers carrier.Answers) {
	if c.server.callbacks.Load() == 0 && c.work.idle() && c.signals.afterWaiting.idle() {
		list = list[c.triggerStream(list, answers, whileReading):]
		c.parkWaiting(answers)
	}
	if len(list) > 0 {
		c.queueSignals(carrier.CloneSignals(nil, list), answers)
	}
}

// handleSignal takes the one signal of a message, on the goroutine that handles the client's messages. It is handled at
// once, unless one before it waits for slow listeners.
func (c *client) handleSignal(s carrier.Signal, at time.Time, answers messageAnswer) {
	list := []carrier.Signal{s}
	if !c.signals.afterWaiting.idle() {
		c.signals.afterWaiting.do(func() { c.trigger(list, at, answers, mayWait) })
		return
	}
	c.trigger(list, at, answers, inTurn)
	c.parkWaiting(answers)
}

// parkWaiting has the wait for slow listeners, if there is one, done on a goroutine of its own. Signals that come
// meanwhile queue behind it.
func (c *client) parkWaiting(answers carrier.Answers) {
	if c.signals.fanout.mustWait() {
		c.signals.afterWaiting.do(func() { c.waitForListeners(answers) })
	}
}

// queueSignals handles signals later, in order, after the messages that came before them.
func (c *client) queueSignals(list []carrier.Signal, answers carrier.Answers) {
	size := 0
	for i := range list {
		size += entryCost + list[i].Data.Size()
	}
	c.signals.waitForRoom(c.ctx, size)
	c.work.do(func() {
		c.signals.afterWaiting.do(func() {
			c.triggerStream(list, answers, mayWait)
			c.signals.leave(size)
		})
	})
}

// waitForRoom waits until there is room for so many bytes, unless ctx is done.
func (s *signals) waitForRoom(ctx context.Context, size int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for s.full() && ctx.Err() == nil {
		room := s.room.wait()
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
	s.room.wake()
}

// A manner says where signals are triggered, and so what they may hold up.
type manner int

const (
	// whileReading: on the goroutine that reads them, with borrowed data; what would hold that up is left.
	whileReading manner = iota
	// inTurn: on the goroutine that handles the client's messages, so that a callback may hold up those, but no listener.
	inTurn
	// mayWait: on a goroutine of their own, which waits for slow listeners.
	mayWait
)

// triggerStream triggers events of the client's stream. Answers go by their order: once one is left unanswered, the
// stream is.
func (c *client) triggerStream(list []carrier.Signal, answers carrier.Answers, how manner) (handled int) {
	if c.signals.unanswered {
		return len(list)
	}
	handled, c.signals.unanswered = c.trigger(list, time.Time{}, answers, how)
	return handled
}

// trigger triggers events and answers them, those for which listeners have no room when they have: that slows this
// client down, and nobody else. at is the time of signals that do not tell theirs; the zero time is now.
//
// It returns how many it has handled, which are all unless it must not wait: the last of those is not answered if
// listeners are over their limit. unanswered is true if the hub shuts down and so does not answer the rest.
func (c *client) trigger(list []carrier.Signal, at time.Time, answers carrier.Answers, how manner) (handled int, unanswered bool) {
	f := &c.signals.fanout
	done := 0
	if at.IsZero() {
		at = c.server.now() // of those that came together
	}
	for i := range list {
		if how == whileReading && c.server.callbacks.Load() > 0 { // one was added meanwhile
			f.flush(true)
			answers.Done(done)
			return i, false
		}
		err := c.triggerOne(&list[i], at, how == whileReading)
		switch {
		case err == nil:
			done++
		case errors.Is(err, ErrNotConnected) && c.server.shuttingDown():
			// A refusal would let a device drop the reading, which the next hub could take.
			f.flush(true)
			answers.Done(done)
			return len(list), true
		default:
			answers.Done(done)
			answers.Fail(carrier.Failed(err))
			done = 0
		}
		if !f.mustWait() {
			if how != whileReading { // callbacks take their time
				answers.Done(done)
				done = 0
			}
			continue
		}
		f.flush(true)
		answers.Done(done - 1)
		done = 0
		if how != mayWait {
			return i + 1, false
		}
		c.waitForListeners(answers)
		at = c.server.now()
	}
	f.flush(true)
	answers.Done(done)
	return len(list), false
}

// waitForListeners waits until those have room that had none for an event, and answers that.
func (c *client) waitForListeners(answers carrier.Answers) {
	f := &c.signals.fanout
	waitForRoom(c.ctx, f.slow)
	f.forget()
	answers.Done(1)
}

// triggerOne triggers the event of a signal, now unless it says when it happened. borrowed: the data is the carrier's,
// so that who keeps it needs a copy.
func (c *client) triggerOne(s *carrier.Signal, now time.Time, borrowed bool) error {
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
			signal: g, borrowed: borrowed, fanout: &c.signals.fanout,
		}
		err := g.sender.topic.trigger(c.ctx, &d)
		if !known || !errors.Is(err, ErrNotConnected) {
			return err
		}
		known = false // it was removed, and may have been added again since
	}
}

func (c *client) find(r *carrier.Route) (*Signal, error) {
	s, err := c.own(r.Sender)
	if err != nil {
		return nil, err
	}
	return s.Signal(r.Event)
}
