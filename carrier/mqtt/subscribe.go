package mqtt

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"sync/atomic"

	"sighub/carrier"
	"sighub/internal/mqtt/packet"
	"sighub/internal/mqtt/topic"
)

const subscriptionCost = 512 // bytes of one, beside its text

// A subscription is one filter of a client's. The session's lock guards what changes.
type subscription struct {
	filter            *topic.Filter
	qos               byte
	noLocal           bool
	retainAsPublished bool
	id                uint32 // the Subscription Identifier; 0: none
	policy            string
	deadline          uint64
	cursors           []string // in the journal, one for each listener; none if the session is not kept there
	listeners         []uint64 // the hub's numbers
	caught            uint64   // of kept messages: up to which version it was told what was there when it began
}

// tells reports whether the client has asked for a topic.
func (s *subscription) tells(text string) bool { return s.filter.Matches(text) }

func (s *subscription) cost() int { return subscriptionCost + 2*len(s.filter.String()) + len(s.policy) }

// targets returns the senders and events that the hub is to tell of; empty is any.
func (s *subscription) targets() [][2]string {
	f := s.filter
	switch f.Kind {
	case topic.Event:
		return [][2]string{{f.Sender, f.Name.Name}}
	case topic.State:
		return [][2]string{{f.Sender, topic.Connect}, {f.Sender, topic.Disconnect}}
	case topic.Lost:
		return [][2]string{{f.Sender, topic.Gap}}
	default:
		return nil
	}
}

// A suback collects what a SUBACK or an UNSUBACK says.
type suback struct {
	session *session
	link    *link // only its client is told
	kind    packet.Type
	id      uint16
	reasons []packet.Reason
	text    string // of the first refusal
	left    atomic.Int32
}

// done notes one result less to wait for, and answers when there is none any more.
func (a *suback) done() {
	if a.left.Add(-1) > 0 {
		return
	}
	c := a.session
	c.mu.Lock()
	if c.link == a.link {
		text := c.text(a.text, len(a.reasons))
		c.reply(func(b []byte) []byte { return packet.AppendSuback(b, a.kind, c.version, a.id, a.reasons, text) })
	}
	now := !c.holding
	c.mu.Unlock()
	if now {
		c.flush()
	}
	c.server.kept.begun(c)
	c.ordered()
}

// result returns what notes the result for one filter.
func (a *suback) result(i int) func(packet.Reason, error) {
	return func(r packet.Reason, err error) {
		a.session.mu.Lock()
		a.reasons[i] = r
		if err != nil && a.text == "" {
			a.text = err.Error()
		}
		a.session.mu.Unlock()
		a.done()
	}
}

// subscribe handles a SUBSCRIBE. The turn is the caller's.
func (c *session) subscribe(l *link, p *packet.SubscribePacket) {
	a := &suback{session: c, link: l, kind: packet.Suback, id: p.ID, reasons: make([]packet.Reason, len(p.Subscriptions))}
	a.left.Store(int32(len(p.Subscriptions)) + 1)
	policy, deadline, err := policyOf(p.Properties.User)
	for i := range p.Subscriptions {
		s := &p.Subscriptions[i]
		result := a.result(i)
		sub := &subscription{
			qos: min(s.QoS, 1), noLocal: s.NoLocal, retainAsPublished: s.RetainAsPublished,
			id: p.Properties.SubscriptionID, policy: policy, deadline: deadline,
		}
		reason, wrong := c.read(string(s.Filter), sub, err)
		if wrong != nil {
			c.refuse("subscribe", wrong)
			result(reason, wrong)
			continue
		}
		c.begin(sub, s.RetainHandling, result)
	}
	a.done()
}

// policyOf reads what user properties say about a client that cannot keep up.
func policyOf(list []packet.UserProperty) (policy string, deadline uint64, err error) {
	for _, u := range list {
		switch string(u.Name) {
		case "policy":
			policy = string(u.Value)
		case "deadline":
			if deadline, err = strconv.ParseUint(string(u.Value), 10, 32); err != nil {
				err = fmt.Errorf("%w: deadline must be a number of milliseconds", carrier.ErrMalformed)
			}
		}
	}
	return policy, deadline, err
}

var errShared = &packet.Error{Reason: packet.NoShared, Text: "shared subscriptions are not available"}

// read reads the filter of a subscription, for which it makes room.
func (c *session) read(text string, sub *subscription, before error) (reason packet.Reason, err error) {
	if strings.HasPrefix(text, packet.Shared) {
		return packet.NoShared, errShared
	}
	sub.filter, err = c.server.parseFilter(text)
	switch {
	case before != nil:
		return packet.Implementation, before
	case err != nil:
		return packet.BadFilter, &packet.Error{Reason: packet.BadFilter, Text: err.Error()}
	}
	if err := c.server.kept.fits(c, sub); err != nil {
		return packet.QuotaExceeded, err
	}
	if err := c.account.Take(sub.cost()); err != nil {
		return packet.QuotaExceeded, err
	}
	return 0, nil
}

// begin begins a subscription, in the place of one with the same filter.
func (c *session) begin(sub *subscription, retain byte, result func(packet.Reason, error)) {
	c.mu.Lock()
	old := c.subs[sub.filter.String()]
	c.mu.Unlock()
	tell := retain == 0 || retain == 1 && old == nil
	if sub.filter.Kind == topic.Kept {
		c.beginKept(sub, tell, result)
		return
	}
	if old != nil && c.kept != nil {
		c.goOn(old, sub, tell, result)
		return
	}
	switch {
	case sub.filter.Kind == topic.Request:
		c.addAsked(sub.filter, func(r carrier.Reply) { c.began(sub, r, false, result) })
		return
	case sub.filter.Kind == topic.Answer || sub.filter.Kind == topic.Nothing:
		c.began(sub, carrier.Reply{}, false, result)
		return
	}
	if c.kept != nil {
		sub.cursors = c.newCursors(sub)
	}
	c.listen(sub, tell && c.server.keeper != nil && sub.filter.Kind == topic.Event, func(r carrier.Reply) {
		c.began(sub, r, tell && sub.filter.States, result)
	})
}

// goOn changes what a subscription of a kept session says. Its listeners stay: its client misses nothing, and hears nothing twice. So it
// needs no last values, either.
func (c *session) goOn(old, sub *subscription, tell bool, result func(packet.Reason, error)) {
	c.account.Give(sub.cost())
	c.mu.Lock()
	old.qos, old.noLocal, old.retainAsPublished, old.id = sub.qos, sub.noLocal, sub.retainAsPublished, sub.id
	c.changes++
	c.mu.Unlock()
	c.later(func() { c.tellStates(old) }, tell && old.filter.States)
	c.server.kept.changed(c, func() { result(packet.Reason(sub.qos), nil) })
}

// listen has the hub tell of all targets of a subscription, and calls respond with its answer: that to the first one that it refuses.
func (c *session) listen(sub *subscription, last bool, respond func(carrier.Reply)) {
	targets := sub.targets()
	var failed atomic.Pointer[carrier.Reply]
	var left atomic.Int32
	left.Store(int32(len(targets)))
	for i, t := range targets {
		params := carrier.Object{
			{Key: "sender", Value: nullIfEmpty(t[0])}, {Key: "event", Value: nullIfEmpty(t[1])}, {Key: "early", Value: true},
			{Key: "policy", Value: nullIfEmpty(sub.policy)},
		}
		if sub.deadline > 0 {
			params = append(params, carrier.Field{Key: "deadline", Value: sub.deadline})
		}
		if last {
			params = append(params, carrier.Field{Key: "last", Value: true})
		}
		if sub.cursors != nil {
			params = append(params, carrier.Field{Key: "cursor", Value: sub.cursors[i]})
		}
		c.message("add_listener", params, func(r carrier.Reply) {
			if id, ok := listenerOf(&r); ok {
				c.mu.Lock()
				c.listeners[id] = sub
				sub.listeners = append(sub.listeners, id)
				c.changes++
				c.mu.Unlock()
			} else {
				failed.CompareAndSwap(nil, &r)
			}
			if left.Add(-1) > 0 {
				return
			}
			if f := failed.Load(); f != nil {
				r = *f
			}
			respond(r)
		})
	}
}

func nullIfEmpty(text string) any {
	if text == "" {
		return nil
	}
	return text
}

// listenerOf returns the number that the hub has given a listener.
func listenerOf(r *carrier.Reply) (id uint64, ok bool) {
	if r.Status != carrier.StatusDone {
		return 0, false
	}
	err := r.Response.Fields(func(key string, v carrier.Value) error {
		if key == "listener_id" {
			ok = true
			return v.Decode(&id)
		}
		return nil
	})
	if err != nil || !ok {
		*r = carrier.Failed(errors.New("mqtt: the hub's answer has no listener_id"))
	}
	return id, ok && err == nil
}

// began notes that a subscription has begun, in the place of one with the same filter, which may stand before it in the same packet; or
// that the hub has refused it. states: the client is to be told which senders are connected.
func (c *session) began(sub *subscription, r carrier.Reply, states bool, result func(packet.Reason, error)) {
	c.mu.Lock()
	old := c.subs[sub.filter.String()]
	ids, cursors := sub.listeners, sub.cursors
	done := r.Status == carrier.StatusDone
	if done {
		c.subs[sub.filter.String()] = sub
		if ids, cursors = nil, nil; old != nil {
			ids, cursors = old.listeners, old.cursors
			c.account.Give(old.cost())
		}
	} else {
		c.account.Give(sub.cost())
	}
	c.changes++
	c.mu.Unlock()
	answer := func() {
		c.later(func() { c.tellStates(sub) }, states)
		c.server.kept.changed(c, func() { result(packet.Reason(sub.qos), nil) })
	}
	if !done {
		reason := reasonOf(r)
		if reason == packet.BadTopic {
			reason = packet.BadFilter
		}
		answer = func() { result(reason, r.Err()) }
	}
	if len(ids) == 0 {
		answer()
		return
	}
	// The client is answered once the subscription that is replaced has ended.
	c.later(func() {
		c.stopListening(ids, func() {
			c.server.kept.forget(cursors)
			answer()
		})
	}, true)
}

// later calls f, if there is something to do, on a goroutine of its own that has the turn.
func (c *session) later(f func(), something bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !something || c.closed {
		return
	}
	c.tasks.Go(func() {
		c.turn.Lock()
		defer c.turn.Unlock()
		f()
	})
}

// stopListening removes listeners, and then calls then, if it is not nil. The turn is the caller's.
func (c *session) stopListening(ids []uint64, then func()) {
	var left atomic.Int32
	left.Store(int32(len(ids)) + 1)
	done := func() {
		if left.Add(-1) == 0 && then != nil {
			then()
		}
	}
	c.mu.Lock()
	for _, id := range ids {
		delete(c.listeners, id)
	}
	c.changes++
	c.mu.Unlock()
	for _, id := range ids {
		c.message("remove_listener", carrier.Object{{Key: "listener_id", Value: id}}, func(carrier.Reply) { done() })
	}
	done()
}

// unsubscribe handles an UNSUBSCRIBE. The turn is the caller's.
func (c *session) unsubscribe(l *link, p *packet.SubscribePacket) {
	a := &suback{session: c, link: l, kind: packet.Unsuback, id: p.ID, reasons: make([]packet.Reason, len(p.Subscriptions))}
	a.left.Store(int32(len(p.Subscriptions)) + 1)
	for i := range p.Subscriptions {
		result := a.result(i)
		f, err := c.server.parseFilter(string(p.Subscriptions[i].Filter))
		c.mu.Lock()
		var sub *subscription
		if err == nil {
			sub = c.subs[f.String()]
			delete(c.subs, f.String())
			c.changes++
		}
		c.mu.Unlock()
		if sub == nil {
			result(packet.NoSubscription, nil)
			continue
		}
		c.account.Give(sub.cost())
		c.stopListening(sub.listeners, func() {
			c.server.kept.changed(c, func() { result(packet.Success, nil) })
		})
	}
	a.done()
}
