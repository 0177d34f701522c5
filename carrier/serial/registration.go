package serial

import (
	"fmt"
	"slices"
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
	pending int              // offered, and not answered yet
	retry   <-chan time.Time // says when to offer the refused senders again; nil: there are none
	logged  []string         // the causes of refusals that were logged
}

// A registration is the registration of one sender.
type registration struct {
	sender   wire.Sender
	pending  bool
	accepted bool
	refused  error // the latest reason
}

// newRegistrations returns the registrations of a client's dictionary. Senders beyond the limit are not offered.
func newRegistrations(c *client) *registrations {
	r := &registrations{client: c}
	if c.dict == nil {
		return r
	}
	most := c.server.options.MaxSenders
	for _, s := range c.dict.Senders[:min(len(c.dict.Senders), most)] {
		r.entries = append(r.entries, &registration{sender: s})
	}
	if over := len(c.dict.Senders) - most; over > 0 {
		err := fmt.Errorf("%w: the dictionary has %d senders, and the hub takes %d of a device", carrier.ErrLimit, len(c.dict.Senders), most)
		c.server.mu.Lock()
		c.senders.refuse(c.dict.Senders[most].Name, err, over)
		c.record.refused.add(over, err)
		c.server.mu.Unlock()
		r.log(carrier.Cause(err), over, c.dict.Senders[most].Name, err)
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
		r.pending++
		events := make([]string, len(e.sender.Events))
		var units map[string]string
		for i, ev := range e.sender.Events {
			events[i] = ev.Name
			if ev.Unit != "" {
				if units == nil {
					units = make(map[string]string)
				}
				units[ev.Name] = ev.Unit
			}
		}
		var requests any
		if e.sender.Requests != nil {
			requests = e.sender.Requests
		}
		params := carrier.Object{
			{Key: "sender", Value: e.sender.Name}, {Key: "events", Value: events}, {Key: "requests", Value: requests},
		}
		if units != nil {
			params = append(params, carrier.Field{Key: "units", Value: units})
		}
		m := &carrier.Message{Method: methodAddSender, Params: carrier.ValueOf(params)}
		lockrank.MustBeFree("a handler gets a message")
		a := &carrier.Answer{Send: func(_ carrier.Value, reply carrier.Reply) { r.client.queue.Put(event{registered: e, reply: reply}) }}
		r.client.server.handler.HandleMessage(r.client.id, m, a.Respond)
	}
}

// answered takes the reply to an offer. It reports whether the hub has accepted the sender.
func (r *registrations) answered(e *registration, reply carrier.Reply) bool {
	c := r.client
	e.pending = false
	r.pending--
	first := e.refused == nil
	e.refused = reply.Err()
	e.accepted = e.refused == nil
	c.server.mu.Lock()
	if e.accepted {
		c.senders.accept(e.sender.Name)
	} else {
		c.senders.refuse(e.sender.Name, e.refused, 1)
		if first { // and not whenever it is refused again
			c.record.refused.note(e.refused)
		}
	}
	c.server.mu.Unlock()
	if !e.accepted && r.retry == nil {
		r.retry = time.After(c.server.options.Retry)
	}
	if r.pending == 0 {
		r.logRefused()
	}
	return e.accepted
}

// logRefused logs the refusals that stand, once for each cause.
func (r *registrations) logRefused() {
	counts := make(map[string]int)
	firsts := make(map[string]*registration)
	var causes []string
	for _, e := range r.entries {
		if e.refused == nil {
			continue
		}
		cause := carrier.Cause(e.refused)
		if counts[cause]++; counts[cause] == 1 {
			firsts[cause] = e
			causes = append(causes, cause)
		}
	}
	for _, cause := range causes {
		r.log(cause, counts[cause], firsts[cause].sender.Name, firsts[cause].refused)
	}
}

// log logs that n senders are refused, of which the first is named, unless this cause was logged.
func (r *registrations) log(cause string, n int, sender string, err error) {
	if slices.Contains(r.logged, cause) {
		return
	}
	r.logged = append(r.logged, cause)
	r.client.server.options.Logger.Error("the hub refuses senders of a device", "port", r.client.line.path,
		"device", r.client.name(), "uid", r.client.device.ID, "cause", cause, "senders", n, "sender", sender, "error", err)
}
