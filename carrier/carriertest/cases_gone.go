package carriertest

import (
	"context"
	"errors"
	"fmt"

	"sighub/carrier"
)

const nobody = carrier.ClientID(1 << 60)

// expect checks that Transmit refuses a message for the client.
func (e *end) expect(id carrier.ClientID, want error) error {
	if _, err := e.transmit(context.Background(), id, "echo", "x"); !errors.Is(err, want) {
		return fmt.Errorf("%s: Transmit to client %d gives %v, want %v", e.name, id, err, want)
	}
	return nil
}

// notServed: a carrier that is not served has no clients.
func notServed(s *session) {
	s.both(func(e *end) error {
		return errors.Join(e.expect(1, carrier.ErrNoClient), e.expect(nobody, carrier.ErrNoClient))
	})
}

// unknownClient: a message for a client that never was is refused.
func unknownClient(s *session) {
	s.serve()
	s.both(func(e *end) error {
		return errors.Join(e.expect(0, carrier.ErrNoClient), e.expect(nobody, carrier.ErrNoClient))
	})
}

// goneClient: when a client goes, the messages that wait for its replies end with ErrGone, and so does
// Transmit from then on.
func goneClient(s *session) {
	held := map[*end]<-chan pending{s.hub: s.hub.hold(), s.peer: s.peer.hold()}
	s.serve()
	type waiting struct {
		id carrier.ClientID
		m  *sent
	}
	waits := make(map[*end]waiting)
	for _, e := range []*end{s.hub, s.peer} {
		id := e.to()
		m, err := e.transmit(context.Background(), id, "echo", "x")
		s.must(err)
		_, err = s.take(held[e.other()])
		s.must(err)
		waits[e] = waiting{id, m}
	}
	s.pair.Cut()
	s.both(func(e *end) error {
		w := waits[e]
		if _, err := w.m.wait(s.ctx); !errors.Is(err, carrier.ErrGone) {
			return fmt.Errorf("%s: done got %v for a client that has gone, not ErrGone", e.name, err)
		}
		cause, err := e.Gone(s.ctx, w.id)
		if err != nil {
			return err
		}
		if why := carrier.Reason(cause); why == "shutdown" || why == "reset" {
			return fmt.Errorf("%s: a client that was cut off was disconnected with cause %v", e.name, cause)
		}
		return e.expect(w.id, carrier.ErrGone)
	})
}

// reconnect: a peer that was cut comes back by itself, as a client with another id.
func reconnect(s *session) {
	s.serve()
	for range 3 {
		atHub, atPeer := s.connected()
		s.works()
		s.pair.Cut()
		_, err := s.hub.Gone(s.ctx, atHub)
		s.must(err)
		_, err = s.peer.Gone(s.ctx, atPeer)
		s.must(err)
		s.restore()
		s.works()
		s.must(s.hub.expect(atHub, carrier.ErrGone))
		s.must(s.peer.expect(atPeer, carrier.ErrGone))
	}
}

// respondAfterGone: a reply for a client that has gone does nothing, not even to the client that came after it.
func respondAfterGone(s *session) {
	held := map[*end]<-chan pending{s.hub: s.hub.hold(), s.peer: s.peer.hold()}
	s.serve()
	var late []pending
	for _, e := range []*end{s.hub, s.peer} {
		_, err := e.transmit(context.Background(), e.to(), "echo", "x")
		s.must(err)
		p, err := s.take(held[e.other()])
		s.must(err)
		late = append(late, p)
	}
	atHub, atPeer := s.connected()
	s.pair.Cut()
	_, err := s.hub.Gone(s.ctx, atHub)
	s.must(err)
	_, err = s.peer.Gone(s.ctx, atPeer)
	s.must(err)
	s.restore()
	s.connected()
	for i, e := range []*end{s.hub, s.peer} {
		m, err := e.transmit(context.Background(), e.to(), "echo", "works") // it may have the number of the one before
		s.must(err)
		p, err := s.take(held[e.other()])
		s.must(err)
		late[i].respond(carrier.Done("late")) // by the end that is about to answer
		p.respond(carrier.Done("works"))
		r, err := m.wait(s.ctx)
		s.must(err)
		s.must(sameText(e.name, r.Response, "works"))
	}
}

// halfMessage: a peer that vanishes in the middle of a message leaves nothing behind, and harms no other.
func halfMessage(s *session) {
	if s.pair.Half == nil {
		s.Log("not applicable: the medium carries whole messages only")
		return
	}
	boxes := s.mailboxes()
	s.serve()
	s.works()
	s.pair.Half()
	s.restore()
	s.works()
	s.must(s.hub.until(s.ctx, func() bool { return s.hub.live() == 1 }))
	s.onlyWorks(boxes[s.peer])
}

// garbage: bytes that are not a message are refused, and other peers do not notice.
func garbage(s *session) {
	if s.pair.Garbage == nil {
		s.Log("not applicable: the medium carries whole messages only")
		return
	}
	boxes := s.mailboxes()
	s.serve()
	s.works()
	s.pair.Garbage()
	s.works()
	s.must(s.hub.until(s.ctx, func() bool { return s.hub.live() == 1 }))
	s.onlyWorks(boxes[s.peer])
}

// onlyWorks checks that no message arrived but those of session.works.
func (s *session) onlyWorks(b *mailbox) {
	s.Helper()
	texts, err := b.texts()
	s.must(err)
	for _, text := range texts {
		if text != "works" {
			s.Errorf("arrived: %q", text)
		}
	}
}

// disconnect: a carrier that can end a client's connection passes the cause on to its handler.
func disconnect(s *session) {
	d, ok := s.pair.Hub.(carrier.Disconnecter)
	if !ok {
		s.Log("not applicable: the hub cannot disconnect a client")
		return
	}
	d.Disconnect(nobody, carrier.ErrLimit)
	s.serve()
	atHub, atPeer := s.connected()
	d.Disconnect(nobody, carrier.ErrLimit)
	s.works()
	d.Disconnect(atHub, carrier.ErrLimit)
	cause, err := s.hub.Gone(s.ctx, atHub)
	s.must(err)
	if !errors.Is(cause, carrier.ErrLimit) {
		s.Errorf("ClientDisconnected was given the cause %v, not ErrLimit", cause)
	}
	_, err = s.peer.Gone(s.ctx, atPeer)
	s.must(err)
	d.Disconnect(atHub, carrier.ErrLimit)
	s.works()
}
