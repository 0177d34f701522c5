package serial

import (
	"errors"
	"slices"
	"time"

	"sighub/carrier"
	"sighub/carrier/serial/internal/link"
	"sighub/carrier/serial/internal/wire"
	"sighub/internal/lockrank"
)

// signals hands on the readings of an EVT frame, with those that are refused in their places. The frame is answered once all of
// them are, with the first failure if there is one, and the places of all.
func (c *client) signals(e event) {
	in := e.arrival.In
	c.batch = c.batch[:0]
	h := handed{ended: func(h *handed) { c.answerReadings(in, h) }}
	c.tellUnread(e.at)
	c.server.mu.Lock()
	readings, err := c.device.Readings(e.at, e.arrival, c.dict)
	within := c.patience(e, readings)
	for i, r := range readings {
		r.Time = timeOfDay(r.Time, e.at)
		signal := c.signal(r)
		c.batch = append(c.batch, signal)
		switch {
		case r.Lost > 0:
			h.losses = append(h.losses, i)
		case signal.Err != nil:
			c.logRefusal("reading", signal.Err, "sender", signal.Route.Sender, "event", signal.Route.Event,
				"value", shownBytes(r.Value))
		}
	}
	if err != nil && !errors.Is(err, link.ErrComesAgain) {
		c.refuse("frame", err, "frame", shownBytes(e.arrival.Payload))
		c.record.losses.unreadable(e.at, carrier.Cause(err), c.dict)
	}
	if !errors.Is(err, link.ErrComesAgain) {
		h.mark = c.settle(e, within, func() []byte { return c.presumed(err) })
	}
	c.server.mu.Unlock()
	switch {
	case errors.Is(err, link.ErrComesAgain):
	case err != nil:
		c.tellUnread(e.at)
		c.afterMark(h.mark, func() { c.Respond(in, carrier.Failed(err)) })
	case len(readings) == 0:
		c.afterMark(h.mark, func() { c.Respond(in, carrier.Reply{}) })
	default:
		c.hand(c.batch, h)
	}
}

// presumed returns the answer to the frame with the readings of batch, as far as it is known before the handler has answered them: it
// takes all that is not refused here. The server's lock is held.
func (c *client) presumed(err error) []byte {
	limit := c.device.Link.PayloadLimit()
	if err != nil {
		return wire.PackReply(carrier.Failed(err), limit)
	}
	var places []int
	for i := range c.batch {
		if c.batch[i].Err == nil {
			continue
		}
		if places = append(places, i); err == nil {
			err = c.batch[i].Err
		}
	}
	if err == nil {
		return nil
	}
	return wire.PackRefusal(carrier.Failed(err), places, limit)
}

// tellUnread tells losses of frames that could not be read, if it is time to.
func (c *client) tellUnread(now time.Time) {
	c.server.mu.Lock()
	tell := c.record.losses.tellUnread(now)
	c.server.mu.Unlock()
	if tell {
		c.tellLosses()
	}
}

// answerReadings answers an EVT frame whose readings were all handed on, and counts those that the hub has taken.
func (c *client) answerReadings(in *link.Incoming, h *handed) {
	c.server.mu.Lock()
	c.count(time.Now(), h.taken)
	for _, r := range h.refusals {
		c.record.refused.note(r.reply.Err())
	}
	c.server.mu.Unlock()
	if len(h.refusals) == 0 {
		c.Respond(in, carrier.Reply{})
		return
	}
	places := make([]int, len(h.refusals))
	for i, r := range h.refusals {
		places[i] = r.place
	}
	c.RespondRefusal(in, h.refusals[0].reply, places)
}

// timeOfDay returns what the time of day was at t, by the time of day at now. They differ if the time of day was set since the
// device's clock was first compared with it: when the network tells a machine without a battery the time, for example.
func timeOfDay(t, now time.Time) time.Time { return now.Round(0).Add(t.Sub(now)) }

// signal returns the signal for a reading, which may be one that says why it is refused. The server's lock is held.
func (c *client) signal(r link.Reading) carrier.Signal {
	e := c.dict.Events[r.Event]
	losses := &c.record.losses
	if r.Lost > 0 {
		gap := newGapData(r.Lost, losses.before(e.Sender, r.Time), r.Time, e.Event, "")
		return carrier.Signal{Route: c.route(wire.EventName{Sender: e.Sender, Event: gapEvent}), Time: r.Time.UnixNano(),
			Uncertainty: int64(r.Uncertainty), Data: gap}
	}
	s := carrier.Signal{Route: c.route(e.EventName), Time: r.Time.UnixNano(), Uncertainty: int64(r.Uncertainty), Err: r.Err}
	if r.Err == nil {
		losses.reported(e.Sender, r.Time, c.server.options.MaxSenders)
		s.Data = wire.Scale(r.Value, e.Exponent)
	}
	return s
}

// route returns the route of an event. There is at most one for each event, and one for the gaps of each sender.
func (c *client) route(name wire.EventName) *carrier.Route {
	route := c.routes[name]
	if route == nil {
		route = &carrier.Route{Sender: name.Sender, Event: name.Event}
		c.routes[name] = route
	}
	return route
}

// hand hands on signals; h.ended is called once all of them are answered.
func (c *client) hand(batch []carrier.Signal, h handed) {
	lockrank.MustBeFree("a handler gets signals")
	h.left = len(batch)
	c.answers.expect(h)
	var answers carrier.Answers = &c.answers
	if h.mark != nil {
		answers = markedAnswers{&c.answers, h.mark}
	}
	c.server.handler.HandleSignals(c.id, batch, answers)
}

// tellLosses hands on the losses that the hub has not acknowledged yet.
func (c *client) tellLosses() {
	c.server.mu.Lock()
	losses := &c.record.losses
	due := losses.due(c)
	c.server.mu.Unlock()
	if len(due) == 0 {
		return
	}
	c.enlist()
	signals := make([]carrier.Signal, len(due))
	for i, l := range due {
		signals[i] = carrier.Signal{Route: c.route(wire.EventName{Sender: l.sender, Event: gapEvent}), Time: l.last.UnixNano(),
			Data: newGapData(0, l.first, l.last, "", l.cause)}
	}
	c.server.mu.Lock()
	mark := c.mark(0)
	c.server.mu.Unlock()
	c.hand(signals, handed{mark: mark, ended: func(h *handed) {
		c.server.mu.Lock()
		defer c.server.mu.Unlock()
		for i, l := range due {
			losses.told(l, !slices.ContainsFunc(h.refusals, func(r refusedSignal) bool { return r.place == i }))
		}
	}})
}

// handedAnswers takes the answers to the signals that a client has handed on, in their order.
type handedAnswers struct {
	mu      lockrank.Mutex[lockrank.Leaf]
	waiting []handed // oldest first
}

// A handed stands for signals that were handed on together.
type handed struct {
	mark     *mark // that belongs to them; nil: none
	losses   []int // the places of signals that are no readings, in their order
	next     int   // the place of the signal that is answered next
	left     int   // signals that are not answered yet
	taken    int   // readings that the handler has taken
	refusals []refusedSignal
	ended    func(*handed)
}

// A refusedSignal is a signal that the handler has refused.
type refusedSignal struct {
	place int // among those that were handed on together
	reply carrier.Reply
}

func (a *handedAnswers) expect(h handed) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.waiting = append(a.waiting, h)
}

// Done implements [carrier.Answers].
func (a *handedAnswers) Done(n int) {
	for n > 0 {
		n = a.answer(n, carrier.Reply{})
	}
}

// Fail implements [carrier.Answers].
func (a *handedAnswers) Fail(r carrier.Reply) { a.answer(1, r) }

// answer takes the same answer for the oldest n signals, as far as they were handed on together. It returns how many of the n
// remain.
func (a *handedAnswers) answer(n int, r carrier.Reply) (rest int) {
	a.mu.Lock()
	if len(a.waiting) == 0 {
		a.mu.Unlock()
		return 0
	}
	h := &a.waiting[0]
	taken := min(n, h.left)
	h.answered(taken, r)
	if h.left > 0 {
		a.mu.Unlock()
		return 0
	}
	whole := *h
	a.waiting = slices.Delete(a.waiting, 0, 1)
	a.mu.Unlock()
	whole.ended(&whole) // without the lock, since it takes the server's
	return n - taken
}

// answered notes the same answer for the next n signals.
func (h *handed) answered(n int, r carrier.Reply) {
	end := h.next + n
	if r.Status == carrier.StatusDone {
		h.taken += n
		for _, place := range h.losses {
			if h.next <= place && place < end {
				h.taken--
			}
		}
	} else {
		h.refusals = append(h.refusals, refusedSignal{place: h.next, reply: r})
	}
	h.next, h.left = end, h.left-n
}
