package client

import (
	"context"
	"errors"
	"fmt"
	"net"
	"sync"
	"time"

	"sighub/internal/lockrank"
	"sighub/internal/mqtt/packet"
)

// A Message is what is published, or was published by others.
type Message struct {
	Topic   string
	Payload []byte
	Retain  bool // of a message that was received: the broker had it before

	// What follows is of MQTT 5, and is left out in 3.1.1.

	User []User
	// ResponseTopic and CorrelationData are those of a request.
	ResponseTopic   string
	CorrelationData []byte
}

// A User is a user property.
type User struct{ Key, Value string }

// appendProperties appends the properties of the message.
func (m *Message) appendProperties(dst []byte) []byte {
	if m.ResponseTopic != "" {
		dst = packet.AppendText(append(dst, packet.PropResponseTopic), m.ResponseTopic)
	}
	if len(m.CorrelationData) > 0 {
		dst = packet.AppendText(append(dst, packet.PropCorrelation), m.CorrelationData)
	}
	for _, u := range m.User {
		dst = packet.AppendUser(dst, u.Key, u.Value)
	}
	return dst
}

// maxText is how many bytes a text may have: MQTT 5.0, section 1.5.4.
const maxText = 65535

// checkTopic returns an error if no broker may be sent a message with this topic.
func checkTopic(topic []byte) error {
	if len(topic) > maxText {
		return fmt.Errorf("%w: it has %d bytes, and the limit is %d", ErrTopic, len(topic), maxText)
	}
	if err := packet.ValidTopic(topic); err != nil {
		return fmt.Errorf("%w: %w", ErrTopic, err)
	}
	return nil
}

// Errors of a Client.
var (
	ErrTooLarge = errors.New("mqtt: the message is larger than the broker takes")
	ErrSilent   = errors.New("mqtt: the broker does not answer any more")
	ErrStuck    = errors.New("mqtt: the broker is there, and answers nothing that it is sent")
	ErrProtocol = errors.New("mqtt: the broker sent what is not MQTT")
	ErrTopic    = errors.New("mqtt: the topic is not valid")
	ErrClosed   = errors.New("mqtt: the connection was closed")
)

// Hello is what a broker refuses that takes no connection.
const Hello = "let the hub in"

// A RefusedError is a reason code of a broker that says no: see MQTT 5.0, table 2-6.
type RefusedError struct {
	What   string // Hello, or something else in words
	Code   packet.Reason
	Reason string // of the broker, for people; may be empty
}

// Error returns what was refused, and why.
func (e *RefusedError) Error() string {
	text := fmt.Sprintf("mqtt: the broker refuses to %s: %s", e.What, reasonText(e.Code))
	if e.Reason != "" {
		text += " (" + e.Reason + ")"
	}
	return text
}

// A Client is a connection to a broker. Make one with [Connect]. It is safe for concurrent use. Messages are published in the order in which
// Publish is called.
type Client struct {
	conn    net.Conn
	version byte
	handle  func(*Message)
	alive   time.Duration
	most    int           // bytes of a packet that the broker takes; 0: any
	slots   chan struct{} // one for each message that is not acknowledged
	done    chan struct{}
	running sync.WaitGroup

	writing sync.Mutex // of out; it is held while a packet is written, so it is not a lockrank.Mutex
	out     []byte     // what was written and has not left
	props   []byte     // room for the properties of a message

	mu      lockrank.Mutex[lockrank.Leaf]
	err     error // why the connection has ended
	next    uint16
	flights map[uint16]flight
	moved   time.Time // when a flight was answered last, or nothing waited for an answer
}

// A flight is a packet that waits for its answer.
type flight struct {
	topic    string
	done     func(error)          // of a message
	answered chan []packet.Reason // of anything else
	filters  int                  // to which that is the answer
}

// usualWrite is how much is written at a time.
const usualWrite = 64 << 10

// writeTimeout is how long the broker may take nothing.
const writeTimeout = 30 * time.Second

// Version returns what is spoken: [packet.V5] or [packet.V311].
func (c *Client) Version() byte { return c.version }

// Done is closed when the connection has ended.
func (c *Client) Done() <-chan struct{} { return c.done }

// Err returns why the connection has ended; nil while it has not.
func (c *Client) Err() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.err
}

// end ends the connection, for the first reason that is told.
func (c *Client) end(err error) {
	c.mu.Lock()
	first := c.err == nil
	if first {
		c.err = err
	}
	c.mu.Unlock()
	if first {
		_ = c.conn.Close()
		close(c.done)
	}
}

// Close ends the connection and waits for everything that it has started. In order: the broker does not publish the will.
func (c *Client) Close(inOrder bool) {
	if inOrder && c.Err() == nil {
		_ = c.conn.SetDeadline(time.Now().Add(time.Second))
		_ = c.write(packet.AppendGoodbye)
	}
	c.end(ErrClosed)
	c.running.Wait()
}

// Publish publishes a message with QoS 1. It waits while the window is full. done is called once when the broker has acknowledged the
// message, or refused it, and not at all if the connection ends before. Calls of done do not overlap, and must be short. What is
// published leaves with [Client.Flush] at the latest.
func (c *Client) Publish(ctx context.Context, m *Message, done func(error)) error {
	topic := []byte(m.Topic)
	if err := checkTopic(topic); err != nil {
		return err
	}
	select {
	case c.slots <- struct{}{}:
	default:
		if err := c.Flush(); err != nil { // else its acknowledgements never come
			return err
		}
		select {
		case c.slots <- struct{}{}:
		case <-c.done:
			return c.Err()
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
	c.writing.Lock()
	defer c.writing.Unlock()
	h := packet.Head{Version: c.version, QoS: 1, Retain: m.Retain, Topic: topic}
	if c.version == packet.V5 {
		c.props = m.appendProperties(c.props[:0])
		h.Properties = c.props
	}
	if size := h.Size(len(m.Payload)); c.most > 0 && size > c.most {
		<-c.slots
		return fmt.Errorf("%w: it has %d bytes, and the limit is %d", ErrTooLarge, size, c.most)
	}
	h.ID = c.register(flight{topic: m.Topic, done: done})
	return c.put(func(b []byte) []byte { return h.Append(b, m.Payload) })
}

// Say publishes a message and waits until the broker has acknowledged it.
func (c *Client) Say(ctx context.Context, m *Message) error {
	answered := make(chan error, 1)
	if err := c.Publish(ctx, m, func(err error) { answered <- err }); err != nil {
		return err
	}
	if err := c.Flush(); err != nil {
		return err
	}
	select {
	case err := <-answered:
		return err
	case <-c.done:
		return c.Err()
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// Flush sends what was published.
func (c *Client) Flush() error {
	c.writing.Lock()
	defer c.writing.Unlock()
	return c.flush()
}

func (c *Client) flush() error {
	if len(c.out) == 0 {
		return nil
	}
	_ = c.conn.SetWriteDeadline(time.Now().Add(writeTimeout)) // the write fails if this does
	_, err := c.conn.Write(c.out)
	if c.out = c.out[:0]; cap(c.out) > 2*usualWrite {
		c.out = nil
	}
	if err != nil {
		c.end(fmt.Errorf("%w: %w", ErrSilent, err))
		return c.Err()
	}
	return nil
}

// A Filter is what is subscribed to.
type Filter struct {
	Topics string // with wildcards
	Kept   bool   // what the broker has kept is told first; in MQTT 3.1.1 it always is
	QoS    byte
}

// Subscribe subscribes to filters, and waits for the answer.
func (c *Client) Subscribe(ctx context.Context, filters ...Filter) error {
	list := make([]packet.Subscription, 0, len(filters))
	for _, f := range filters {
		s := packet.Subscription{Filter: []byte(f.Topics), QoS: f.QoS, RetainHandling: 2}
		if f.Kept {
			s.RetainHandling = 0
		}
		list = append(list, s)
	}
	reasons, err := c.ask(ctx, packet.Subscribe, list)
	if err != nil {
		return err
	}
	for i, code := range reasons {
		if code >= packet.Unspecified {
			return &RefusedError{What: "subscribe to " + filters[i].Topics, Code: code}
		}
	}
	return nil
}

// Unsubscribe ends subscriptions.
func (c *Client) Unsubscribe(ctx context.Context, filters ...Filter) error {
	list := make([]packet.Subscription, 0, len(filters))
	for _, f := range filters {
		list = append(list, packet.Subscription{Filter: []byte(f.Topics)})
	}
	_, err := c.ask(ctx, packet.Unsubscribe, list)
	return err
}

// ask sends a SUBSCRIBE or an UNSUBSCRIBE, and waits for its answer.
func (c *Client) ask(ctx context.Context, t packet.Type, filters []packet.Subscription) ([]packet.Reason, error) {
	answered := make(chan []packet.Reason, 1)
	id := c.register(flight{answered: answered, filters: len(filters)})
	err := c.write(func(b []byte) []byte { return packet.AppendSubscribe(b, t, c.version, id, filters, nil) })
	if err != nil {
		return nil, err
	}
	select {
	case reasons := <-answered:
		return reasons, nil
	case <-c.done:
		return nil, c.Err()
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
}

// register gives a packet an identifier. There are fewer packets on their way than identifiers.
func (c *Client) register(f flight) uint16 {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.flights) == 0 {
		c.moved = time.Now()
	}
	for {
		if c.next++; c.next == 0 {
			c.next = 1
		}
		if _, taken := c.flights[c.next]; !taken {
			c.flights[c.next] = f
			return c.next
		}
	}
}

func (c *Client) land(id uint16) (f flight, there bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if f, there = c.flights[id]; there {
		delete(c.flights, id)
		c.moved = time.Now()
	}
	return f, there
}

// write sends a packet, and all before it.
func (c *Client) write(add func([]byte) []byte) error {
	c.writing.Lock()
	defer c.writing.Unlock()
	if err := c.put(add); err != nil {
		return err
	}
	return c.flush()
}

// put writes a packet, which leaves with the next flush. The lock is held.
func (c *Client) put(add func([]byte) []byte) error {
	if err := c.Err(); err != nil {
		return err
	}
	if c.out = add(c.out); len(c.out) >= usualWrite {
		return c.flush()
	}
	return nil
}

// stuckAfter is how long a broker that answers pings may leave everything else unanswered until it is given up, as a multiple of
// Options.Alive.
const stuckAfter = 3

// stuck reports whether the broker has answered nothing for too long of what waits for an answer.
func (c *Client) stuck(now time.Time) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.flights) > 0 && now.Sub(c.moved) > stuckAfter*c.alive
}

// ping sends a sign of life now and then, and looks whether the broker answers what it is sent.
func (c *Client) ping() {
	tick := time.NewTicker(c.alive / 2)
	defer tick.Stop()
	for {
		select {
		case now := <-tick.C:
			if c.stuck(now) {
				c.end(ErrStuck)
				return
			}
			if c.write(packet.AppendPingreq) != nil {
				return
			}
		case <-c.done:
			return
		}
	}
}
