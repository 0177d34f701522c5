package mqtt

import (
	"fmt"
	"strconv"
	"sync/atomic"
	"time"

	"sighub/carrier"
	"sighub/internal/mqtt/packet"
	"sighub/internal/mqtt/topic"
)

// An outRoute is what a session knows of a route of signals to it.
type outRoute struct {
	changes uint64 // of the session, when it was made
	sub     *subscription
	topic   []byte
	told    bool // the client is told of them
}

// Window implements [carrier.SignalSink].
func (c *session) Window() int { return c.window }

// Account implements [carrier.SignalSink].
func (c *session) Account(total *atomic.Int64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.total = total
}

// Put implements [carrier.SignalSink].
func (c *session) Put(r *carrier.OutRoute, p *carrier.PackedSignal) (pending int, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed || c.err != nil && c.queue == nil {
		return 0, carrier.ErrGone
	}
	to := c.known(r)
	s, data := p.Parts()
	if !to.told || s.Last && (r.Event == topic.Connect || r.Event == topic.Disconnect) {
		c.pass()
		return c.queued, nil
	}
	if r.Event == topic.Connect || r.Event == topic.Disconnect {
		data = stateOf(data, r.Event == topic.Connect)
		c.asking.stateTold(r.Sender)
	}
	m := message{topic: to.topic, payload: data, qos: to.sub.qos, retain: s.Last || to.sub.retainAsPublished, sub: to.sub.id}
	if c.version == packet.V5 || c.queue != nil {
		if len(p.Extra) == 0 {
			p.Extra = appendProperties(p.Extra, &r.Route, s)
		}
		m.properties = p.Extra
	}
	if c.queue != nil {
		err := c.enqueue(m)
		return c.unsent(), err
	}
	return c.queued, c.put(&m)
}

// Tells implements [carrier.Chooser].
func (c *session) Tells(r *carrier.OutRoute) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	to := c.known(r)
	return to.told || to.sub == nil // a listener may be known before its subscription is
}

// known returns what the session knows of a route. The lock is held.
func (c *session) known(r *carrier.OutRoute) *outRoute {
	to, ok := r.Handle.(*outRoute)
	if !ok || to.changes != c.changes {
		to = c.route(&r.Route)
		r.Handle = to
	}
	return to
}

// pass answers a signal that the client is not told of. The lock is held.
func (c *session) pass() {
	c.flight.put(landed)
	c.mark = c.flight.tail
	c.collect()
}

// A message is what a PUBLISH to the client says.
type message struct {
	topic, payload, properties []byte
	qos                        byte
	retain                     bool
	sub                        uint32 // the Subscription Identifier; 0: none
}

// put puts a PUBLISH, and a place for its answer. The lock is held.
func (c *session) put(m *message) error {
	var more [6]byte
	h := packet.Head{Version: c.version, QoS: m.qos, Retain: m.retain, Topic: m.topic, Properties: m.properties}
	if m.sub > 0 {
		h.More = packet.AppendVarint(append(more[:0], packet.PropSubscriptionID), int(m.sub))
	}
	if size := h.Size(len(m.payload)); size > c.maxPacket {
		return fmt.Errorf("%w: it has %d bytes, and the client takes %d", carrier.ErrTooLarge, size, c.maxPacket)
	}
	if m.qos > 0 {
		h.ID = c.flight.put(inTransit)
	} else {
		c.flight.put(inWriting)
	}
	c.mark = c.flight.tail
	b := c.buffer()
	before := len(*b)
	*b = h.Append(*b, m.payload)
	c.queued += len(*b) - before
	c.count()
	return nil
}

// Submit implements [carrier.SignalSink].
func (c *session) Submit() {}

// Pending implements [carrier.SignalSink].
func (c *session) Pending() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.unsent()
}

// unsent returns how many bytes of signals wait. The lock is held.
func (c *session) unsent() int {
	if c.queue != nil && c.err == nil {
		return c.queued + c.queue.wait
	}
	return c.queued
}

// Flush implements [carrier.SignalSink].
func (c *session) Flush(bool) { c.flush() }

// route finds out what becomes of signals of a route. The lock is held.
func (c *session) route(r *carrier.Route) *outRoute {
	to := &outRoute{changes: c.changes, sub: c.listeners[r.Listener], topic: []byte(topic.Of(r.Sender, r.Event))}
	if to.sub == nil || to.sub.noLocal && c.publishing.has(r.Sender, r.Event) {
		return to
	}
	if to.told = to.sub.tells(string(to.topic)); !to.told && r.Event == topic.Gap {
		for _, sub := range c.subs { // another one has the topic for what this one has lost
			if sub.filter.Kind != topic.Lost && sub.tells(string(to.topic)) || sub.filter.Kind == topic.Lost && sub.filter.Matches(string(to.topic)) {
				to.sub, to.told = sub, true
				break
			}
		}
	}
	return to
}

// stateOf returns what a client is told of a sender that connects or disconnects.
func stateOf(data []byte, connected bool) []byte {
	b := append(make([]byte, 0, len(data)+20), `{"connected":`...)
	b = strconv.AppendBool(b, connected)
	if len(data) > 2 && data[0] == '{' {
		return append(append(b, ','), data[1:]...)
	}
	return append(b, '}')
}

// appendProperties appends the user properties of an event.
func appendProperties(b []byte, r *carrier.Route, s *carrier.Signal) []byte {
	if s.Time > 0 {
		at := len(b) + 5 + len("time")
		b = packet.AppendUser(b, "time", "")
		b = time.Unix(0, s.Time).UTC().AppendFormat(b, time.RFC3339Nano)
		n := len(b) - at
		b[at-2], b[at-1] = byte(n>>8), byte(n)
	}
	for _, p := range [...]struct {
		name  string
		value uint64
	}{
		{"uncertainty", uint64(max(s.Uncertainty, 0))}, {"seq", s.Seq}, {"connection", r.Connection},
		{"epoch", uint64(r.Epoch)}, {"sequence", s.Sequence},
	} {
		if p.value > 0 {
			var digits [20]byte
			b = packet.AppendText(append(b, packet.PropUser), p.name)
			b = packet.AppendText(b, strconv.AppendUint(digits[:0], p.value, 10))
		}
	}
	return b
}
