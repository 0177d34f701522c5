package peers

import (
	"bufio"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
	"net"
	"sync/atomic"
	"time"

	"sighub/scripts/bench/message"
)

// The part of MQTT 3.1.1 that the benchmark needs: QoS 1, acknowledgements written together, no allocation per message. So the broker is
// measured, and not a client library.

// The first bytes of packets.
const (
	mqttConnect   = 0x10
	mqttConnAck   = 0x20
	mqttPublish   = 0x30
	mqttQoS1      = 0x02
	mqttPubAck    = 0x40
	mqttSubscribe = 0x82
	mqttSubAck    = 0x90

	mqttClean = 0x02 // a flag of mqttConnect
)

// mqttSize returns the size of the payload of every packet: a text in JSON, which sighub passes on as it is. All brokers get the same.
func mqttSize() int { return message.Size + 2 }

// MQTTInFlight is the number of messages that a sender may have unacknowledged. Brokers acknowledge at once, even if nobody has heard the
// message yet. More messages gain nothing and make the queues long: with 60,000, Mosquitto takes ten times as long to deliver them. With
// fewer, brokers wait.
const MQTTInFlight = 2000

// An mqttConn is a connection to a broker.
type mqttConn struct {
	c       net.Conn
	in      *bufio.Reader
	out     *sink
	unacked *quota
	fn      func(payload []byte)
	done    chan struct{}
}

// dialMQTT connects. One goroutine calls fn for each message that arrives. A client with a name has a session that outlives the
// connection.
func dialMQTT(addr, name string, fn func([]byte)) (*mqttConn, error) {
	c, err := net.DialTimeout("tcp", addr, Patience)
	if err != nil {
		return nil, err
	}
	m := &mqttConn{
		c: c, in: bufio.NewReaderSize(c, 32<<10+message.Size), out: newSink(c), unacked: newQuota(MQTTInFlight), fn: fn, done: make(chan struct{}),
	}
	flags := byte(0)
	if name == "" { // the broker chooses one
		flags = mqttClean
	}
	hello := []byte{mqttConnect, byte(12 + len(name)), 0, 4, 'M', 'Q', 'T', 'T', 4, flags, 0, 0} // without keepalive
	err = m.ask(appendText(hello, name), mqttConnAck, 1)
	if err != nil {
		return nil, errors.Join(err, c.Close())
	}
	return m, nil
}

// ask sends a packet before read runs, and waits for the answer, whose byte at this index must be good.
func (m *mqttConn) ask(packet []byte, answer byte, at int) error {
	if err := m.c.SetDeadline(time.Now().Add(Patience)); err != nil {
		return err
	}
	if _, err := m.c.Write(packet); err != nil {
		return err
	}
	head, body, err := m.packet()
	switch {
	case err != nil:
		return fmt.Errorf("mqtt: %w", err)
	case head != answer || len(body) <= at || body[at] > 1:
		return fmt.Errorf("mqtt: the broker answers %#x %x to %#x", head, body, packet[0])
	}
	_, _ = m.in.Discard(len(body)) // it was peeked at
	return m.c.SetDeadline(time.Time{})
}

// packet reads a packet's head; its body is still to be discarded.
func (m *mqttConn) packet() (head byte, body []byte, err error) {
	if head, err = m.in.ReadByte(); err != nil {
		return 0, nil, err
	}
	size, err := binary.ReadUvarint(m.in) // MQTT writes lengths alike
	if err != nil {
		return 0, nil, err
	}
	if size > uint64(m.in.Size()) {
		return 0, nil, fmt.Errorf("a packet of %d bytes", size)
	}
	body, err = m.in.Peek(int(size))
	return head, body, err
}

func (m *mqttConn) subscribe(topic string) error {
	packet := appendText([]byte{mqttSubscribe, byte(2 + 2 + len(topic) + 1), 0, 1}, topic)
	return m.ask(append(packet, 1), mqttSubAck, 2)
}

func appendText(b []byte, text string) []byte {
	return append(binary.BigEndian.AppendUint16(b, uint16(len(text))), text...)
}

// serve starts to read.
func (m *mqttConn) serve() {
	go func() {
		defer close(m.done)
		m.unacked.fail(m.read())
	}()
}

// read reads until the connection ends. It flushes answers whenever it has read everything that has arrived.
func (m *mqttConn) read() error {
	for {
		head, body, err := m.packet()
		if err != nil {
			return err
		}
		switch head & 0xf0 {
		case mqttPublish:
			if err := m.heard(head, body); err != nil {
				return err
			}
		case mqttPubAck:
			m.unacked.give(1)
		}
		_, _ = m.in.Discard(len(body)) // it was peeked at
		if m.in.Buffered() > 0 {
			continue
		}
		if err := m.out.Flush(); err != nil {
			return err
		}
	}
}

func (m *mqttConn) heard(head byte, body []byte) error {
	if len(body) < 2 {
		return io.ErrUnexpectedEOF
	}
	at := 2 + int(binary.BigEndian.Uint16(body))
	if head&mqttQoS1 != 0 {
		if len(body) < at+2 {
			return io.ErrUnexpectedEOF
		}
		ack := [4]byte{mqttPubAck, 2, body[at], body[at+1]}
		if err := m.out.add(ack[:], nil); err != nil {
			return err
		}
		at += 2
	}
	if text := body[at:]; len(text) == mqttSize() {
		m.fn(text[1 : len(text)-1])
	} else {
		m.fn(text) // garbled: the case fails
	}
	return nil
}

func (m *mqttConn) Close() {
	_ = m.c.Close()
	<-m.done
}

// An mqttPublisher sends to one topic.
type mqttPublisher struct {
	*mqttConn
	head []byte // of each packet: all but its payload, and the quote before that
	body []byte // its payload and the quote after that
	id   uint16
}

// publishTo returns the publisher of a topic.
func (m *mqttConn) publishTo(topic string) *mqttPublisher {
	head := binary.AppendUvarint([]byte{mqttPublish | mqttQoS1}, uint64(2+len(topic)+2+mqttSize())) // MQTT writes lengths alike
	head = appendText(head, topic)
	return &mqttPublisher{mqttConn: m, head: append(head, 0, 0, '"'), body: append(make([]byte, message.Size), '"')}
}

func (p *mqttPublisher) Publish(payload []byte) error {
	if err := p.unacked.take(p.out.Flush); err != nil {
		return err
	}
	if p.id++; p.id == 0 {
		p.id = 1 // 0 is none; ids return long after their acknowledgement
	}
	binary.BigEndian.PutUint16(p.head[len(p.head)-3:], p.id)
	copy(p.body, payload)
	return p.out.add(p.head, p.body)
}

func (p *mqttPublisher) Flush() error { return p.out.Flush() }

func (p *mqttPublisher) Drain() error {
	if err := p.out.Flush(); err != nil {
		return err
	}
	return p.unacked.wait()
}

// mqttClients makes the clients of an MQTT broker.
type mqttClients struct {
	Process
	persistent bool // listeners have sessions that the broker keeps
	listeners  atomic.Int64
}

// Topics, as sighub understands them as well: the last level is an event, and what stands before it the sender, who belongs to one client.
const (
	topicAll      = "+/e"
	topicRequests = "q/e"
	topicAnswers  = "a/e"
)

func topicOf(sender int) string {
	if sender == Everyone {
		return topicAll
	}
	return fmt.Sprintf("s%d/e", sender)
}

func (*mqttClients) Acknowledged() bool { return true }

// Ignore hears nothing.
func Ignore([]byte) {}

func (b *mqttClients) Publisher(_ context.Context, sender int) (Publisher, error) {
	m, err := dialMQTT(b.addr, "", Ignore)
	if err != nil {
		return nil, err
	}
	m.serve()
	return m.publishTo(topicOf(sender)), nil
}

func (b *mqttClients) Subscribe(_ context.Context, sender int, fn func([]byte)) (Closer, error) {
	return b.listen(topicOf(sender), fn, func(*mqttConn) {})
}

// listen returns a client that hears a topic, after prepare was called with it.
func (b *mqttClients) listen(topic string, fn func([]byte), prepare func(*mqttConn)) (*mqttConn, error) {
	name := ""
	if b.persistent {
		name = fmt.Sprintf("listener%d", b.listeners.Add(1))
	}
	m, err := dialMQTT(b.addr, name, fn)
	if err != nil {
		return nil, err
	}
	prepare(m)
	if err := m.subscribe(topic); err != nil {
		return nil, errors.Join(err, m.c.Close())
	}
	m.serve()
	return m, nil
}

// respond answers on the connection on which the requests arrive, so that answers and acknowledgements are written together.
func (b *mqttClients) Respond(context.Context) (Closer, error) {
	var out *mqttPublisher
	echo := func(p []byte) { _ = out.Publish(p) } // if it fails, the requester notices
	return b.listen(topicRequests, echo, func(m *mqttConn) {
		m.unacked = newQuota(math.MaxUint16) // the goroutine that sends answers also reads acknowledgements, so it must not wait for them
		out = m.publishTo(topicAnswers)
	})
}

func (b *mqttClients) Requester(context.Context) (Requester, error) {
	r := newSlotRequester(nil)
	_, err := b.listen(topicAnswers, r.answer, func(m *mqttConn) {
		r.out, r.closers = &lockedPublisher{Publisher: m.publishTo(topicRequests)}, closers{m}
	})
	return r, err
}
