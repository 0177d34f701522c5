package carriertest

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"sighub/carrier"
)

// A mailbox keeps the texts that arrived, and answers each with itself.
type mailbox struct {
	mu   sync.Mutex
	kept []*carrier.Message
}

func (b *mailbox) handle(_ carrier.ClientID, m *carrier.Message, respond func(carrier.Reply)) {
	b.mu.Lock()
	b.kept = append(b.kept, m)
	b.mu.Unlock()
	respond(carrier.Done(m.Params))
}

// texts reads the messages only now: they and their bytes are the handler's, whatever has arrived since.
func (b *mailbox) texts() (texts []string, err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, m := range b.kept {
		var text string
		if err := m.Params.Decode(&text); err != nil {
			return nil, fmt.Errorf("a message was changed after it was handled: %w", err)
		}
		texts = append(texts, text)
	}
	return texts, nil
}

// mailboxes gives each end a mailbox; the one returned for an end holds what that end sent.
func (s *session) mailboxes() map[*end]*mailbox {
	atHub, atPeer := new(mailbox), new(mailbox)
	s.hub.Handle, s.peer.Handle = atHub.handle, atPeer.handle
	return map[*end]*mailbox{s.hub: atPeer, s.peer: atHub}
}

// order: messages arrive in the order in which they were transmitted, and each gets its own reply.
func order(s *session) {
	count := s.many(1000)
	boxes := s.mailboxes()
	s.serve()
	s.both(func(e *end) error {
		if err := e.sendAll(e.to(), e.name, count); err != nil {
			return err
		}
		texts, err := boxes[e].texts()
		if err != nil {
			return err
		}
		for i, text := range texts {
			if want := fmt.Sprint(e.name, " ", i); text != want {
				return fmt.Errorf("%s: message %d to arrive is %q, want %q", e.name, i, text, want)
			}
		}
		if len(texts) != count {
			return fmt.Errorf("%s: %d messages of %d arrived", e.name, len(texts), count)
		}
		return nil
	})
}

// sendAll transmits numbered texts one after the other, and then checks each one's reply.
func (e *end) sendAll(id carrier.ClientID, prefix string, count int) error {
	messages := make([]*sent, count)
	var err error
	for i := range messages {
		if messages[i], err = e.transmit(context.Background(), id, "echo", fmt.Sprint(prefix, " ", i)); err != nil {
			return fmt.Errorf("%s: transmit message %d: %w", e.name, i, err)
		}
	}
	for i, m := range messages {
		r, err := m.wait(e.s.ctx)
		if err != nil {
			return fmt.Errorf("%s: message %d: %w", e.name, i, err)
		}
		if err := sameText(e.name, r.Response, fmt.Sprint(prefix, " ", i)); err != nil {
			return err
		}
	}
	return nil
}

// concurrent: many goroutines transmit at once, in both directions; each message arrives once, each
// goroutine's in order.
func concurrent(s *session) {
	const senders = 8
	each := s.many(200)
	boxes := s.mailboxes()
	s.serve()
	s.both(func(e *end) error {
		id := e.to()
		err := parallel(senders, func(i int) error { return e.sendAll(id, fmt.Sprint(i), each) })
		if err != nil {
			return err
		}
		texts, err := boxes[e].texts()
		if err != nil {
			return err
		}
		var next [senders]int
		for _, text := range texts {
			var i, n int
			if _, err := fmt.Sscan(text, &i, &n); err != nil || n != next[i] {
				return fmt.Errorf("%s: %q arrived instead of message %d of its sender", e.name, text, next[i])
			}
			next[i]++
		}
		if len(texts) != senders*each {
			return fmt.Errorf("%s: %d messages of %d arrived", e.name, len(texts), senders*each)
		}
		return nil
	})
}

// A pending message is one that a handler has yet to answer.
type pending struct {
	message *carrier.Message
	respond func(carrier.Reply)
}

// hold makes the end's handler leave messages unanswered, and returns where they go.
func (e *end) hold() <-chan pending {
	held := make(chan pending, 1<<14)
	e.Handle = func(_ carrier.ClientID, m *carrier.Message, respond func(carrier.Reply)) {
		held <- pending{m, respond}
	}
	return held
}

// take waits for a message that hold left unanswered.
func (s *session) take(held <-chan pending) (pending, error) {
	select {
	case p := <-held:
		return p, nil
	case <-s.ctx.Done():
		return pending{}, fmt.Errorf("waiting for a message to arrive: %w", s.ctx.Err())
	}
}

// other returns the end at the other side.
func (e *end) other() *end {
	if e == e.s.hub {
		return e.s.peer
	}
	return e.s.hub
}

// deferred: replies may come later, from other goroutines and in any order; a second one is ignored.
func deferred(s *session) {
	const count = 16
	held := map[*end]<-chan pending{s.hub: s.hub.hold(), s.peer: s.peer.hold()}
	s.serve()
	s.both(func(e *end) error {
		id := e.to()
		answered := make(chan error, 1)
		go func() { answered <- s.answerBackwards(held[e.other()], count) }()
		err := parallel(count, func(i int) error { return e.echo(id, fmt.Sprint(i)) })
		return errors.Join(err, <-answered)
	})
}

// answerBackwards answers count messages, as many at a time as the window lets through, the last one first.
func (s *session) answerBackwards(held <-chan pending, count int) error {
	const quiet = 50 * time.Millisecond // nothing depends on it but how many are answered at a time
	for count > 0 {
		p, err := s.take(held)
		if err != nil {
			return err
		}
		batch := []pending{p}
		for more := true; more; {
			select {
			case p := <-held:
				batch = append(batch, p)
			case <-time.After(quiet):
				more = false
			}
		}
		count -= len(batch)
		for len(batch) > 0 {
			p, batch = batch[len(batch)-1], batch[:len(batch)-1]
			done := make(chan struct{})
			go func() {
				defer close(done)
				p.respond(carrier.Done(p.message.Params))
				p.respond(carrier.Failed(errors.New("a second reply")))
			}()
			<-done
		}
	}
	return nil
}

// stalledPeer: Transmit to a peer that reads nothing blocks, but no longer than its context allows. The other
// direction goes on. When the peer reads again, everything arrives.
func stalledPeer(s *session) {
	const enough = 100_000 // messages that no window may hold
	release := make(chan struct{})
	var once sync.Once
	resume := func() { once.Do(func() { close(release) }) }
	defer resume()

	var mu sync.Mutex // a reply does not order the handler's memory before ours
	var got []int
	s.peer.Handle = func(_ carrier.ClientID, m *carrier.Message, respond func(carrier.Reply)) {
		<-release
		var n int
		if err := m.Params.Decode(&n); err != nil {
			s.Error(err)
		}
		mu.Lock()
		got = append(got, n)
		mu.Unlock()
		respond(carrier.Done(nil))
	}
	reached := make(chan struct{}, 1)
	s.hub.Handle = func(_ carrier.ClientID, _ *carrier.Message, respond func(carrier.Reply)) {
		reached <- struct{}{}
		respond(carrier.Done(nil))
	}
	s.serve()

	id := s.hub.to()
	var accepted []*sent
	for n := 0; ; n++ {
		if n == enough {
			s.Fatalf("Transmit took %d messages for a peer that reads none", n)
		}
		ctx, cancel := context.WithCancel(context.Background())
		defer cancel()
		timer := time.AfterFunc(200*time.Millisecond, cancel)
		m, err := s.hub.transmit(ctx, id, "count", n)
		timer.Stop()
		if errors.Is(err, context.Canceled) {
			break
		}
		s.must(err)
		accepted = append(accepted, m)
	}

	back, err := s.peer.transmit(context.Background(), s.peer.to(), "back", nil)
	s.must(err)
	select {
	case <-reached:
	case <-s.ctx.Done():
		s.Fatal("a peer that reads nothing cannot send either")
	}

	resume()
	for i, m := range accepted {
		// A machine that is slow enough lets a timer above fire for a message that was accepted.
		if _, err := m.wait(s.ctx); err != nil && !errors.Is(err, context.Canceled) {
			s.Fatalf("message %d: %v", i, err)
		}
	}
	_, err = back.wait(s.ctx)
	s.must(err)
	last, err := s.hub.call(id, "count", len(accepted)) // after it, all have arrived
	s.must(err)
	s.must(last.Err())
	mu.Lock()
	defer mu.Unlock()
	for i, n := range got {
		if i != n {
			s.Fatalf("message %d arrived in place %d", n, i)
		}
	}
	if len(got) != len(accepted)+1 {
		s.Fatalf("%d messages were accepted, %d arrived", len(accepted)+1, len(got))
	}
}

// neighbours: a peer that reads nothing does not hold up another one.
func neighbours(s *session) {
	if s.pair.Dial == nil {
		s.Log("not applicable: the hub has one peer")
		return
	}
	release := make(chan struct{})
	defer close(release)
	s.peer.Handle = func(_ carrier.ClientID, _ *carrier.Message, respond func(carrier.Reply)) {
		<-release
		respond(carrier.Done(nil))
	}
	s.serve()
	stalled := s.hub.to()
	_, err := s.hub.transmit(context.Background(), stalled, "block", nil)
	s.must(err)

	second := s.newEnd("second peer", s.pair.Dial())
	second.serve()
	s.must(s.hub.until(s.ctx, func() bool { return s.hub.live() == 2 }))
	s.must(second.echo(second.to(), "to the hub"))
	id := s.hub.to()
	if id == stalled {
		s.Fatal("the second peer has the first one's id")
	}
	s.must(s.hub.sendAll(id, "to the second peer", 100))
	second.close()
	_, err = s.hub.Gone(s.ctx, id)
	s.must(err)
}
