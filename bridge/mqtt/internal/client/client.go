package client

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
	"time"

	"github.com/eclipse/paho.golang/packets"

	"sighub/internal/lockrank"
)

// A Message is what is published, or was published by others.
type Message struct {
	Topic   string
	Payload []byte
	Retain  bool // of a message that was received: the broker had it before
	User    []packets.User
	// ResponseTopic and CorrelationData are those of a request.
	ResponseTopic   string
	CorrelationData []byte
}

// size returns about how many bytes the packet of the message has, at the most.
func (m *Message) size() int {
	n := 32 + len(m.Topic) + len(m.Payload) + len(m.ResponseTopic) + len(m.CorrelationData)
	for _, u := range m.User {
		n += 5 + len(u.Key) + len(u.Value)
	}
	return n
}

// Errors of a Client.
var (
	ErrTooLarge = errors.New("mqtt: the message is larger than the broker takes")
	ErrSilent   = errors.New("mqtt: the broker does not answer any more")
	ErrProtocol = errors.New("mqtt: the broker sent what is not MQTT 5")
	ErrClosed   = errors.New("mqtt: the connection was closed")
)

// Hello is what a broker refuses that takes no connection.
const Hello = "let the hub in"

// A RefusedError is a reason code of a broker that says no: see MQTT 5.0, table 2-6.
type RefusedError struct {
	What   string // Hello, or something else in words
	Code   byte
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
	handle  func(*Message)
	alive   time.Duration
	most    int           // bytes of a packet that the broker takes; 0: any
	slots   chan struct{} // one for each message that is not acknowledged
	done    chan struct{}
	running sync.WaitGroup

	writing sync.Mutex // of w; it is held while a packet is written, so it is not a lockrank.Mutex
	w       *bufio.Writer

	mu      lockrank.Mutex[lockrank.Leaf]
	err     error // why the connection has ended
	next    uint16
	flights map[uint16]flight
}

// A flight is a packet that waits for its answer.
type flight struct {
	topic    string
	done     func(error) // of a message
	answered chan []byte // of anything else: the reasons
}

// maxPacket is how many bytes a packet of the broker may have.
const maxPacket = 1 << 20

// writeTimeout is how long the broker may take nothing.
const writeTimeout = 30 * time.Second

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
		_ = c.write(packets.NewControlPacket(packets.DISCONNECT))
	}
	c.end(ErrClosed)
	c.running.Wait()
}

// Publish publishes a message with QoS 1. It waits while the window is full. done is called once when the broker has acknowledged the
// message, or refused it, and not at all if the connection ends before. Calls of done do not overlap, and must be short. What is
// published leaves with [Client.Flush] at the latest.
func (c *Client) Publish(ctx context.Context, m *Message, done func(error)) error {
	if c.most > 0 && m.size() > c.most {
		return fmt.Errorf("%w: it has about %d bytes, and the limit is %d", ErrTooLarge, m.size(), c.most)
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
	id := c.register(flight{topic: m.Topic, done: done})
	p := &packets.Publish{
		Topic: m.Topic, Payload: m.Payload, Retain: m.Retain, QoS: 1, PacketID: id,
		Properties: &packets.Properties{User: m.User, ResponseTopic: m.ResponseTopic, CorrelationData: m.CorrelationData},
	}
	return c.put(p.ToControlPacket())
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
	if c.w.Buffered() == 0 {
		return nil
	}
	_ = c.conn.SetWriteDeadline(time.Now().Add(writeTimeout)) // the write fails if this does
	if err := c.w.Flush(); err != nil {
		c.end(fmt.Errorf("%w: %w", ErrSilent, err))
		return c.Err()
	}
	return nil
}

// A Filter is what is subscribed to.
type Filter struct {
	Topics string // with wildcards
	Kept   bool   // what the broker has kept is told first
	QoS    byte
}

// Subscribe subscribes to filters, and waits for the answer.
func (c *Client) Subscribe(ctx context.Context, filters ...Filter) error {
	p := packets.NewControlPacket(packets.SUBSCRIBE)
	s := p.Content.(*packets.Subscribe)
	for _, f := range filters {
		o := packets.SubOptions{Topic: f.Topics, QoS: f.QoS, RetainHandling: packets.RetainDoNotSend}
		if f.Kept {
			o.RetainHandling = packets.RetainSendOnSubscribe
		}
		s.Subscriptions = append(s.Subscriptions, o)
	}
	reasons, err := c.ask(ctx, func(id uint16) *packets.ControlPacket {
		s.PacketID = id
		return p
	})
	if err != nil {
		return err
	}
	for i, code := range reasons {
		if code >= 0x80 && i < len(filters) {
			return &RefusedError{What: "subscribe to " + filters[i].Topics, Code: code}
		}
	}
	return nil
}

// Unsubscribe ends a subscription.
func (c *Client) Unsubscribe(ctx context.Context, topics string) error {
	p := packets.NewControlPacket(packets.UNSUBSCRIBE)
	u := p.Content.(*packets.Unsubscribe)
	u.Topics = []string{topics}
	_, err := c.ask(ctx, func(id uint16) *packets.ControlPacket {
		u.PacketID = id
		return p
	})
	return err
}

// ask sends a packet and waits for its answer.
func (c *Client) ask(ctx context.Context, packet func(id uint16) *packets.ControlPacket) ([]byte, error) {
	answered := make(chan []byte, 1)
	id := c.register(flight{answered: answered})
	if err := c.write(packet(id)); err != nil {
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
	f, there = c.flights[id]
	delete(c.flights, id)
	return f, there
}

// write sends a packet, and all before it.
func (c *Client) write(p *packets.ControlPacket) error {
	c.writing.Lock()
	defer c.writing.Unlock()
	if err := c.put(p); err != nil {
		return err
	}
	return c.flush()
}

// put writes a packet, which leaves with the next flush. The lock is held.
func (c *Client) put(p *packets.ControlPacket) error {
	if err := c.Err(); err != nil {
		return err
	}
	_ = c.conn.SetWriteDeadline(time.Now().Add(writeTimeout)) // the write fails if this does
	if _, err := p.WriteTo(c.w); err != nil {
		c.end(fmt.Errorf("%w: %w", ErrSilent, err))
		return c.Err()
	}
	return nil
}

// ping sends a sign of life when nothing else was sent for a while.
func (c *Client) ping() {
	tick := time.NewTicker(c.alive / 2)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			if c.write(packets.NewControlPacket(packets.PINGREQ)) != nil {
				return
			}
		case <-c.done:
			return
		}
	}
}

// read reads packets until the connection ends.
func (c *Client) read(r *bufio.Reader) {
	for {
		_ = c.conn.SetReadDeadline(time.Now().Add(c.alive * 3 / 2)) // the read fails if this does
		p, err := readPacket(r)
		if err == nil {
			err = c.take(p)
		}
		if err != nil {
			c.end(err)
			return
		}
	}
}

// take deals with a packet.
func (c *Client) take(p *packets.ControlPacket) error {
	switch content := p.Content.(type) {
	case *packets.Puback:
		f, there := c.land(content.PacketID)
		if !there || f.done == nil {
			return fmt.Errorf("%w: an acknowledgement of nothing", ErrProtocol)
		}
		var err error
		if content.ReasonCode >= 0x80 {
			err = &RefusedError{What: "take what is published to " + f.topic, Code: content.ReasonCode, Reason: reasonOf(content.Properties)}
		}
		f.done(err)
		<-c.slots
	case *packets.Suback:
		return c.answered(content.PacketID, content.Reasons)
	case *packets.Unsuback:
		return c.answered(content.PacketID, content.Reasons)
	case *packets.Publish:
		if content.QoS == 2 {
			return fmt.Errorf("%w: a message with QoS 2, which was not asked for", ErrProtocol)
		}
		m := &Message{Topic: content.Topic, Payload: content.Payload, Retain: content.Retain}
		if props := content.Properties; props != nil {
			m.User, m.ResponseTopic, m.CorrelationData = props.User, props.ResponseTopic, props.CorrelationData
		}
		c.handle(m)
		if content.QoS == 1 {
			ack := packets.NewControlPacket(packets.PUBACK)
			ack.Content.(*packets.Puback).PacketID = content.PacketID
			return c.write(ack)
		}
	case *packets.Disconnect:
		return &RefusedError{What: "go on", Code: content.ReasonCode, Reason: reasonOf(content.Properties)}
	case *packets.Pingresp:
	default:
		return fmt.Errorf("%w: a packet %s", ErrProtocol, p.PacketType())
	}
	return nil
}

func (c *Client) answered(id uint16, reasons []byte) error {
	f, there := c.land(id)
	if !there || f.answered == nil {
		return fmt.Errorf("%w: an answer to nothing", ErrProtocol)
	}
	f.answered <- reasons
	return nil
}

func reasonOf(p *packets.Properties) string {
	if p == nil {
		return ""
	}
	return p.ReasonString
}

// readPacket reads a packet of at most maxPacket bytes.
func readPacket(r *bufio.Reader) (p *packets.ControlPacket, err error) {
	size, err := sizeOfNext(r)
	if err != nil {
		return nil, err
	}
	data := make([]byte, size)
	if _, err := io.ReadFull(r, data); err != nil {
		return nil, readError(err)
	}
	defer func() {
		if recover() != nil { // the parser trusts some lengths where an int has 32 bits
			p, err = nil, fmt.Errorf("%w: a packet that is malformed", ErrProtocol)
		}
	}()
	if p, err = packets.ReadPacket(bytes.NewReader(data)); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrProtocol, err)
	}
	return p, nil
}

// sizeOfNext looks at the type and the length of the next packet, and returns how many bytes it has.
func sizeOfNext(r *bufio.Reader) (int, error) {
	length := 0
	for n := 2; ; n++ {
		head, err := r.Peek(n)
		if err != nil {
			return 0, readError(err)
		}
		b, kind := head[n-1], head[0]>>4
		length |= int(b&0x7f) << (7 * (n - 2))
		switch {
		case kind == 0 || kind == packets.CONNECT || kind == packets.AUTH || kind != packets.PUBLISH && head[0]&0x0f != 0:
			return 0, fmt.Errorf("%w: a packet that begins with 0x%02x", ErrProtocol, head[0])
		case n > 5 || length > maxPacket:
			return 0, fmt.Errorf("%w: a packet of more than %d bytes", ErrProtocol, maxPacket)
		case b < 0x80:
			return n + length, nil
		}
	}
}

func readError(err error) error {
	var timeout net.Error
	switch {
	case errors.As(err, &timeout) && timeout.Timeout():
		return ErrSilent
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return fmt.Errorf("%w by the broker", ErrClosed)
	case errors.As(err, new(*net.OpError)):
		return fmt.Errorf("%w: %w", ErrClosed, err)
	default:
		return fmt.Errorf("%w: %w", ErrProtocol, err)
	}
}
