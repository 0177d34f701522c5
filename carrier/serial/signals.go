package serial

import (
	"errors"
	"sync"

	"sighub/carrier"
)

// signals hands on the readings of an EVT frame, each as a message "signal". The frame is answered when all of
// them are: done if they all are, else with the first failure.
func (c *client) signals(e event) {
	c.mu.Lock()
	readings, err := c.peer.readings(e.at, e.arrival.payload, c.dict)
	if errors.Is(err, errTorn) {
		c.peer.stray(e.arrival.in)
	}
	c.line.stats.readings += uint64(len(readings))
	c.line.pace.add(e.at, len(readings))
	c.mu.Unlock()
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
	var mu sync.Mutex
	replies := make([]*carrier.Reply, len(readings))
	left := len(replies)
	answer := func(i int, r carrier.Reply) {
		mu.Lock()
		defer mu.Unlock()
		if replies[i] != nil {
			return
		}
		replies[i] = &r
		if left--; left > 0 {
			return
		}
		for _, r := range replies {
			if r.Status != carrier.StatusDone {
				c.respond(e.arrival.in, *r)
				return
			}
		}
		c.respond(e.arrival.in, carrier.Reply{})
	}
	for i, r := range readings {
		c.server.handler.HandleMessage(c.id, r.message(), func(r carrier.Reply) { answer(i, r) })
	}
}

// losses tells of the readings that may have been lost with the device's memory, and that were not told yet.
func (c *client) losses() {
	c.mu.Lock()
	past := c.peer.past
	losses, readings := past.due(c)
	c.mu.Unlock()
	for i, r := range readings {
		c.server.handler.HandleMessage(c.id, r.message(), func(reply carrier.Reply) {
			c.mu.Lock()
			defer c.mu.Unlock()
			past.told(r.sender, losses[i], reply.Status == carrier.StatusDone)
		})
	}
}
