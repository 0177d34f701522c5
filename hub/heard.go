package hub

import (
	"cmp"
	"fmt"
	"time"

	"sighub/carrier"
	"sighub/hub/internal/lent"
)

// A messageAnswer answers the one signal that a message "signal" is, by the message's reply.
type messageAnswer func(carrier.Reply)

// Done implements carrier.Answers.
func (a messageAnswer) Done(n int) {
	if n > 0 {
		a(carrier.Done(nil))
	}
}

// Fail implements carrier.Answers.
func (a messageAnswer) Fail(r carrier.Reply) { a(r) }

// A batch is events on their way to callbacks.
type batch struct {
	signals []carrier.Signal
	at      time.Time // when signals happened that do not tell; zero: now
	answers carrier.Answers
	data    []byte // the data of all signals, in their order, until another batch has the memory; nil: each has its own
}

// dataMost is up to how many bytes the memory of a batch's data is kept.
const dataMost = 256 << 10

// reuse takes a batch back whose callbacks have returned.
func (h *connectionHandler) reuse(b *batch) {
	clear(b.signals)
	b.signals, b.answers = b.signals[:0], nil
	if h.lendsOnce || cap(b.data) > dataMost {
		b.data = nil
	}
	h.batches.Put(b)
}

// HandleSignals implements carrier.SignalHandler. The signals are events for listeners.
func (h *connectionHandler) HandleSignals(_ carrier.ClientID, signals []carrier.Signal, answers carrier.Answers) {
	h.mu.Lock()
	c := h.connection
	h.mu.Unlock()
	b, ok := h.batches.Get().(*batch)
	if !ok {
		b = new(batch)
	}
	if s, ok := answers.(carrier.Swapper); ok {
		s.Swap(b.signals)
		b.signals = signals
	} else {
		b.signals = append(b.signals, signals...)
	}
	b.data, b.answers = carrier.CopyData(b.signals, b.data), answers
	ok = h.callbacks.DoBy(c.lend, func() {
		c.hear(b)
		h.reuse(b)
	})
	if !ok { // not answered, because answers go by their order; the hub does not keep to the window
		c.router.log.Error("the hub sends more events than the window allows; some are lost")
	}
}

// answerEvery is how many events are acknowledged together at the most. answerAfter is how long those whose callbacks have
// returned wait for others.
const (
	answerEvery = 256
	answerAfter = time.Millisecond
)

// heard handles a message "signal", which is a stream of one. Unlike the signals of a stream, it can be refused at once.
func (c *connection) heard(m *carrier.Message, respond func(carrier.Reply)) {
	a := parseArguments(m.Params)
	id, in := a.number("listener_id"), a.info(true)
	if err := cmp.Or(a.err, in.err); err != nil {
		respond(carrier.Failed(err))
		return
	}
	l, err := c.listener(id)
	if err != nil {
		respond(carrier.Failed(err))
		return
	}
	signals := []carrier.Signal{{
		Route: &carrier.Route{
			Listener: id, Sender: in.sender, Event: in.event, Connection: in.connection, Epoch: in.position.Epoch, Handle: l,
		},
		Uncertainty: int64(in.uncertainty), Seq: in.seq, Sequence: in.position.Sequence, Last: in.last, Data: a.value("data"),
	}}
	b := &batch{signals: signals, at: in.time, answers: messageAnswer(respond)}
	if !c.handler.callbacks.DoBy(c.lend, func() { c.hear(b) }) {
		respond(carrier.Failed(ErrBusy))
	}
}

// asked handles a request to one of the remote senders.
func (c *connection) asked(m *carrier.Message, respond func(carrier.Reply)) {
	a := parseArguments(m.Params)
	name, method := a.text("sender"), a.text("method")
	if a.err != nil {
		respond(carrier.Failed(a.err))
		return
	}
	c.router.mu.Lock()
	s := c.router.senders[name]
	c.router.mu.Unlock()
	if s == nil {
		respond(carrier.Failed(fmt.Errorf("%w: %s", ErrNoSender, name)))
		return
	}
	handle, err := s.handler(method)
	if err != nil {
		respond(carrier.Failed(err))
		return
	}
	params := a.value("params")
	answer := func() {
		r := s.answer(c.ctx, handle, method, params)
		r.Together = m.Together
		respond(r)
	}
	if !c.lend(answer) {
		c.handler.tasks.Go(answer)
	}
}

// hear calls the callbacks of events, and acknowledges those that have returned.
func (c *connection) hear(b *batch) {
	done, since, slow := 0, time.Now(), false
	rest := b.data // of the signals that follow
	kept := carrier.Blocks{Size: len(rest)}
	for i := range b.signals {
		if c.handler.serving.Err() != nil {
			break // not answered, so that the hub knows that they were not heard
		}
		s := &b.signals[i]
		var data []byte // of s, in the memory that is used again
		if rest != nil {
			data = rest[:s.Data.Size()]
			rest = rest[len(data):]
		}
		l, err := c.listenerOf(s.Route)
		if err == nil {
			err = s.Err
		}
		removed := err == nil && l.removed.Load()
		if removed && l.options.Cursor != "" { // its cursor must not pass what was not heard
			err = ErrNoListener
		}
		if err != nil {
			b.answers.Done(done)
			b.answers.Fail(carrier.Failed(err))
			done = 0
			continue
		}
		if !removed {
			if len(data) > 0 && !l.options.KeepsNothing {
				kept.Own(&s.Data)
			}
			c.hearOne(l, s, b.at)
			lent.Spoil(data)
		}
		done++
		if slow || done == 1 || done%8 == 0 { // to read the clock costs as much as all the rest
			slow = time.Since(since) > answerAfter
		}
		if slow || done == answerEvery {
			b.answers.Done(done)
			done, since = 0, time.Now()
		}
	}
	b.answers.Done(done)
}

// hearOne calls the callback of an event, unless the listener has heard it before.
func (c *connection) hearOne(l *Listener, s *carrier.Signal, at time.Time) {
	var ev Event
	c.eventOf(&ev, s, at)
	if l.hasHeard(&ev) {
		return
	}
	l.call(&ev)
	l.hears(&ev)
	if ev.Name == Gap && isEnd(&ev) {
		c.ended(l)
	}
}

// hasHeard reports whether the listener has heard an event before: on the connection before, whose events may still have waited for
// their callbacks when this one was told where to go on.
func (l *Listener) hasHeard(ev *Event) bool {
	switch {
	case ev.Last:
		return false
	case l.options.fed():
		return !ev.Position.IsZero() && !l.far.get().Before(ev.Position) && !isReset(ev)
	}
	if isReset(ev) {
		l.heard.Forget()
		l.far.set(ev.Position)
	}
	return l.heard.Again(ev.Sender, ev.Connection, ev.Seq, !ev.Position.IsZero())
}

// hears notes that the listener has heard an event from the journal.
func (l *Listener) hears(ev *Event) {
	if l.options.fed() && !ev.Last && !ev.Position.IsZero() {
		l.far.set(ev.Position)
	}
}

// isReset reports whether an event tells that the journal has lost what it had, so that what follows is new whatever its position.
func isReset(ev *Event) bool {
	if ev.Name != Gap || ev.Position.IsZero() || ev.Connection != 0 {
		return false
	}
	var loss Loss
	return ev.Data.Decode(&loss) == nil && loss.Cause == causeJournal && loss.From == nil
}

// isEnd reports whether an event tells that the hub has removed the listener.
func isEnd(ev *Event) bool {
	var loss Loss
	return ev.Seq == 0 && ev.Connection == 0 && ev.Data.Decode(&loss) == nil && loss.Cause == causeRevoked
}

// followEvery is how often a ClientRouter asks up to which position its listeners have heard everything.
const followEvery = 5 * time.Second

// follow asks the hub, now and then, up to which position everything is heard that the listeners hear at once. If the connection is
// lost, they go on there.
func (c *connection) follow() {
	tick := time.NewTicker(followEvery)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
		case <-c.ctx.Done():
			return
		}
		list := c.followers()
		if len(list) == 0 {
			continue
		}
		ctx, cancel := c.router.bounded(c.ctx)
		response, err := c.call(ctx, methodPosition, nil)
		cancel()
		a := parseArguments(response)
		at := a.position("position")
		if err != nil || a.err != nil || at.IsZero() {
			continue
		}
		for _, l := range list {
			if l.far.get().Before(at) {
				l.far.set(at)
			}
		}
	}
}

// followers returns the listeners that hear events at once, of a hub that keeps them.
func (c *connection) followers() (list []*Listener) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, l := range c.listeners {
		if !l.options.fed() && !l.far.get().IsZero() {
			list = append(list, l)
		}
	}
	return list
}

// eventOf sets ev, which is zero, to the event of a signal. A result would be copied.
func (c *connection) eventOf(ev *Event, s *carrier.Signal, at time.Time) {
	switch {
	case s.Time != 0:
		at = time.Unix(0, s.Time)
	case at.IsZero():
		at = c.router.now()
	}
	ev.Sender, ev.Name = s.Route.Sender, s.Route.Event
	ev.Time, ev.Uncertainty, ev.Seq, ev.Data = at, time.Duration(s.Uncertainty), s.Seq, s.Data
	ev.Connection, ev.Position, ev.Last = s.Route.Connection, Position{s.Route.Epoch, s.Sequence}, s.Last
}

// listenerOf returns the listener of a route, which the route remembers.
func (c *connection) listenerOf(r *carrier.Route) (*Listener, error) {
	if l, ok := r.Handle.(*Listener); ok {
		return l, nil
	}
	l, err := c.listener(r.Listener)
	if err == nil {
		r.Handle = l
	}
	return l, err
}

// listener returns the listener that the hub knows by this number.
func (c *connection) listener(id uint64) (*Listener, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if l := c.listeners[id]; l != nil {
		return l, nil
	}
	return nil, fmt.Errorf("%w: %d", ErrNoListener, id)
}
