package mqtt

import (
	"context"
	"errors"
	"sync"

	"sighub/bridge"
	"sighub/bridge/mqtt/internal/client"
	"sighub/hub"
	"sighub/internal/lockrank"
	"sighub/internal/mqtt/packet"
)

// A stream is how every event is passed on, on one connection.
type stream struct {
	b    *Bridge
	c    *client.Client
	feed *bridge.Feed
	// marks says that the mark is moved.
	marks bool

	sending sync.Mutex // what is sent stays in its order; it is held while a message is written, so it is not a lockrank.Mutex
	sent    hub.Position
	marked  hub.Position // what the latest mark says

	mu      lockrank.Mutex[lockrank.Leaf]
	waiting []sentEvent // in the order in which they were sent
	first   uint64      // the number of the first of these
}

// A sentEvent is an event that was sent.
type sentEvent struct {
	at    hub.Position
	acked bool
}

// run passes events on until ctx is done or the connection ends. The feed is at the first of them.
func (s *stream) run(ctx context.Context) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var marking sync.WaitGroup
	defer marking.Wait()
	if s.marks {
		marking.Go(func() {
			if err := s.mark(ctx); err != nil {
				cancel(err)
			}
		})
	}
	defer cancel(nil)
	batch := make([]bridge.Event, 256)
	for {
		n, err := s.feed.Next(ctx, batch)
		if err != nil {
			return err
		}
		for i := range batch[:n] {
			if err := s.send(ctx, &batch[i], cancel); err != nil {
				return err
			}
		}
		clear(batch[:n])
		if err := s.c.Flush(); err != nil {
			return err
		}
	}
}

// send sends an event. What the broker will never take is passed over.
func (s *stream) send(ctx context.Context, ev *bridge.Event, fail context.CancelCauseFunc) error {
	m, err := s.b.message(ev)
	s.sending.Lock()
	defer s.sending.Unlock()
	number := s.push(ev.Position)
	if err == nil {
		err = s.c.Publish(ctx, m, func(err error) {
			if err == nil {
				s.b.state.Sent(1)
			} else if !s.b.refused(ev.Sender, ev.Name, err) {
				fail(err)
				return
			}
			s.acked(number)
		})
	}
	switch {
	case err == nil:
	case s.c.Err() != nil || ctx.Err() != nil:
		return err
	case s.b.refused(ev.Sender, ev.Name, err):
		s.acked(number)
	default:
		return err
	}
	s.sent = ev.Position
	return nil
}

// push notes that an event is being sent, and returns its number.
func (s *stream) push(at hub.Position) uint64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.waiting = append(s.waiting, sentEvent{at: at})
	return s.first + uint64(len(s.waiting)) - 1
}

// acked notes that the broker has an event. The cursor moves over those that all before it are acknowledged, too.
func (s *stream) acked(number uint64) {
	s.mu.Lock()
	s.waiting[number-s.first].acked = true
	n := 0
	var at hub.Position
	for n < len(s.waiting) && s.waiting[n].acked {
		at = s.waiting[n].at
		n++
	}
	s.waiting, s.first = s.waiting[n:], s.first+uint64(n)
	if len(s.waiting) == 0 {
		s.waiting = nil // else the memory in front is never used again
	}
	s.mu.Unlock()
	if n > 0 {
		s.feed.Acknowledge(0, at)
	}
}

// refused reports whether the broker will never take an event, so that it is passed over. It counts it then, and logs it.
func (b *Bridge) refused(sender, event string, err error) bool {
	r, is := errors.AsType[*client.RefusedError](err)
	switch {
	case is && (r.Code == packet.BadTopic || r.Code == packet.BadPayload || r.Code == packet.TooLarge):
	case is, errors.Is(err, client.ErrClosed), errors.Is(err, client.ErrSilent), errors.Is(err, client.ErrProtocol):
		return false
	}
	b.state.Refused(1)
	b.log.Warn("an event cannot be passed on, and is left out", "bridge", b.o.Name, "sender", sender, "event", event, "error", err)
	return true
}
