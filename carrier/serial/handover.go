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

// signals hands on the readings of an EVT frame. The frame is answered once all of them are, with the first failure if there
// is one.
func (c *client) signals(e event) {
	in := e.arrival.In
	c.batch = c.batch[:0]
	c.server.mu.Lock()
	readings, err := c.device.Readings(e.at, e.arrival.Payload, c.dict)
	for _, r := range readings {
		r.Time = timeOfDay(r.Time, e.at)
		c.batch = append(c.batch, c.signal(r))
	}
	c.count(e.at, len(readings))
	if errors.Is(err, wire.ErrNoTicks) {
		c.device.Resync(in)
	}
	c.server.mu.Unlock()
	switch {
	case errors.Is(err, wire.ErrNoTicks):
	case err != nil:
		c.Respond(in, carrier.Failed(err))
	case len(readings) == 0:
		c.Respond(in, carrier.Reply{})
	default:
		c.hand(c.batch, func(r carrier.Reply) { c.Respond(in, r) })
	}
}

// timeOfDay returns what the time of day was at t, by the time of day at now. They differ if the time of day was set since the
// device's clock was first compared with it: when the network tells a machine without a battery the time, for example.
func timeOfDay(t, now time.Time) time.Time { return now.Round(0).Add(t.Sub(now)) }

// signal returns the signal for a reading; the server's lock is held.
func (c *client) signal(r link.Reading) carrier.Signal {
	e := c.dict.Events[r.Event]
	losses := &c.record.losses
	if r.Lost > 0 {
		gap := newGapData(r.Lost, losses.before(e.Sender, r.Time), r.Time, e.Event)
		return carrier.Signal{Route: c.route(wire.EventName{Sender: e.Sender, Event: gapEvent}), Time: r.Time.UnixNano(),
			Uncertainty: int64(r.Uncertainty), Data: gap}
	}
	losses.reported(e.Sender, r.Time)
	return carrier.Signal{Route: c.route(e.EventName), Time: r.Time.UnixNano(), Uncertainty: int64(r.Uncertainty),
		Data: wire.Scale(r.Value, e.Exponent)}
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

// hand hands on signals; ended is called once all of them are answered.
func (c *client) hand(batch []carrier.Signal, ended func(carrier.Reply)) {
	lockrank.MustBeFree("a handler gets signals")
	c.answers.expect(len(batch), ended)
	c.server.handler.HandleSignals(c.id, batch, &c.answers)
}

// tellLosses hands on the losses that the hub has not acknowledged yet.
func (c *client) tellLosses() {
	c.server.mu.Lock()
	due := c.record.losses.due(c)
	c.server.mu.Unlock()
	for _, l := range due {
		signal := carrier.Signal{Route: c.route(wire.EventName{Sender: l.sender, Event: gapEvent}), Time: l.last.UnixNano(),
			Data: newGapData(0, l.first, l.last, "")}
		c.hand([]carrier.Signal{signal}, func(reply carrier.Reply) {
			c.server.mu.Lock()
			defer c.server.mu.Unlock()
			c.record.losses.told(l, reply.Status == carrier.StatusDone)
		})
	}
}

// handedAnswers takes the answers to the signals that a client has handed on, in their order.
type handedAnswers struct {
	mu      lockrank.Mutex[lockrank.Leaf]
	waiting []handed // oldest first
}

// A handed stands for signals that were handed on together.
type handed struct {
	left  int // signals that are not answered yet
	reply carrier.Reply
	ended func(carrier.Reply)
}

func (a *handedAnswers) expect(n int, ended func(carrier.Reply)) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.waiting = append(a.waiting, handed{left: n, ended: ended})
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
	if h.reply.Status == carrier.StatusDone {
		h.reply = r
	}
	taken := min(n, h.left)
	if h.left -= taken; h.left > 0 {
		a.mu.Unlock()
		return 0
	}
	whole := *h
	a.waiting = slices.Delete(a.waiting, 0, 1)
	a.mu.Unlock()
	whole.ended(whole.reply) // without the lock, since it takes the server's
	return n - taken
}
