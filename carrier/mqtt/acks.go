package mqtt

import (
	"fmt"

	"sighub/carrier"
	"sighub/internal/mqtt/packet"
)

// acks are the messages of a client that are not acknowledged, in their order: acknowledgements must have it, too. The session's lock
// guards them.
type acks struct {
	list     []ack
	head     int
	answered int // how many of the first signals in the list are done: they wait for what stands before them
	qos1     int // how many of them are to be acknowledged
}

// An ack is one that is due.
type ack struct {
	id     uint16 // 0: the message had QoS 0, or its connection has ended
	signal bool   // the hub has to answer first
	failed bool   // it has
	visit  *visit // another client's session has to answer first; nil: none has
	route  *inRoute
	reason packet.Reason
	text   string
}

func (a *acks) len() int { return len(a.list) - a.head }

// push adds one.
func (a *acks) push(w *writer, one ack) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if a.head > 1024 && a.head > len(a.list)/2 {
		a.list = a.list[:copy(a.list, a.list[a.head:])]
		a.head = 0
	}
	a.list = append(a.list, one)
	if one.id != 0 {
		a.qos1++
	}
}

func (a *acks) pop() ack {
	one := a.list[a.head]
	a.list[a.head] = ack{}
	if a.head++; a.head == len(a.list) {
		a.list, a.head = a.list[:0], 0
	}
	if one.id != 0 {
		a.qos1--
	}
	return one
}

// forget forgets that anything is to be acknowledged: the connection has ended.
func (a *acks) forget() {
	for i := a.head; i < len(a.list); i++ {
		a.list[i].id = 0
	}
	a.qos1 = 0
}

// unacknowledged returns how many messages of the client are to be acknowledged.
func (c *session) unacknowledged() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.acks.qos1
}

// settleAcks acknowledges what need not wait any more.
func (c *session) settleAcks() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.settleReady()
}

// settleReady is settleAcks for whoever has the lock.
func (c *session) settleReady() {
	for a := &c.acks; a.len() > 0; {
		switch one := &a.list[a.head]; {
		case one.visit != nil && !one.visit.done:
			return
		case one.signal && !one.failed && a.answered == 0:
			return
		case one.signal && !one.failed:
			a.answered--
		}
		c.acknowledge(a.pop())
	}
}

// acknowledge writes a PUBACK. The lock is held.
func (c *session) acknowledge(one ack) {
	if one.id == 0 {
		return
	}
	text := c.text(one.text, 0)
	c.reply(func(b []byte) []byte { return packet.AppendAck(b, c.version, one.id, one.reason, text) })
}

// Done implements [carrier.Answers].
func (c *session) Done(n int) {
	c.mu.Lock()
	c.acks.answered += n
	c.settled()
}

// settled ends a change of acks, and gives up the lock.
func (c *session) settled() {
	c.settleReady()
	c.notify()
	now := !c.holding
	c.mu.Unlock()
	if now {
		c.flush()
	}
}

// Fail implements [carrier.Answers]. The hub has counted the refusal.
func (c *session) Fail(r carrier.Reply) {
	c.mu.Lock()
	var old *link
	if one := c.acks.unanswered(); one != nil {
		if one.route != nil && one.route.refused != nil { // that says more than that there is no such sender
			r = *one.route.refused
		}
		one.failed = true
		old = c.failAck(one, r)
	}
	c.settled()
	old.endOf(r)
}

// unanswered returns the first signal that the hub has not answered, or nil if it has answered all. The lock is held.
func (a *acks) unanswered() *ack {
	done := a.answered
	for i := a.head; i < len(a.list); i++ {
		switch one := &a.list[i]; {
		case !one.signal || one.failed:
		case done == 0:
			return one
		default:
			done--
		}
	}
	return nil
}

// failAck notes that a message is refused. In MQTT 3.1.1, nothing but the end of the connection tells it, which is returned then; else nil.
// The lock is held.
func (c *session) failAck(one *ack, r carrier.Reply) (old *link) {
	one.reason, one.text = reasonOf(r), r.Err().Error()
	if one.id != 0 && c.link != nil && c.version != packet.V5 {
		old, one.id = c.link, 0
		c.acks.qos1--
	}
	return old
}

// endOf ends a connection because of a refusal; l may be nil.
func (l *link) endOf(r carrier.Reply) {
	if l != nil {
		l.fail(fmt.Errorf("%w: a message is refused: %w", carrier.ErrClosed, r.Err()))
	}
}
