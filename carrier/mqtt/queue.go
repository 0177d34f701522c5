package mqtt

import (
	"fmt"
	"maps"
	"slices"
	"time"

	"sighub/carrier"
	"sighub/internal/mqtt/packet"
	"sighub/internal/mqtt/topic"
)

// A queue is what a session keeps for its client in memory, because the hub keeps no journal: the messages that are not acknowledged, in
// their order. When it is full while the client is away, the oldest that was not sent makes way, and is told as lost. While the client is
// there, the hub waits for it as for any other: what the queue has counts as pending. The session's lock guards it.
type queue struct {
	list  []queued
	sent  int // how many of the first were sent
	bytes int
	wait  int    // bytes of those that were not sent
	next  uint16 // the latest packet identifier
	lost  map[string]uint64
	since time.Time // since when the client is away
	keep  time.Duration
	held  bool // the CONNACK goes first
}

// A queued message is one with bytes of its own.
type queued struct {
	message
	id uint16 // once it was sent; 0 with QoS 0
	n  uint64 // the signal's number in the flight, plus one; 0: the hub has its answer
}

const queuedCost = 192

func (q *queued) size() int { return queuedCost + len(q.topic) + len(q.payload) + len(q.properties) }

// maxLost is for how many senders it is counted what was lost of each.
const maxLost = 1000

// beginQueue decides whether a session is kept in memory.
func (s *Server) beginQueue(c *session, l *link) {
	if l.expiry <= 0 {
		return
	}
	kept := 0
	for _, other := range s.all() {
		other.mu.Lock()
		if other.queue != nil {
			kept++
		}
		other.mu.Unlock()
	}
	if kept >= s.options.Limits.Sessions {
		l.expiry = 0
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.queue, c.window = &queue{}, s.options.Limits.Window
}

// enqueue keeps a message, and sends it if it is its turn. The lock is held.
func (c *session) enqueue(m message) error {
	q, limits := c.queue, &c.server.options.Limits
	away := c.err != nil
	if away && m.qos == 0 {
		c.pass() // nobody waits for it
		return nil
	}
	one := queued{message: m}
	one.topic, one.payload, one.properties = m.topic, append([]byte(nil), m.payload...), append([]byte(nil), m.properties...)
	size := one.size()
	for away && len(q.list) > q.sent && (len(q.list) >= limits.Queue || q.bytes+size > limits.QueueBytes) {
		c.lose(q.sent)
	}
	if !away {
		h := one.head(c)
		if size := h.Size(len(one.payload)); size > c.maxPacket {
			return fmt.Errorf("%w: it has %d bytes, and the client takes %d", carrier.ErrTooLarge, size, c.maxPacket)
		}
	}
	if err := c.account.Take(size); err != nil {
		return err
	}
	q.bytes += size
	q.wait += size
	if away {
		c.pass()
	} else {
		one.n = c.flight.tail + 1
		c.flight.put(inTransit)
		c.mark = c.flight.tail
	}
	q.list = append(q.list, one)
	c.pump()
	return nil
}

// lose drops a message, and counts it as lost. What was lost of many senders is told of none in particular. The lock is held.
func (c *session) lose(i int) {
	q := c.queue
	text := topic.Of("", topic.Gap)
	if n, err := topic.Parse(string(q.list[i].topic)); err == nil {
		text = topic.Of(n.Sender, topic.Gap)
	}
	if q.lost == nil {
		q.lost = make(map[string]uint64)
	}
	if _, known := q.lost[text]; !known && (len(q.lost) >= maxLost || c.account.Take(lostCost(text)) != nil) {
		text = topic.Of("", topic.Gap)
	}
	q.lost[text]++
	c.remove(i)
}

// lostCost is what the count of a sender is on the account with; that of no sender in particular is on none.
func lostCost(text string) int {
	if text == topic.Of("", topic.Gap) {
		return 0
	}
	return queuedCost + len(text)
}

// tellLost tells the client what was lost, if it has subscribed to that. The lock is held.
func (c *session) tellLost() {
	q := c.queue
	for _, text := range slices.Sorted(maps.Keys(q.lost)) {
		c.account.Give(lostCost(text))
		if sub := c.find(text); sub != nil {
			payload := fmt.Appendf(nil, `{"count":%d,"cause":"slow"}`, q.lost[text])
			h := packet.Head{Version: c.version, Topic: []byte(text)}
			if c.version == packet.V5 {
				h.Properties = withID(nil, sub)
			}
			if h.Size(len(payload)) <= c.maxPacket {
				c.reply(func(b []byte) []byte { return h.Append(b, payload) })
			}
		}
	}
	q.lost = nil
}

// remove takes a message out, whose signal is answered then. The lock is held.
func (c *session) remove(i int) {
	q := c.queue
	one := q.list[i]
	q.bytes -= one.size()
	c.account.Give(one.size())
	if one.n > 0 {
		*c.flight.at(one.n - 1) = landed
	}
	if i == 0 {
		q.list[0] = queued{}
		q.list = q.list[1:]
	} else {
		q.list = append(q.list[:i], q.list[i+1:]...)
	}
	if i < q.sent {
		q.sent--
	} else {
		q.wait -= one.size()
	}
	if len(q.list) == 0 {
		q.list = nil
	}
}

// pump sends what the client takes: what was sent to a connection before, again. The lock is held.
func (c *session) pump() {
	q := c.queue
	for c.err == nil && !q.held && (q.lost == nil || c.replies <= maxReplies) {
		if q.lost != nil {
			c.tellLost()
		}
		if q.sent == len(q.list) || q.sent >= c.link.receiveMax || c.queued >= carrier.PendingLimit {
			break
		}
		one := &q.list[q.sent]
		again := one.id != 0
		if one.qos > 0 && !again {
			next := q.next%ids + 1
			if q.sent > 0 && next == q.list[0].id {
				break // it is in use: the client has not acknowledged that one, but thousands after it
			}
			q.next, one.id = next, next
		}
		switch sent := c.render(one, again); {
		case !sent:
			c.lose(q.sent)
		case one.qos == 0:
			c.remove(q.sent)
		default:
			q.wait -= one.size()
			q.sent++
		}
	}
	c.collect()
}

// head returns the head of the message. The lock is held.
func (q *queued) head(c *session) packet.Head {
	h := packet.Head{Version: c.version, QoS: q.qos, Retain: q.retain, ID: q.id, Topic: q.topic, Properties: q.properties}
	if q.sub > 0 && c.version == packet.V5 {
		h.More = packet.AppendVarint([]byte{packet.PropSubscriptionID}, int(q.sub))
	}
	return h
}

// render puts a message, and reports false if it is too large for the client. The lock is held.
func (c *session) render(one *queued, dup bool) bool {
	h := one.head(c)
	h.Dup = dup
	if h.Size(len(one.payload)) > c.maxPacket {
		return false
	}
	b := c.buffer()
	before := len(*b)
	*b = h.Append(*b, one.payload)
	c.queued += len(*b) - before
	c.count()
	return true
}

// acknowledged notes the client's answer to a message, and reports whether there is one that was sent. The lock is held.
func (c *session) acknowledged(id uint16, failed *carrier.Reply) bool {
	q := c.queue
	if q == nil {
		return c.flight.acknowledged(id, failed)
	}
	for i := range q.sent {
		if q.list[i].id == id {
			c.remove(i)
			c.pump()
			return true
		}
	}
	return false
}

// drop drops everything. The lock is held; q may be nil.
func (q *queue) drop(a *carrier.Account) {
	if q != nil {
		a.Give(q.bytes)
		for text := range q.lost {
			a.Give(lostCost(text))
		}
		q.list, q.sent, q.bytes, q.wait, q.lost = nil, 0, 0, 0, nil
	}
}

// detach takes the connection from a session, which ends unless it is kept in memory. The session has the link until the last: whoever comes
// back meanwhile waits for the link's end, and so finds everything noted.
func (c *session) detach(l *link, why error) {
	c.writer.close()
	keep := l.expiry
	if l.discard.Load() {
		keep = 0
	}
	c.mu.Lock()
	c.acks.forget()
	stays := c.queue != nil && keep > 0 && !errorIsFinal(why) && !c.final
	if stays {
		q := c.queue
		q.since, q.keep = time.Now(), keep
		for i := range q.list {
			if one := &q.list[i]; one.n > 0 {
				*c.flight.at(one.n - 1), one.n = landed, 0 // it is the session's now
			}
		}
		c.flight.written = c.flight.tail
		c.collect()
	}
	c.mu.Unlock()
	if stays {
		c.failAsked(fmt.Errorf("%w: %w", carrier.ErrGone, why))
		c.mu.Lock()
		c.link = nil
		c.mu.Unlock()
		c.server.kept.rouse() // its time has begun
		return
	}
	if errorIsFinal(why) && carrier.Reason(why) == "revoked" {
		keep = 0
	}
	c.server.kept.left(c, keep)
	c.end(why)
}

// errorIsFinal reports whether a session is not kept in memory after its connection has ended for this reason.
func errorIsFinal(why error) bool {
	reason := carrier.Reason(why)
	return reason == "shutdown" || reason == "revoked"
}

// failAsked ends the requests that the client has not answered.
func (c *session) failAsked(err error) {
	c.mu.Lock()
	var list []uint64
	for id := range c.asking.waiting {
		list = append(list, id)
	}
	c.mu.Unlock()
	for _, id := range list {
		if c.answered(id) {
			c.calls.Cancel(id, err)
		}
	}
}

// reattach gives a session that is kept in memory another connection, and sends what was not acknowledged. It reports false if the
// session has ended.
func (c *session) reattach(l *link) bool {
	c.mu.Lock()
	if c.closed || c.final || c.link != nil {
		c.mu.Unlock()
		return false
	}
	q := c.queue
	c.link, c.addr, c.version, c.maxPacket = l, l.addr, l.version, l.maxPacket
	c.nc, c.err = l.nc, nil
	c.ended.Store(false)
	c.changes++
	q.since = time.Time{}
	q.held = true
	c.mu.Unlock()
	return true
}

// resend sends what was not acknowledged, after the CONNACK. The lock is held.
func (c *session) resend() {
	q := c.queue
	q.held, q.sent, q.wait = false, 0, q.bytes
	c.againKept()
	c.putKept()
	c.pump()
}

// all returns the sessions.
func (s *Server) all() []*session {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Collect(maps.Values(s.sessions))
}

// sweepQueues ends the sessions that were kept in memory for long enough.
func (s *Server) sweepQueues(now time.Time) {
	for _, c := range s.all() {
		c.mu.Lock()
		ends := c.link == nil && c.queue != nil && !c.queue.since.IsZero() && (c.final || now.Sub(c.queue.since) > c.queue.keep)
		c.mu.Unlock()
		if ends {
			c.end(carrier.ErrTimeout)
		}
	}
}
