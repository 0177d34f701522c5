package mqtt

import (
	"errors"
	"fmt"
	"time"

	"sighub/carrier"
	"sighub/internal/mqtt/packet"
	"sighub/internal/mqtt/shelf"
	"sighub/internal/mqtt/topic"
)

// A Shelf has the messages that are kept: see [topic.IsKept].
type Shelf interface {
	// Shelf returns them as an identity may see them. changed is called after each change, until leave is called.
	Shelf(identity string, changed func()) (s *shelf.Shelf, leave func(), err error)
	// Announce keeps what a client announces at a topic, of a sender and an event of these names. An empty payload clears it.
	// The payload is the caller's.
	Announce(identity, topic string, name topic.Name, payload []byte) error
}

// keptMessages are what a session knows of the shelf. The session's lock guards them, but for what is set once.
type keptMessages struct {
	shelf *shelf.Shelf // nil: the client has not subscribed to any
	leave func()
	at    uint64          // the version up to which the client was told, as it was put
	first []*subscription // those that were not told what there was when they began
	wild  []*subscription // those with wildcards
	known uint64          // changes of the session when wild was made
	// When the client has said last that Home Assistant starts, and that it ends.
	starts, ends time.Time
}

// parseFilter reads a filter.
func (s *Server) parseFilter(text string) (*topic.Filter, error) {
	if s.options.Shelf != nil && topic.IsKept(text) {
		return topic.ParseKept(text)
	}
	return topic.ParseFilter(text)
}

// beginKept begins a subscription to kept messages. tell: the client is told what is there.
func (c *session) beginKept(sub *subscription, tell bool, result func(packet.Reason, error)) {
	if err := c.openShelf(sub); err != nil {
		c.account.Give(sub.cost())
		c.refuse("subscribe", err)
		reason := packet.NotAuthorized
		if errors.Is(err, carrier.ErrLimit) {
			reason = packet.QuotaExceeded
		}
		result(reason, err)
		return
	}
	sub.qos = 0 // what is missed is told again when the client subscribes again
	c.began(sub, carrier.Reply{}, false, func(r packet.Reason, err error) {
		result(r, err)
		c.tellKept(sub, tell)
	})
}

// openShelf finds the shelf for a subscription. The turn is the caller's.
func (c *session) openShelf(sub *subscription) error {
	if c.messages.shelf != nil || sub.filter.String() == topic.Status { // which is told, and not kept
		return nil
	}
	s, leave, err := c.server.options.Shelf.Shelf(c.key.identity, c.pumpKept)
	if err != nil {
		return err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.messages.shelf, c.messages.leave, c.messages.at = s, leave, s.Version()
	return nil
}

// tellKept has a subscription told what there is, if tell is true, and from then on what changes.
func (c *session) tellKept(sub *subscription, tell bool) {
	if tell {
		c.mu.Lock()
		sub.caught = 0
		c.messages.first = append(c.messages.first, sub)
		c.mu.Unlock()
	}
	c.later(c.pumpKept, tell) // the SUBACK goes first
}

// againKept has all subscriptions told again what there is. The lock is held.
func (c *session) againKept() {
	m := &c.messages
	if m.shelf == nil {
		return
	}
	m.first, m.at = nil, m.shelf.Version()
	for _, sub := range c.subs {
		if sub.filter.Kind == topic.Kept {
			sub.caught = 0
			m.first = append(m.first, sub)
		}
	}
}

// pumpKept tells the client what it is to be told of the shelf.
func (c *session) pumpKept() {
	c.mu.Lock()
	c.putKept()
	now := !c.holding
	c.mu.Unlock()
	if now {
		c.flush()
	}
}

// keptPage is how many messages are looked at together.
const keptPage = 64

// putKept puts what the client is to be told of the shelf, as far as it reads: what has changed often meanwhile is told once. The lock is
// held.
func (c *session) putKept() {
	m := &c.messages
	if c.queue != nil && c.queue.held {
		return // the CONNACK goes first
	}
	for m.shelf != nil && c.err == nil && !c.closed && c.replies < maxReplies/2 {
		if len(m.first) > 0 {
			if c.putFirst(m.first[0]) {
				m.first = m.first[1:]
			}
			continue
		}
		list := m.shelf.After(m.at, keptPage)
		if len(list) == 0 {
			return
		}
		if m.known != c.changes {
			m.known, m.wild = c.changes, nil
			for _, sub := range c.subs {
				if sub.filter.Kind == topic.Kept && sub.filter.Wild() {
					m.wild = append(m.wild, sub)
				}
			}
		}
		for i := range list {
			one := &list[i]
			m.at = one.Version
			if sub := c.subs[one.Topic]; sub != nil && sub.filter.Kind == topic.Kept {
				c.putMessage(sub, one, sub.retainAsPublished)
			}
			for _, sub := range m.wild {
				if sub.filter.Matches(one.Topic) {
					c.putMessage(sub, one, sub.retainAsPublished)
				}
			}
		}
	}
}

// putFirst puts what was there when a subscription began, and reports whether that was all. The lock is held.
func (c *session) putFirst(sub *subscription) (all bool) {
	m := &c.messages
	if c.subs[sub.filter.String()] != sub {
		return true // it has ended
	}
	if !sub.filter.Wild() {
		if one, ok := m.shelf.At(sub.filter.String()); ok && one.Version <= m.at {
			c.putMessage(sub, &one, true)
		}
		return true
	}
	list := m.shelf.After(sub.caught, keptPage)
	for i := range list {
		if list[i].Version > m.at {
			return true
		}
		sub.caught = list[i].Version
		if sub.filter.Matches(list[i].Topic) {
			c.putMessage(sub, &list[i], true)
		}
	}
	return len(list) < keptPage
}

// putMessage puts a message of the shelf. That a topic was cleared is told as what has just happened: the client may not have been there.
// The lock is held.
func (c *session) putMessage(sub *subscription, m *shelf.Message, retain bool) {
	h := packet.Head{Version: c.version, Retain: retain && len(m.Payload) > 0, Topic: []byte(m.Topic)}
	if c.version == packet.V5 {
		h.Properties = withID(nil, sub)
	}
	if h.Size(len(m.Payload)) > c.maxPacket {
		c.refusals.Add("size", 1)
		return
	}
	c.reply(func(b []byte) []byte { return h.Append(b, m.Payload) })
}

// errKept is the error of messages to topics of the hub's own.
var errKept = fmt.Errorf("%w: what begins with %s, and the announcements of hubs, are the hub's own: see docs/mqtt.md", carrier.ErrDenied, topic.Now)

// publishKept handles a message to a topic of kept messages.
func (c *session) publishKept(l *link, r *inRoute) error {
	in := &c.publishing.in
	if r.kept != topic.Status {
		if err := c.server.options.Shelf.Announce(c.key.identity, r.kept, r.Name, in.Payload); err != nil {
			reason := packet.NotAuthorized
			if errors.Is(err, carrier.ErrLimit) || errors.Is(err, carrier.ErrTooLarge) {
				reason = packet.QuotaExceeded
			}
			return c.refusePublish(l, reason, err)
		}
	}
	c.deliver()
	c.acks.push(&c.writer, ack{id: in.ID})
	c.settleAcks()
	if r.kept == topic.Status {
		c.homeSays(string(in.Payload))
	}
	return nil
}

// homeSays handles what Home Assistant says of itself: it is told everything when it has started, and those who announce themselves hear
// of it, for they do that again then.
func (c *session) homeSays(status string) {
	if status != homeStarts && status != homeEnds {
		return
	}
	c.mu.Lock()
	said := &c.messages.ends
	if status == homeStarts {
		said = &c.messages.starts
	}
	now := time.Now()
	again := now.Sub(*said) > againTime
	if again {
		*said = now
		if status == homeStarts { // it knows nothing
			c.againKept()
		}
	}
	c.mu.Unlock()
	c.later(c.pumpKept, again)
	if again {
		c.server.tellHome(status)
	}
}

// What Home Assistant says.
const (
	homeStarts = "online"
	homeEnds   = "offline"
)

// tellHome tells all who have subscribed to it what Home Assistant says. Who does not read is not told.
func (s *Server) tellHome(status string) {
	for _, c := range s.all() {
		c.mu.Lock()
		for _, sub := range c.subs {
			if sub.filter.Kind == topic.Kept && sub.filter.Matches(topic.Status) && c.err == nil && !c.closed && c.replies < maxReplies {
				c.putMessage(sub, &shelf.Message{Topic: topic.Status, Payload: []byte(status)}, false)
			}
		}
		now := !c.holding
		c.mu.Unlock()
		if now {
			c.flush()
		}
	}
}
