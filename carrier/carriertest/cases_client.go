package carriertest

import (
	"context"
	"errors"
	"fmt"
	"time"

	"sighub/carrier"
)

// soon is more than enough for a call that does not wait for anything.
const soon = 15 * time.Second

// within runs f, and returns an error if f does not return soon. It then leaves f running.
func (s *session) within(what string, f func() error) error {
	ended := make(chan error, 1)
	go func() { ended <- f() }()
	select {
	case err := <-ended:
		return err
	case <-time.After(min(soon, s.limit/2)):
		return fmt.Errorf("%s does not return", what)
	}
}

// client: what a Client says is true, and the same for each of its connections.
func client(s *session) {
	s.serve()
	var last carrier.ClientID
	for range 2 {
		p, err := s.hub.Client(s.ctx)
		s.must(err)
		h, err := s.peer.Client(s.ctx)
		s.must(err)
		if p.Name != s.pair.Name || p.UID != s.pair.UID {
			s.Errorf("the hub knows the peer by the name %q and the UID %q, not %q and %q", p.Name, p.UID, s.pair.Name, s.pair.UID)
		}
		for name, c := range map[string]carrier.Client{"hub": p, "peer": h} {
			if c.Hello == s.pair.Legacy {
				s.Errorf("%s: Client.Hello is %v", name, c.Hello)
			}
			if c.Window < 0 {
				s.Errorf("%s: Client.Window is %d", name, c.Window)
			}
		}
		if p.ID == last {
			s.Errorf("the hub's client has the ID %d once more", last)
		}
		last = p.ID
		s.pair.Cut()
		_, err = s.hub.Gone(s.ctx, p.ID)
		s.must(err)
		_, err = s.peer.Gone(s.ctx, h.ID)
		s.must(err)
		s.restore()
	}
	if s.pair.Dial == nil {
		return
	}
	second := s.newEnd("second peer", s.pair.Dial()) // the Recorder sees to it that its UID is another one
	second.serve()
	s.must(s.hub.until(s.ctx, func() bool { return s.hub.live() == 2 }))
	second.close()
}

// transmitInHandler: a handler may transmit to any client in each of its calls, even to the client of that call, from its first one on.
func transmitInHandler(s *session) {
	told := make(chan struct{}, 2)
	for _, e := range []*end{s.hub, s.peer} {
		transmit := func(when string, to carrier.ClientID, want error) {
			if err := s.within("Transmit in "+when, func() error {
				_, err := e.transmit(context.Background(), to, "echo", when)
				return err
			}); !errors.Is(err, want) {
				s.Errorf("%s: in %s: %v, not %v", e.name, when, err, want)
			}
		}
		e.Connected = func(c carrier.Client) {
			transmit("ClientConnected", c.ID, nil)
			transmit("ClientConnected", nobody, carrier.ErrNoClient)
			told <- struct{}{}
		}
		e.Disconnected = func(carrier.ClientID) { transmit("ClientDisconnected", nobody, carrier.ErrNoClient) }
		e.Handle = func(id carrier.ClientID, m *carrier.Message, respond func(carrier.Reply)) {
			if m.Method == "back" {
				transmit("HandleMessage", id, nil)
			}
			respond(carrier.Done(m.Params))
		}
	}
	s.serve()
	for range 2 { // a window of one has no room for what follows
		select {
		case <-told:
		case <-s.ctx.Done():
			s.must(s.ctx.Err())
		}
	}
	for _, e := range []*end{s.hub, s.peer} { // one after the other, for the same reason
		_, err := e.call(e.to(), "back", nil)
		s.must(err)
	}
	s.works() // what was transmitted in handlers is answered by now
}

// window: a client takes as many unanswered messages as its Window says, and Transmit blocks when it has them.
func window(s *session) {
	held := map[*end]<-chan pending{s.hub: s.hub.hold(), s.peer: s.peer.hold()}
	s.serve()
	s.both(func(e *end) error {
		c, err := e.Client(s.ctx)
		if err != nil || c.Window == 0 {
			return err
		}
		if c.Window > cap(held[e.other()]) {
			return fmt.Errorf("%s: a window of %d is more than anybody holds", e.name, c.Window)
		}
		if err := e.fill(c); err != nil {
			return err
		}
		for range c.Window {
			p, err := s.take(held[e.other()])
			if err != nil {
				return err
			}
			p.respond(carrier.Done(nil))
		}
		return nil
	})
}

// fill fills the client's window, and checks that no more goes in.
func (e *end) fill(c carrier.Client) error {
	ctx, cancel := context.WithTimeout(e.s.ctx, min(soon, e.s.limit/2))
	defer cancel()
	for n := range c.Window {
		// The context of the message is not the one that bounds the waiting: it is to stay under way.
		if err := e.s.within("Transmit", func() error {
			_, err := e.transmit(context.WithoutCancel(ctx), c.ID, "echo", n)
			return err
		}); err != nil {
			return fmt.Errorf("%s: message %d of a window of %d: %w", e.name, n, c.Window, err)
		}
	}
	return e.isFull(c)
}

// isFull checks that the client's window is full.
func (e *end) isFull(c carrier.Client) error {
	ctx, cancel := context.WithTimeout(context.Background(), 50*time.Millisecond)
	defer cancel()
	if _, err := e.transmit(ctx, c.ID, "echo", "too many"); !errors.Is(err, context.DeadlineExceeded) {
		return fmt.Errorf("%s: Transmit gives %v when the window of %d is full", e.name, err, c.Window)
	}
	return e.s.within("TryTransmit", func() error {
		if ok, err := e.try(c.ID, nil); ok || err != nil {
			return fmt.Errorf("%s: TryTransmit gives %v, %v when the window of %d is full", e.name, ok, err, c.Window)
		}
		return nil
	})
}

// try transmits a message by TryTransmit. It returns false if the carrier has none.
func (e *end) try(id carrier.ClientID, done func(carrier.Reply, error)) (ok bool, err error) {
	t, able := e.carrier.(carrier.Trier)
	if !able {
		return false, nil
	}
	if done == nil {
		done = func(carrier.Reply, error) {
			e.errorf("done was called for a message that TryTransmit had not transmitted")
		}
	}
	return t.TryTransmit(id, &carrier.Message{Method: "echo", Params: carrier.ValueOf("tried")}, done)
}

// tryTransmit: TryTransmit transmits as Transmit does while there is room, and refuses as it does for a client that has gone.
func tryTransmit(s *session) {
	s.serve()
	s.both(func(e *end) error {
		c, err := e.Client(s.ctx)
		if _, able := e.carrier.(carrier.Trier); err != nil || !able {
			return err
		}
		got := make(chan error, 1)
		ok, err := e.try(c.ID, func(r carrier.Reply, err error) {
			if text := r.Response.String(); err == nil && text != `"tried"` {
				err = fmt.Errorf("%s: the answer is %s", e.name, text)
			}
			got <- err
		})
		if !ok || err != nil {
			return fmt.Errorf("%s: TryTransmit gives %v, %v though nothing is under way", e.name, ok, err)
		}
		select {
		case err = <-got:
		case <-s.ctx.Done():
			err = fmt.Errorf("%s: a message that TryTransmit took is not answered", e.name)
		}
		return err
	})
	atHub, atPeer := s.connected()
	s.pair.Cut()
	for e, id := range map[*end]carrier.ClientID{s.hub: atHub, s.peer: atPeer} {
		_, err := e.Gone(s.ctx, id)
		s.must(err)
		if _, able := e.carrier.(carrier.Trier); !able {
			continue
		}
		if ok, err := e.try(id, nil); !ok || !errors.Is(err, carrier.ErrGone) {
			s.Errorf("%s: TryTransmit to a client that has gone gives %v, %v", e.name, ok, err)
		}
	}
}

// cancelledKeepsPlace: a message whose context has ended keeps its place in the window until it is answered.
func cancelledKeepsPlace(s *session) {
	held := map[*end]<-chan pending{s.hub: s.hub.hold(), s.peer: s.peer.hold()}
	s.serve()
	s.both(func(e *end) error {
		c, err := e.Client(s.ctx)
		if err != nil || c.Window == 0 {
			return err
		}
		ctx, cancel := context.WithCancel(context.Background())
		defer cancel()
		var messages []*sent
		for n := range c.Window {
			m, err := e.transmit(ctx, c.ID, "echo", n)
			if err != nil {
				return err
			}
			messages = append(messages, m)
		}
		cancel()
		for _, m := range messages {
			if _, err := m.wait(s.ctx); !errors.Is(err, context.Canceled) {
				return fmt.Errorf("%s: done got %v when its context had ended", e.name, err)
			}
		}
		if err := e.isFull(c); err != nil {
			return err
		}
		for range messages {
			p, err := s.take(held[e.other()])
			if err != nil {
				return err
			}
			p.respond(carrier.Done("too late"))
		}
		go func() {
			if p, err := s.take(held[e.other()]); err == nil {
				p.respond(carrier.Done(p.message.Params))
			}
		}()
		return e.echo(c.ID, "there is room again")
	})
}
