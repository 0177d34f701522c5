package client

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/eclipse/paho.golang/packets"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// A script is a broker that says what it is told to.
type script struct {
	t    *testing.T
	conn net.Conn
	r    *bufio.Reader
}

// connect returns a Client, and the broker at its other end, which has said hello with the given answer.
func connect(t *testing.T, o Options, ack *packets.Connack) (*Client, *script, error) {
	t.Helper()
	near, far := net.Pipe()
	t.Cleanup(func() { _ = far.Close() })
	s := &script{t, far, bufio.NewReader(far)}
	o.Dial = func(context.Context, string) (net.Conn, error) { return near, nil }
	if o.Handle == nil {
		o.Handle = func(*Message) {}
	}
	said := make(chan struct{})
	go func() {
		defer close(said)
		s.next(packets.CONNECT)
		p := packets.NewControlPacket(packets.CONNACK)
		p.Content = ack
		s.say(p)
	}()
	c, err := Connect(t.Context(), o)
	<-said
	if err == nil {
		t.Cleanup(func() { c.Close(false) })
	}
	return c, s, err
}

func (s *script) next(kind byte) *packets.ControlPacket {
	p, err := packets.ReadPacket(s.r)
	if err != nil || p.Type != kind {
		s.t.Errorf("packet %v, %v", p, err)
		return packets.NewControlPacket(kind)
	}
	return p
}

func (s *script) say(p *packets.ControlPacket) {
	if _, err := p.WriteTo(s.conn); err != nil {
		s.t.Error(err)
	}
}

func (s *script) ack(id uint16, reason byte) {
	p := packets.NewControlPacket(packets.PUBACK)
	p.Content.(*packets.Puback).PacketID, p.Content.(*packets.Puback).ReasonCode = id, reason
	s.say(p)
}

func taken() *packets.Connack { return &packets.Connack{Properties: &packets.Properties{}} }

// TestWindow: no more is on its way than the broker allows, and what waits leaves when something is acknowledged.
func TestWindow(t *testing.T) {
	ack := taken()
	most := uint16(2)
	ack.Properties.ReceiveMaximum = &most
	c, s, err := connect(t, Options{}, ack)
	if err != nil {
		t.Fatal(err)
	}
	acked := make(chan error, 3)
	published := make(chan error, 1)
	go func() {
		for range 3 {
			if err := c.Publish(t.Context(), &Message{Topic: "a"}, func(err error) { acked <- err }); err != nil {
				published <- err
				return
			}
		}
		published <- c.Flush()
	}()
	first, second := s.next(packets.PUBLISH), s.next(packets.PUBLISH)
	_ = s.conn.SetReadDeadline(time.Now().Add(50 * time.Millisecond))
	if b, err := s.r.ReadByte(); err == nil {
		t.Errorf("0x%02x: a third message is on its way", b)
	}
	_ = s.conn.SetReadDeadline(time.Time{})
	s.ack(first.PacketID(), 0)
	third := s.next(packets.PUBLISH)
	if err := <-published; err != nil {
		t.Fatal(err)
	}
	s.ack(second.PacketID(), 0x97)
	s.ack(third.PacketID(), 0x10)
	if err := <-acked; err != nil {
		t.Error(err)
	}
	r, is := errors.AsType[*RefusedError](<-acked)
	if !is || r.Code != 0x97 || !strings.Contains(r.Error(), "a quota is exceeded") {
		t.Errorf("%v", r)
	}
	if err := <-acked; err != nil { // nobody has subscribed
		t.Error(err)
	}
}

// TestRefused: a broker that says no, or cannot do what is needed, is told in words.
func TestRefused(t *testing.T) {
	none := byte(0)
	for want, ack := range map[string]*packets.Connack{
		"the user name or the password is wrong (who?)": {ReasonCode: 0x86, Properties: &packets.Properties{ReasonString: "who?"}},
		"reason 0xee":              {ReasonCode: 0xee, Properties: &packets.Properties{}},
		"it does not speak MQTT 5": {ReasonCode: 1, Properties: &packets.Properties{}},
		"it has QoS 0 only":        {Properties: &packets.Properties{MaximumQOS: &none}},
		"it does not keep":         {Properties: &packets.Properties{RetainAvailable: &none}},
	} {
		if _, _, err := connect(t, Options{}, ack); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", want, err)
		}
	}
}

// TestTooLarge: what the broker does not take is not sent.
func TestTooLarge(t *testing.T) {
	ack := taken()
	most := uint32(100)
	ack.Properties.MaximumPacketSize = &most
	c, _, err := connect(t, Options{}, ack)
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Publish(t.Context(), &Message{Topic: "a", Payload: make([]byte, 100)}, nil); !errors.Is(err, ErrTooLarge) {
		t.Error(err)
	}
}

// TestSilence: a broker that says nothing any more is given up, and so is one that never answers.
func TestSilence(t *testing.T) {
	c, s, err := connect(t, Options{Alive: 50 * time.Millisecond}, taken())
	if err != nil {
		t.Fatal(err)
	}
	begun := time.Now()
	s.next(packets.PINGREQ)
	<-c.Done()
	if took := time.Since(begun); took > writeTimeout/2 {
		t.Errorf("that took %s", took)
	}
	if !errors.Is(c.Err(), ErrSilent) {
		t.Error(c.Err())
	}
	if err := c.Publish(t.Context(), &Message{Topic: "a"}, nil); err == nil {
		t.Error("something is published to nobody")
	}
	near, far := net.Pipe()
	defer far.Close()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	go func() { _, _ = bufio.NewReader(far).ReadByte() }()
	if _, err := Connect(ctx, Options{Dial: func(context.Context, string) (net.Conn, error) { return near, nil }}); !errors.Is(err, context.DeadlineExceeded) {
		t.Error(err)
	}
}

// TestNonsense: whatever a broker sends ends the connection, and nothing else.
func TestNonsense(t *testing.T) {
	for name, data := range map[string][]byte{
		"type 0":            {0x00, 0x00},
		"connect":           {0x10, 0x00},
		"auth":              {0xf0, 0x00},
		"another connack":   {0x20, 0x03, 0, 0, 0},
		"length":            {0x30, 0xff, 0xff, 0xff, 0xff, 0x01},
		"large":             {0x30, 0xff, 0xff, 0xff, 0x7f},
		"ack of nothing":    {0x40, 0x02, 0x12, 0x34},
		"suback of nothing": {0x90, 0x04, 0x12, 0x34, 0, 0},
		"qos 2":             {0x34, 0x06, 0, 1, 'a', 0, 1, 0},
		"property":          {0x30, 0x06, 0, 1, 'a', 2, 0x7f, 0},
		"short":             {0x30, 0x02, 0, 9},
		"http":              []byte("HTTP/1.1 400 Bad Request\r\n\r\n"),
		"disconnect":        {0xe0, 0x01, 0x8e},
	} {
		c, s, err := connect(t, Options{}, taken())
		if err != nil {
			t.Fatal(err)
		}
		go func() { _, _ = s.conn.Write(data) }()
		<-c.Done()
		if name == "disconnect" {
			r, is := errors.AsType[*RefusedError](c.Err())
			if !is || r.Code != 0x8e {
				t.Error(c.Err())
			}
		} else if !errors.Is(c.Err(), ErrProtocol) {
			t.Errorf("%s: %v", name, c.Err())
		}
		c.Close(true)
	}
}

// TestMessages: what is received is told, and acknowledged.
func TestMessages(t *testing.T) {
	got := make(chan *Message, 1)
	_, s, err := connect(t, Options{Handle: func(m *Message) { got <- m }}, taken())
	if err != nil {
		t.Fatal(err)
	}
	s.say((&packets.Publish{Topic: "a", Payload: []byte("x"), Retain: true, QoS: 1, PacketID: 7, Properties: &packets.Properties{
		ResponseTopic: "b", CorrelationData: []byte("c"), User: []packets.User{{Key: "k", Value: "v"}},
	}}).ToControlPacket())
	m := <-got
	if m.Topic != "a" || string(m.Payload) != "x" || !m.Retain || m.ResponseTopic != "b" || string(m.CorrelationData) != "c" || m.User[0].Value != "v" {
		t.Errorf("%+v", m)
	}
	if p := s.next(packets.PUBACK); p.PacketID() != 7 {
		t.Errorf("%v", p)
	}
}

// FuzzRead: no bytes make it panic, or take more memory than a packet may have.
func FuzzRead(f *testing.F) {
	f.Add([]byte{0x40, 0x02, 0x12, 0x34})
	f.Add([]byte{0x30, 0x08, 0, 1, 'a', 3, 0x26, 0, 0, 0})
	f.Add([]byte{0x20, 0x06, 0, 0, 3, 0x21, 0, 20})
	f.Add([]byte{0x30, 0x80, 0x80, 0x80, 0x00})
	f.Add([]byte{0x90, 0x08, 0, 1, 0xff, 0xff, 0xff, 0xff, 0x0f, 0})
	f.Fuzz(func(t *testing.T, data []byte) {
		r := bufio.NewReader(bytes.NewReader(data))
		for {
			if _, err := readPacket(r); err != nil {
				if !errors.Is(err, ErrProtocol) && !errors.Is(err, ErrClosed) {
					t.Errorf("%v", err)
				}
				return
			}
		}
	})
}
