package hub

import (
	"context"
	"fmt"
	"sync"
	"time"

	"sighub/carrier"
)

// A trigger stream is the signals of a link on their way to the hub.
type triggerStream struct {
	sink  carrier.SignalSink // nil: signals are messages
	codec carrier.Codec

	mu      sync.Mutex
	packed  carrier.PackedSignal
	pending int           // bytes that waited to be written when the last signal was put
	waiting doneRing      // for the hub's answers, oldest first
	room    chan struct{} // closed when there is room in the window; nil if nobody waits
	err     error         // set once the link is lost
}

// send sends an event; done is called with what becomes of it, unless send returns an error. now: it is written at once,
// else soon, with others.
func (t *triggerStream) send(ctx context.Context, g *Signal, data any, at time.Time, uncertainty time.Duration, now bool, done func(error)) error {
	t.mu.Lock()
	for t.err == nil && t.waiting.n > 0 && (t.waiting.n >= t.sink.Window() || t.pending >= carrier.PendingLimit) {
		if err := t.wait(ctx); err != nil {
			t.mu.Unlock()
			return err
		}
	}
	if t.err != nil {
		defer t.mu.Unlock()
		return t.err
	}
	s := carrier.Signal{Uncertainty: int64(uncertainty), Data: carrier.ValueOf(data)}
	if !at.IsZero() {
		s.Time = at.UnixNano()
	}
	err := t.packed.Pack(t.codec, &s)
	if err == nil {
		if g.out == nil || g.outTo != t {
			g.out, g.outTo = &carrier.OutRoute{Route: carrier.Route{Sender: g.sender.name, Event: g.event}}, t
		}
		t.pending, err = t.sink.Put(g.out, &t.packed)
	}
	if err != nil {
		t.mu.Unlock()
		return err
	}
	t.waiting.push(done)
	t.mu.Unlock()
	t.sink.Flush(now)
	return nil
}

// wait waits for room in the window, with the lock held before and after.
func (t *triggerStream) wait(ctx context.Context) error {
	if t.room == nil {
		t.room = make(chan struct{})
	}
	room := t.room
	t.mu.Unlock()
	defer t.mu.Lock()
	select {
	case <-room:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// answered ends the next n signals.
func (t *triggerStream) answered(n int, failed *carrier.Reply) {
	var err error
	if failed != nil {
		err = failed.Err()
	}
	t.mu.Lock()
	t.pending = t.sink.Pending()
	done := t.waiting.take(n)
	t.opened()
	t.mu.Unlock()
	for _, f := range done {
		f(err)
	}
}

// fail ends all signals: the link is lost.
func (t *triggerStream) fail(err error) {
	t.mu.Lock()
	t.err = err
	done := t.waiting.take(t.waiting.n)
	t.opened()
	t.mu.Unlock()
	for _, f := range done {
		f(err)
	}
}

func (t *triggerStream) opened() {
	if t.room != nil {
		close(t.room)
		t.room = nil
	}
}

// A doneRing is a queue of functions to be called.
type doneRing struct {
	ring  []func(error)
	first int
	n     int
	taken []func(error) // the latest take
}

func (r *doneRing) push(done func(error)) {
	if r.n == len(r.ring) {
		ring := make([]func(error), max(64, 2*r.n))
		for i := range r.n {
			ring[i] = r.ring[(r.first+i)%len(r.ring)]
		}
		r.ring, r.first = ring, 0
	}
	r.ring[(r.first+r.n)%len(r.ring)] = done
	r.n++
}

// take takes the oldest n, or as many as there are. What it returns is good until the next take.
func (r *doneRing) take(n int) []func(error) {
	clear(r.taken)
	r.taken = r.taken[:0]
	for range min(n, r.n) {
		r.taken = append(r.taken, r.ring[r.first])
		r.ring[r.first] = nil
		r.first = (r.first + 1) % len(r.ring)
		r.n--
	}
	return r.taken
}

// HandleSignals implements carrier.SignalHandler: events for listeners.
func (h *hubHandler) HandleSignals(_ carrier.ClientID, signals []carrier.Signal, answers carrier.Answers) {
	h.mu.Lock()
	l := h.link
	h.mu.Unlock()
	batch, ok := h.batches.Get().(*[]carrier.Signal)
	if !ok {
		batch = new([]carrier.Signal)
	}
	*batch = carrier.CloneSignals((*batch)[:0], signals) // a callback may keep its event
	ok = h.callbacks.do(func() {
		l.heardSignals(*batch, answers)
		clear(*batch)
		h.batches.Put(batch)
	})
	if !ok { // unanswered, for answers go by their order: the hub does not keep to our window
		l.router.log.Error("the hub sends more events than were asked for; some are lost")
	}
}

// SignalsAnswered implements carrier.SignalHandler.
func (h *hubHandler) SignalsAnswered(_ carrier.ClientID, n int, failed *carrier.Reply) {
	h.mu.Lock()
	l := h.link
	h.mu.Unlock()
	l.triggers.answered(n, failed)
}

// answerEvery is how many events are acknowledged together at the most, and answerAfter the time after which those
// whose callbacks have returned are not kept waiting for others.
const (
	answerEvery = 256
	answerAfter = time.Millisecond
)

// heardSignals calls the callbacks of events, and acknowledges those that have returned.
func (l *link) heardSignals(signals []carrier.Signal, answers carrier.Answers) {
	done, since, slow := 0, time.Now(), false
	for i := range signals {
		if l.handler.serving.Err() != nil {
			break // unanswered: the hub knows that it was not heard
		}
		k, err := l.listenerOf(signals[i].Route)
		if err != nil {
			answers.Done(done)
			answers.Fail(carrier.Failed(err))
			done = 0
			continue
		}
		if !k.removed.Load() {
			ev := l.eventOf(&signals[i])
			k.call(&ev)
		}
		done++
		if slow || done == 1 || done%8 == 0 { // a clock costs as much as all the rest
			slow = time.Since(since) > answerAfter
		}
		if slow || done == answerEvery {
			answers.Done(done)
			done, since = 0, time.Now()
		}
	}
	answers.Done(done)
}

func (l *link) eventOf(s *carrier.Signal) Event {
	ev := Event{
		Sender: s.Route.Sender, Name: s.Route.Event, Uncertainty: time.Duration(s.Uncertainty), Seq: s.Seq, Data: s.Data,
	}
	if s.Time != 0 {
		ev.Time = time.Unix(0, s.Time)
	} else {
		ev.Time = l.router.now()
	}
	return ev
}

// listenerOf returns the listener of a route, which a route remembers.
func (l *link) listenerOf(r *carrier.Route) (*Listener, error) {
	if k, ok := r.Handle.(*Listener); ok {
		return k, nil
	}
	l.mu.Lock()
	k := l.listeners[r.Listener]
	l.mu.Unlock()
	if k == nil {
		return nil, fmt.Errorf("%w: %d", ErrNoListener, r.Listener)
	}
	r.Handle = k
	return k, nil
}
