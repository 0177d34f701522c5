package serial

import (
	"errors"
	"sync"

	"sighub/carrier"
)

// signals hands on the readings of an EVT frame. The frame is answered when all of them are: done if they all are, else
// with the first failure.
func (c *client) signals(e event) {
	c.mu.Lock()
	readings, err := c.peer.readings(e.at, e.arrival.payload, c.dict)
	if errors.Is(err, errTorn) {
		c.peer.stray(e.arrival.in)
	}
	c.mu.Unlock()
	c.took(e.at, len(readings))
	switch {
	case errors.Is(err, errTorn):
		return
	case err != nil:
		c.respond(e.arrival.in, carrier.Failed(err))
		return
	case len(readings) == 0:
		c.respond(e.arrival.in, carrier.Reply{})
		return
	}
	c.hand(readings, func(r carrier.Reply) { c.respond(e.arrival.in, r) })
}

// hand hands on readings; ended is told what became of all of them.
func (c *client) hand(readings []stampedReading, ended func(carrier.Reply)) {
	c.answers.expect(len(readings), ended)
	c.batch = c.batch[:0]
	for _, r := range readings {
		route := c.routes[r.eventName]
		if route == nil {
			route = &carrier.Route{Sender: r.sender, Event: r.event}
			c.routes[r.eventName] = route // as many as the dictionary has
		}
		c.batch = append(c.batch, carrier.Signal{
			Route: route, Time: r.time.UnixNano(), Uncertainty: int64(r.uncertainty), Data: r.data,
		})
	}
	c.server.handler.HandleSignals(c.id, c.batch, &c.answers)
}

// losses tells of the readings that may have been lost with the device's memory, and that were not told yet.
func (c *client) losses() {
	c.mu.Lock()
	past := c.peer.past
	losses, readings := past.due(c)
	c.mu.Unlock()
	for i, r := range readings {
		c.hand(readings[i:i+1], func(reply carrier.Reply) {
			c.mu.Lock()
			defer c.mu.Unlock()
			past.told(r.sender, losses[i], reply.Status == carrier.StatusDone)
		})
	}
}

// handAnswers are the answers to the readings that a client has handed on: in their order.
type handAnswers struct {
	mu      sync.Mutex
	waiting []handed // oldest first
}

// A handed is readings that were handed on together.
type handed struct {
	left  int // readings that are not answered
	reply carrier.Reply
	ended func(carrier.Reply)
}

func (a *handAnswers) expect(n int, ended func(carrier.Reply)) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.waiting = append(a.waiting, handed{left: n, ended: ended})
}

// Done implements carrier.Answers.
func (a *handAnswers) Done(n int) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for ; n > 0 && len(a.waiting) > 0; n-- {
		a.one(carrier.Reply{})
	}
}

// Fail implements carrier.Answers.
func (a *handAnswers) Fail(r carrier.Reply) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if len(a.waiting) > 0 {
		a.one(r)
	}
}

// one takes the answer to the oldest reading.
func (a *handAnswers) one(r carrier.Reply) {
	h := &a.waiting[0]
	if h.reply.Status == carrier.StatusDone {
		h.reply = r
	}
	if h.left--; h.left > 0 {
		return
	}
	h.ended(h.reply)
	a.waiting[0] = handed{}
	if a.waiting = a.waiting[1:]; len(a.waiting) == 0 {
		a.waiting = nil
	}
}
