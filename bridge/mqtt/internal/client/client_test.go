package client

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"io"
	"net"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"sighub/internal/mqtt/packet"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// A script is a broker that says what it is told to. It speaks the codec of servers.
type script struct {
	t    *testing.T
	conn net.Conn
	r    *packetReader
}

// An answer is what a script says to CONNECT.
type answer struct {
	version    byte // 0: MQTT 5
	reason     packet.Reason
	properties []byte
	silent     bool // it closes the connection instead
}

func (a *answer) append(dst []byte) []byte {
	return packet.AppendConnack(dst, cmp.Or(a.version, packet.V5), false, a.reason, a.properties)
}

// connect returns a Client, and the broker at its other end, which has said hello with the given answers, one for each connection.
func connectTo(t *testing.T, o Options, answers ...answer) (*Client, *script, []byte, error) {
	t.Helper()
	var said sync.WaitGroup
	var last *script
	var versions []byte
	o.Dial = func(context.Context, string) (net.Conn, error) {
		near, far := net.Pipe()
		t.Cleanup(func() { _ = far.Close() })
		s := &script{t, far, &packetReader{conn: far}}
		said.Wait()
		last = s
		if len(versions) == len(answers) {
			return nil, errors.New("nobody listens")
		}
		a := answers[len(versions)]
		versions = append(versions, cmp.Or(a.version, packet.V5))
		said.Go(func() {
			c, err := packet.ParseConnect(s.next(packet.Connect))
			if err != nil {
				t.Error(err)
			}
			versions[len(versions)-1] = c.Version
			if a.silent {
				_ = far.Close()
				return
			}
			_, _ = far.Write(a.append(nil))
		})
		return near, nil
	}
	if o.Handle == nil {
		o.Handle = func(*Message) {}
	}
	c, err := Connect(t.Context(), o)
	said.Wait()
	if err == nil {
		t.Cleanup(func() { c.Close(false) })
	}
	return c, last, versions, err
}

// connect is connectTo with one answer.
func connect(t *testing.T, o Options, a answer) (*Client, *script, error) {
	t.Helper()
	o.Version = cmp.Or(a.version, packet.V5)
	c, s, _, err := connectTo(t, o, a)
	return c, s, err
}

// next returns the body of the next packet.
func (s *script) next(kind packet.Type) []byte {
	p, err := s.r.next()
	if err != nil || p.Type != kind {
		s.t.Errorf("packet %s, %v", p.Type, err)
	}
	return bytes.Clone(p.Body)
}

// published returns the identifier of the next message.
func (s *script) published() uint16 {
	var in packet.PublishPacket
	if err := packet.ParsePublish(packet.V5, 2, s.next(packet.Publish), &in); err != nil {
		s.t.Error(err)
	}
	return in.ID
}

func (s *script) say(data []byte) {
	if _, err := s.conn.Write(data); err != nil {
		s.t.Error(err)
	}
}

func (s *script) ack(id uint16, reason packet.Reason) {
	s.say(packet.AppendAck(nil, packet.V5, id, reason, ""))
}

// TestWindow: no more is on its way than the broker allows, and what waits leaves when something is acknowledged.
func TestWindow(t *testing.T) {
	c, s, err := connect(t, Options{}, answer{properties: packet.AppendUint16(nil, packet.PropReceiveMax, 2)})
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
	first, second := s.published(), s.published()
	_ = s.conn.SetReadDeadline(time.Now().Add(50 * time.Millisecond))
	if p, err := s.r.next(); err == nil {
		t.Errorf("%s: a third message is on its way", p.Type)
	}
	_ = s.conn.SetReadDeadline(time.Time{})
	s.ack(first, 0)
	third := s.published()
	if err := <-published; err != nil {
		t.Fatal(err)
	}
	s.ack(second, 0x97)
	s.ack(third, 0x10)
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
	for want, a := range map[string]answer{
		"the user name or the password is wrong (who?)": {reason: 0x86, properties: packet.AppendReasonText(nil, "who?")},
		"the user name or the password is wrong":        {version: packet.V311, reason: packet.BadLogin},
		"reason 0xee":                                   {reason: 0xee},
		"it does not speak this version":                {reason: packet.UnsupportedVersion},
		"it has QoS 0 only":                             {properties: []byte{packet.PropMaxQoS, 0}},
		"it does not keep":                              {properties: []byte{packet.PropRetain, 0}},
		"reason code 0x07":                              {reason: 7},
		"closed the connection without an answer":       {silent: true},
	} {
		if _, _, err := connect(t, Options{}, a); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", want, err)
		}
	}
	for _, o := range []Options{{User: strings.Repeat("u", 70000)}, {Password: make([]byte, 70000)}, {ClientID: strings.Repeat("c", 70000)}} {
		if _, err := Connect(t.Context(), o); err == nil || !strings.Contains(err.Error(), "70000 bytes") {
			t.Error(err)
		}
	}
}

// TestVersions: MQTT 5 is spoken where it is understood, and 3.1.1 where not.
func TestVersions(t *testing.T) {
	const older = packet.V311
	refused, silent := answer{version: older, reason: packet.UnsupportedVersion}, answer{silent: true}
	old, modern, login := answer{version: older}, answer{}, answer{version: older, reason: packet.BadLogin}
	for name, row := range map[string]struct {
		o       Options
		answers []answer
		spoken  []byte // by the client
		want    string // in the error; empty: it connects
	}{
		"a modern broker":                     {Options{}, []answer{modern}, []byte{5}, ""},
		"one that says no":                    {Options{}, []answer{refused, old}, []byte{5, 4}, ""},
		"one that says no in the words of 5":  {Options{}, []answer{{reason: packet.UnsupportedVersion}, old}, []byte{5, 4}, ""},
		"one that hangs up":                   {Options{}, []answer{silent, old}, []byte{5, 4}, ""},
		"one that takes 5 for 3.1.1":          {Options{}, []answer{old, old}, []byte{5, 4}, ""},
		"one that was modern hangs up":        {Options{Modern: true}, []answer{silent, old}, []byte{5}, "without an answer"},
		"one that was modern says no":         {Options{Modern: true}, []answer{refused, old}, []byte{5, 4}, ""},
		"5 alone":                             {Options{Version: packet.V5}, []answer{refused, old}, []byte{5}, "this version"},
		"5 alone, and it hangs up":            {Options{Version: packet.V5}, []answer{silent, old}, []byte{5}, "without an answer"},
		"3.1.1 alone":                         {Options{Version: older}, []answer{old}, []byte{4}, ""},
		"the login is wrong in both":          {Options{}, []answer{refused, login}, []byte{5, 4}, "password is wrong"},
		"the login is wrong":                  {Options{}, []answer{{reason: packet.BadLogin}}, []byte{5}, "password is wrong"},
		"it hangs up twice":                   {Options{}, []answer{silent, silent}, []byte{5, 4}, "without an answer"},
		"it knows neither":                    {Options{}, []answer{refused, refused}, []byte{5, 4}, "this version"},
		"it says no, and then nobody listens": {Options{}, []answer{refused}, []byte{5}, "this version"},
	} {
		c, _, spoken, err := connectTo(t, row.o, row.answers...)
		if !bytes.Equal(spoken, row.spoken) {
			t.Errorf("%s: %v were spoken", name, spoken)
		}
		switch {
		case row.want == "" && err != nil, row.want != "" && (err == nil || !strings.Contains(err.Error(), row.want)):
			t.Errorf("%s: %v", name, err)
		case err == nil && c.Version() != spoken[len(spoken)-1]:
			t.Errorf("%s: version %d", name, c.Version())
		}
	}
}

// TestOlder: MQTT 3.1.1 has no properties and no reasons.
func TestOlder(t *testing.T) {
	got := make(chan *Message, 1)
	c, s, err := connect(t, Options{Handle: func(m *Message) { got <- m }}, answer{version: packet.V311})
	if err != nil {
		t.Fatal(err)
	}
	acked, asked := make(chan error, 1), make(chan error, 2)
	go func() {
		m := &Message{Topic: "a", Payload: []byte("x"), User: []User{{"k", "v"}}, ResponseTopic: "b", CorrelationData: []byte("c")}
		acked <- c.Say(t.Context(), m)
	}()
	var in packet.PublishPacket
	if err := packet.ParsePublish(packet.V311, 2, s.next(packet.Publish), &in); err != nil || string(in.Topic) != "a" || string(in.Payload) != "x" {
		t.Errorf("%+v, %v", in, err)
	}
	s.say(packet.AppendAck(nil, packet.V311, in.ID, 0, ""))
	if err := <-acked; err != nil {
		t.Error(err)
	}
	go func() {
		asked <- c.Subscribe(t.Context(), Filter{Topics: "x", QoS: 1}, Filter{Topics: "y"})
		asked <- c.Unsubscribe(t.Context(), Filter{Topics: "x"})
	}()
	sub, err := packet.ParseSubscribe(packet.V311, s.next(packet.Subscribe))
	if err != nil || len(sub.Subscriptions) != 2 {
		t.Fatalf("%+v, %v", sub, err)
	}
	s.say(packet.AppendSuback(nil, packet.Suback, packet.V311, sub.ID, []packet.Reason{1, packet.NotAuthorized}, ""))
	if err := <-asked; err == nil || !strings.Contains(err.Error(), "subscribe to y") {
		t.Error(err)
	}
	sub, err = packet.ParseUnsubscribe(packet.V311, s.next(packet.Unsubscribe))
	if err != nil {
		t.Fatal(err)
	}
	s.say(packet.AppendSuback(nil, packet.Unsuback, packet.V311, sub.ID, nil, ""))
	if err := <-asked; err != nil {
		t.Error(err)
	}
	h := packet.Head{Version: packet.V311, Topic: []byte("a"), Retain: true}
	s.say(h.Append(nil, []byte("y")))
	if m := <-got; string(m.Payload) != "y" || !m.Retain {
		t.Errorf("%+v", m)
	}
	s.say(packet.AppendDisconnect(nil, packet.TakenOver, ""))
	if <-c.Done(); !errors.Is(c.Err(), ErrProtocol) {
		t.Error(c.Err())
	}
}

// TestTooLarge: what the broker does not take is not sent, to the byte.
func TestTooLarge(t *testing.T) {
	properties := packet.AppendUint16(packet.AppendUint32(nil, packet.PropMaxPacket, 100), packet.PropReceiveMax, 1)
	c, s, err := connect(t, Options{}, answer{properties: properties})
	if err != nil {
		t.Fatal(err)
	}
	for range 3 {
		if err := c.Publish(t.Context(), &Message{Topic: "a", Payload: make([]byte, 95)}, nil); !errors.Is(err, ErrTooLarge) {
			t.Error(err)
		}
	}
	if err := c.Publish(t.Context(), &Message{Topic: "a", Payload: make([]byte, 92)}, nil); err != nil { // and has no less room
		t.Error(err)
	}
	go func() { _ = c.Flush() }()
	s.published()
}

// TestSilence: a broker that says nothing any more is given up, and so is one that never answers.
func TestSilence(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, s, err := connect(t, Options{}, answer{})
		if err != nil {
			t.Fatal(err)
		}
		begun := time.Now()
		s.next(packet.Pingreq)
		go func() { _, _ = io.Copy(io.Discard, s.conn) }() // it reads, and says nothing
		<-c.Done()
		if took := time.Since(begun); took > c.alive*3/2 {
			t.Errorf("that took %s", took)
		}
		if !errors.Is(c.Err(), ErrSilent) {
			t.Error(c.Err())
		}
		if err := c.Publish(t.Context(), &Message{Topic: "a"}, nil); err == nil {
			t.Error("something is published to nobody")
		}
		c.Close(false)
		near, far := net.Pipe()
		defer far.Close()
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		go func() { _, _ = io.Copy(io.Discard, far) }()
		if _, err := Connect(ctx, Options{Dial: func(context.Context, string) (net.Conn, error) { return near, nil }}); !errors.Is(err, context.DeadlineExceeded) {
			t.Error(err)
		}
	})
}

// TestStuck: a broker is given up that answers pings and nothing else, while something waits for its answer. While nothing does, it is not.
func TestStuck(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, s, err := connect(t, Options{}, answer{})
		if err != nil {
			t.Fatal(err)
		}
		go func() {
			for {
				p, err := s.r.next()
				if err != nil {
					return
				}
				if p.Type == packet.Pingreq {
					_, _ = s.conn.Write(packet.AppendPingresp(nil))
				}
			}
		}()
		time.Sleep(time.Hour)
		if c.Err() != nil {
			t.Fatal(c.Err())
		}
		begun := time.Now()
		if err := c.Say(t.Context(), &Message{Topic: "a"}); !errors.Is(err, ErrStuck) {
			t.Error(err)
		}
		if took := time.Since(begun); took < 30*time.Second || took > 36*time.Second {
			t.Errorf("that took %s", took)
		}
		c.Close(false)
		_ = s.conn.Close()
	})
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
		"alias":             {0x30, 0x07, 0, 1, 'a', 3, 0x23, 0, 1},
		"wildcard":          {0x30, 0x04, 0, 1, '#', 0},
		"a client's end":    {0xe0, 0x07, 0x00, 0x05, 0x11, 0, 0, 0, 1},
		"pingresp":          {0xd0, 0x01, 0},
		"pubrec":            {0x50, 0x02, 0, 1},
		"short":             {0x30, 0x02, 0, 9},
		"http":              []byte("HTTP/1.1 400 Bad Request\r\n\r\n"),
		"disconnect":        {0xe0, 0x01, 0x8e},
	} {
		c, s, err := connect(t, Options{}, answer{})
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
	_, s, err := connect(t, Options{Handle: func(m *Message) { got <- m }}, answer{})
	if err != nil {
		t.Fatal(err)
	}
	props := packet.AppendText([]byte{packet.PropResponseTopic}, "b")
	props = packet.AppendUser(packet.AppendText(append(props, packet.PropCorrelation), "c"), "k", "v")
	h := packet.Head{Version: packet.V5, QoS: 1, Retain: true, ID: 7, Topic: []byte("a"), Properties: props}
	s.say(h.Append(nil, []byte("x")))
	m := <-got
	if m.Topic != "a" || string(m.Payload) != "x" || !m.Retain || m.ResponseTopic != "b" || string(m.CorrelationData) != "c" || m.User[0].Value != "v" {
		t.Errorf("%+v", m)
	}
	if id, _, err := packet.ParseAck(packet.V5, s.next(packet.Puback), new(packet.Properties)); id != 7 || err != nil {
		t.Errorf("%d, %v", id, err)
	}
	large := bytes.Repeat([]byte("y"), 900_000)
	go s.say(append(h.Append(nil, large), h.Append(nil, []byte("z"))...))
	if m := <-got; !bytes.Equal(m.Payload, large) {
		t.Errorf("of %d bytes, %d have come", len(large), len(m.Payload))
	}
	s.next(packet.Puback)
	if m := <-got; string(m.Payload) != "z" {
		t.Errorf("%+v", m)
	}
	s.next(packet.Puback)
}

// TestTopics: a topic that no broker may be sent harms nobody but its message.
func TestTopics(t *testing.T) {
	c, _, err := connect(t, Options{}, answer{})
	if err != nil {
		t.Fatal(err)
	}
	for _, topic := range []string{"", "a/+", "#", "\xff", "a\x00", strings.Repeat("t", 70000)} {
		if err := c.Publish(t.Context(), &Message{Topic: topic}, nil); !errors.Is(err, ErrTopic) {
			t.Errorf("%.9q: %v", topic, err)
		}
	}
	if err := c.Err(); err != nil {
		t.Error(err)
	}
}

// bytesConn is a connection that carries some bytes.
type bytesConn struct{ *bytes.Reader }

func (bytesConn) SetReadDeadline(time.Time) error { return nil }

// FuzzRead: no bytes make it panic, or take much more memory than has come.
func FuzzRead(f *testing.F) {
	f.Add([]byte{0x40, 0x02, 0x12, 0x34})
	f.Add([]byte{0x30, 0x08, 0, 1, 'a', 3, 0x26, 0, 0, 0})
	f.Add([]byte{0x20, 0x06, 0, 0, 3, 0x21, 0, 20})
	f.Add([]byte{0x30, 0x80, 0x80, 0x80, 0x00})
	f.Add([]byte{0x30, 0xff, 0xff, 0x1f, 0x00})
	f.Add([]byte{0x90, 0x08, 0, 1, 0xff, 0xff, 0xff, 0xff, 0x0f, 0})
	f.Add(append([]byte{0x30, 0xd0, 0x8c, 0x01, 0, 1, 'a', 0}, make([]byte, 17996)...))
	f.Fuzz(func(t *testing.T, data []byte) {
		r := &packetReader{conn: bytesConn{bytes.NewReader(data)}}
		for read := 0; ; {
			p, err := r.next()
			if most := max(2*len(data), usualRead); len(r.buf) > most {
				t.Fatalf("%d bytes of memory for %d", len(r.buf), len(data))
			}
			if err != nil {
				if !errors.Is(err, ErrProtocol) && !errors.Is(err, ErrClosed) {
					t.Errorf("%v", err)
				}
				return
			}
			if read += 2 + len(p.Body); read > len(data) {
				t.Fatal("more is read than there is")
			}
		}
	})
}
