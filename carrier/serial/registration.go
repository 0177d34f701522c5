package serial

import (
	"sync"
	"time"

	"sighub/carrier"
	"sighub/carrier/serial/internal/wire"
)

// A registry registers the senders of a device's dictionary with the hub, and offers those that were refused again
// and again, for as long as the device stays: their names may become free.
type registry struct {
	client  *client
	entries []*registration
	retry   *time.Timer // nil: nothing was refused
}

type registration struct {
	sender  wire.Sender
	pending bool // offered and not answered
	done    bool
	told    string // why it was refused, as logged
}

func newRegistry(c *client) *registry {
	r := &registry{client: c}
	if c.dict != nil {
		for _, s := range c.dict.Senders {
			r.entries = append(r.entries, &registration{sender: s})
		}
	}
	return r
}

// offer offers every sender that the hub does not have.
func (r *registry) offer() {
	r.retry = nil
	for _, e := range r.entries {
		if e.done || e.pending {
			continue
		}
		e.pending = true
		events := make([]string, len(e.sender.Events))
		for i, ev := range e.sender.Events {
			events[i] = ev.Name
		}
		var requests any
		if e.sender.Requests != nil {
			requests = e.sender.Requests
		}
		m := &carrier.Message{Method: "add_sender", Params: carrier.ValueOf(carrier.Object{
			{Key: "sender", Value: e.sender.Name}, {Key: "events", Value: events}, {Key: "requests", Value: requests},
		})}
		var once sync.Once
		r.client.server.handler.HandleMessage(r.client.id, m, func(reply carrier.Reply) {
			once.Do(func() { r.client.queue.Put(event{registered: e, reply: reply}) })
		})
	}
}

// answered takes the reply to an offer, and returns whether the hub has the sender now.
func (r *registry) answered(e *registration, reply carrier.Reply) bool {
	e.pending = false
	err := reply.Err()
	if err == nil {
		e.done = true
		return true
	}
	if r.retry == nil {
		r.retry = time.NewTimer(r.client.server.o.Retry)
	}
	if e.told == err.Error() {
		return false
	}
	e.told = err.Error()
	r.client.server.o.Logger.Error("the hub refuses a sender of the device", "port", r.client.line.path,
		"device", r.client.name(), "sender", e.sender.Name, "error", err)
	return false
}

// again tells when to offer what was refused.
func (r *registry) again() <-chan time.Time {
	if r.retry == nil {
		return nil
	}
	return r.retry.C
}
