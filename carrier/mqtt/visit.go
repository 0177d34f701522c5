package mqtt

import (
	"fmt"
	"time"

	"sighub/carrier"
	"sighub/internal/mqtt/topic"
)

// A visit is a message of one client in the name of a sender that another one has: a command beside the states of a device, say. The hub
// knows one client for each sender, so the session of that one, the host, hands it on. The hub has allowed the guest that sender and event
// just before.
type visit struct {
	guest *session
	name  topic.Name
	data  carrier.Value
	time  string // when it happened; empty: now
	cost  int
	late  *late // it has waited until it was known who has the sender; nil: it has not

	counted bool // the hub has counted its refusal
	done    bool // the guest's lock guards it
}

const (
	visitCost = 512                    // bytes, beside what the message has
	offerTime = 100 * time.Millisecond // how long the hub's answer is waited for, whether a sender may be had
)

// Shares implements [carrier.Sharer].
func (s *Server) Shares() {}

// hostOf returns the session that has a sender, if the hub's answer to the addition of it says that another one does. Where that one has just
// gone, the answer becomes a refusal.
func (s *Server) hostOf(r *carrier.Reply) (host *session) {
	if r.Status != carrier.StatusDone || r.Response.IsNull() {
		return nil
	}
	err := r.Response.Fields(func(key string, v carrier.Value) (err error) {
		if key != "client" {
			return nil
		}
		var id carrier.ClientID
		if err = v.Decode(&id); err == nil {
			host, err = s.clients.Find(id)
		}
		if err == nil && host == nil { // it is about to go: see tellWill
			err = errHostGone
		}
		return err
	})
	if err != nil {
		*r = carrier.Failed(errHostGone)
	}
	return host
}

// sendBy has a host hand on a message of this client's, once it is known which one. The turn is the caller's.
func (c *session) sendBy(o *offered, r *inRoute, id uint16, s *carrier.Signal) error {
	v := &visit{guest: c, name: r.Name, data: s.Data.Clone(), cost: visitCost + len(r.Sender) + len(r.Name.Name) + s.Data.Size(), late: o.late}
	if s.Time > 0 {
		v.time = time.Unix(0, s.Time).UTC().Format(time.RFC3339Nano)
	}
	if err := c.account.Take(v.cost); err != nil {
		c.withdraw(o.late)
		return err
	}
	c.acks.push(&c.writer, ack{id: id, visit: v})
	if o.late != nil {
		c.behind(o.late, v)
	} else {
		o.host.receive(v)
	}
	return nil
}

// receive hands on a message of a guest, after those that came before.
func (c *session) receive(v *visit) {
	c.mu.Lock()
	closed := c.closed
	if !closed {
		c.visits.waiting = append(c.visits.waiting, v)
		if !c.visits.running {
			c.visits.running = true
			c.tasks.Go(c.host)
		}
	}
	c.mu.Unlock()
	if closed {
		v.end(carrier.Failed(errHostGone))
	}
}

var errHostGone = fmt.Errorf("%w: the client whose sender it is has just gone: send it again", carrier.ErrGone)

// visits are the messages of guests that a session has to hand on. Its lock guards them.
type visits struct {
	running bool
	waiting []*visit
}

// host hands on what guests have sent, on a goroutine of its own.
func (c *session) host() {
	c.turn.Lock()
	defer c.turn.Unlock()
	c.handOn()
}

// handOn hands on what guests have sent. The turn is the caller's.
func (c *session) handOn() {
	for {
		c.mu.Lock()
		if len(c.visits.waiting) == 0 || c.closed {
			c.visits.running = false
			c.mu.Unlock()
			return
		}
		v := c.visits.waiting[0]
		c.visits.waiting = c.visits.waiting[1:]
		own := c.publishing.ownOf(v.name.Sender)
		_, known := own.events[v.name.Name]
		full := !known && len(own.events) >= maxGuests
		if !known && !full {
			own.events[v.name.Name] = ofGuests
		}
		c.mu.Unlock()
		if full {
			v.end(carrier.Failed(errGuests))
			continue
		}
		c.deliver()
		if !known {
			c.addSender(v.name.Sender, []string{v.name.Name}, nil, func(carrier.Reply) {}) // if it is refused, so is the message
		}
		info := carrier.Object{{Key: "sender", Value: v.name.Sender}, {Key: "event", Value: v.name.Name}}
		if v.time != "" {
			info = append(info, carrier.Field{Key: "time", Value: v.time})
		}
		c.message("signal", carrier.Object{{Key: "info", Value: info}, {Key: "data", Value: v.data}}, v.end)
	}
}

// maxGuests is how many events a sender may have when a guest adds one: they are on the account of the host.
const maxGuests = 256

var errGuests = fmt.Errorf("%w: the sender has %d events, and only its own client may add more", carrier.ErrLimit, maxGuests)

// endVisits ends those that were not handed on. What was is answered by the hub: it may have happened, so its client must not be asked to
// send it again. The session is closed.
func (c *session) endVisits() {
	c.mu.Lock()
	list := c.visits.waiting
	c.visits.waiting = nil
	c.mu.Unlock()
	for _, v := range list {
		v.end(carrier.Failed(errHostGone))
	}
}

// end answers the guest, unless it has an answer.
func (v *visit) end(r carrier.Reply) {
	c := v.guest
	c.mu.Lock()
	if v.done {
		c.mu.Unlock()
		return
	}
	v.done = true
	c.account.Give(v.cost)
	if v.late != nil {
		v.late.left--
		c.forgetLate(v.late)
	}
	var old *link
	if r.Status != carrier.StatusDone {
		for i := c.acks.head; i < len(c.acks.list); i++ {
			if c.acks.list[i].visit == v {
				old = c.failAck(&c.acks.list[i], r)
			}
		}
	}
	c.settled()
	if r.Status != carrier.StatusDone && !v.counted {
		c.refuse("publish", r.Err())
	}
	old.endOf(r)
}
