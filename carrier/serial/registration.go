package serial

import (
	"time"

	"sighub/carrier"
	"sighub/carrier/serial/internal/wire"
	"sighub/internal/lockrank"
)

// registrations registers the senders of a device's dictionary with the hub. It offers refused ones again and again, because
// their names may become free.
type registrations struct {
	client  *client
	entries []*registration
	retry   <-chan time.Time // says when to offer the refused senders again; nil: there are none
}

// A registration is the registration of one sender.
type registration struct {
	sender   wire.Sender
	pending  bool // offered, and not answered yet
	accepted bool
	logged   string // the latest reason for refusing it that was logged
}

func newRegistrations(c *client) *registrations {
	r := &registrations{client: c}
	if c.dict != nil {
		for _, s := range c.dict.Senders {
			r.entries = append(r.entries, &registration{sender: s})
		}
	}
	return r
}

// offer offers the hub every sender that it has not accepted.
func (r *registrations) offer() {
	r.retry = nil
	for _, e := range r.entries {
		if e.accepted || e.pending {
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
		lockrank.MustBeFree("a handler gets a message")
		a := &carrier.Answer{Send: func(_ carrier.Value, reply carrier.Reply) { r.client.queue.Put(event{registered: e, reply: reply}) }}
		r.client.server.handler.HandleMessage(r.client.id, m, a.Respond)
	}
}

// answered takes the reply to an offer. It reports whether the hub has accepted the sender.
func (r *registrations) answered(e *registration, reply carrier.Reply) bool {
	e.pending = false
	err := reply.Err()
	if err == nil {
		e.accepted = true
		return true
	}
	if r.retry == nil {
		r.retry = time.After(r.client.server.options.Retry)
	}
	if e.logged != err.Error() {
		e.logged = err.Error()
		r.client.server.options.Logger.Error("the hub refuses a sender of the device", "port", r.client.line.path,
			"device", r.client.name(), "sender", e.sender.Name, "error", err)
	}
	return false
}
