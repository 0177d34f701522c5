package mqtt_test

import (
	"bufio"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"sighub/carrier"
	"sighub/carrier/local"
	"sighub/carrier/mqtt"
	"sighub/hub"
	"sighub/internal/mqtt/packet"
	"sighub/journal"
	"sighub/listen"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// long bounds every wait for something that is to happen.
const long = time.Minute

// A world is a hub that serves MQTT, with a router beside it that sees everything.
type world struct {
	t      testing.TB
	addr   string
	router *hub.ServerRouter
	server *mqtt.Server
	near   *hub.ClientRouter
	end    func()
}

type worldOptions struct {
	mqtt.Options
	hub     hub.ServerOptions
	folder  string           // empty: no journal
	journal *journal.Journal // instead of folder; its disk may fail
	strange listen.Options
}

func newWorld(t testing.TB, o worldOptions) *world {
	t.Helper()
	log := slog.New(slog.NewTextHandler(testLog{t}, nil))
	o.strange.Addresses, o.strange.Logger = []listen.Address{{At: "tcp://127.0.0.1:0"}}, log
	below, err := listen.Open(o.strange)
	if err != nil {
		t.Fatal(err)
	}
	o.Logger = log
	server := mqtt.On(below, o.Options)
	o.hub.Logger = log
	if o.folder != "" {
		j, err := journal.Open(o.folder, journal.Options{})
		if err != nil {
			t.Fatal(err)
		}
		o.hub.Journal = j
	}
	if o.journal != nil {
		o.hub.Journal = o.journal
	}
	router := hub.NewServerRouter(o.hub)
	near := local.NewHub(local.Options{Identity: carrier.OwnIdentity})
	cr := hub.NewClientRouter(hub.ClientOptions{})
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		inner, stopBelow := context.WithCancel(context.Background())
		defer stopBelow()
		served := make(chan error, 2)
		go func() { served <- below.Serve(inner) }()
		nearby, stopNear := context.WithCancel(context.Background())
		go func() { served <- cr.Serve(nearby, near.NewPeer("near")) }()
		if err := router.Serve(ctx, server, near); err != nil && o.journal == nil {
			t.Errorf("Serve: %v", err)
		}
		stopNear()
		stopBelow()
		for range 2 {
			if err := <-served; err != nil {
				t.Errorf("Serve: %v", err)
			}
		}
	}()
	w := &world{t: t, addr: strings.TrimPrefix(below.Addrs()[0], "tcp://"), router: router, server: server, near: cr}
	w.end = func() {
		stop()
		<-ended
	}
	t.Cleanup(w.end)
	return w
}

type testLog struct{ t testing.TB }

func (l testLog) Write(b []byte) (int, error) {
	l.t.Logf("%s", b)
	return len(b), nil
}

// A peer is a client of MQTT that says what a test has it say.
type peer struct {
	t testing.TB
	v byte
	net.Conn
	r *bufio.Reader
}

func (w *world) dial(version byte) *peer {
	w.t.Helper()
	nc, err := net.Dial("tcp", w.addr)
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(func() { _ = nc.Close() })
	return &peer{w.t, version, nc, bufio.NewReader(nc)}
}

// A hello is what a CONNECT says.
type hello struct {
	id         string
	dirty      bool // the session goes on
	keepAlive  uint16
	user, pass string
	props      []byte
	will       string // topic=payload
	willQoS    byte
	willDelay  uint32 // seconds, of MQTT 5
}

func (h hello) packet(v byte) []byte {
	flags := byte(0)
	if !h.dirty {
		flags |= 2
	}
	body := packet.AppendText(nil, "MQTT")
	payload := packet.AppendText(nil, h.id)
	if h.will != "" {
		flags |= 4 | h.willQoS<<3
		text, data, _ := strings.Cut(h.will, "=")
		if v == 5 {
			var props []byte
			if h.willDelay > 0 {
				props = packet.AppendUint32(nil, packet.PropWillDelay, h.willDelay)
			}
			payload = append(packet.AppendVarint(payload, len(props)), props...)
		}
		payload = packet.AppendText(packet.AppendText(payload, text), data)
	}
	if h.user != "" {
		flags |= 0x80
		payload = packet.AppendText(payload, h.user)
	}
	if h.pass != "" {
		flags |= 0x40
		payload = packet.AppendText(payload, h.pass)
	}
	body = append(body, v, flags, byte(h.keepAlive>>8), byte(h.keepAlive))
	if v == 5 {
		body = append(packet.AppendVarint(body, len(h.props)), h.props...)
	}
	return frame(packet.Connect, 0, append(body, payload...))
}

func frame(t packet.Type, flags byte, body []byte) []byte {
	return append(packet.AppendVarint([]byte{byte(t)<<4 | flags}, len(body)), body...)
}

func (p *peer) send(b ...[]byte) {
	p.t.Helper()
	for _, b := range b {
		if _, err := p.Write(b); err != nil {
			p.t.Fatalf("write: %v", err)
		}
	}
}

// next reads a packet.
func (p *peer) next() (t packet.Type, flags byte, body []byte, err error) {
	_ = p.SetReadDeadline(time.Now().Add(long))
	first, err := p.r.ReadByte()
	if err != nil {
		return 0, 0, nil, err
	}
	n, shift := 0, 0
	for {
		b, err := p.r.ReadByte()
		if err != nil {
			return 0, 0, nil, err
		}
		n |= int(b&0x7f) << shift
		shift += 7
		if b < 0x80 {
			break
		}
	}
	body = make([]byte, n)
	_, err = io.ReadFull(p.r, body)
	return packet.Type(first >> 4), first & 15, body, err
}

// expect reads a packet of a type.
func (p *peer) expect(want packet.Type) []byte {
	p.t.Helper()
	t, _, body, err := p.next()
	if err != nil || t != want {
		p.t.Fatalf("got %s % x (%v), want %s", t, body, err, want)
	}
	return body
}

// closed waits for the end of the connection, and returns the reason of a DISCONNECT that came before.
func (p *peer) closed() packet.Reason {
	p.t.Helper()
	reason := packet.Success
	for {
		t, _, body, err := p.next()
		var timeout net.Error
		switch {
		case errors.As(err, &timeout) && timeout.Timeout():
			p.t.Fatal("the connection stays")
		case err != nil:
			return reason
		case t == packet.Disconnect && len(body) > 0:
			reason = packet.Reason(body[0])
		case t == packet.Connack:
			reason = packet.Reason(body[1])
		}
	}
}

// connect says hello, and returns the CONNACK.
func (w *world) connect(v byte, h hello) (*peer, []byte) {
	w.t.Helper()
	p := w.dial(v)
	p.send(h.packet(v))
	ack := p.expect(packet.Connack)
	if ack[1] != 0 {
		w.t.Fatalf("the CONNACK refuses: % x", ack)
	}
	return p, ack
}

// subscribe subscribes, and returns the reasons.
func (p *peer) subscribe(options byte, filters ...string) []byte {
	p.t.Helper()
	p.send(p.subscribePacket(7, options, nil, filters...))
	return p.suback()
}

func (p *peer) suback() []byte {
	p.t.Helper()
	body := p.expect(packet.Suback)
	if binary.BigEndian.Uint16(body) != 7 {
		p.t.Fatalf("the SUBACK has another identifier: % x", body)
	}
	body = body[2:]
	if p.v == 5 {
		n, size := binary.Uvarint(body) // it is the same
		body = body[size+int(n):]
	}
	return body
}

func (p *peer) subscribePacket(id uint16, options byte, props []byte, filters ...string) []byte {
	body := []byte{byte(id >> 8), byte(id)}
	if p.v == 5 {
		body = append(packet.AppendVarint(body, len(props)), props...)
	}
	for _, f := range filters {
		body = append(packet.AppendText(body, f), options)
	}
	return frame(packet.Subscribe, 2, body)
}

func (p *peer) unsubscribePacket(id uint16, filters ...string) []byte {
	body := []byte{byte(id >> 8), byte(id)}
	if p.v == 5 {
		body = append(body, 0)
	}
	for _, f := range filters {
		body = packet.AppendText(body, f)
	}
	return frame(packet.Unsubscribe, 2, body)
}

func (p *peer) publishPacket(topic, payload string, id uint16, props ...byte) []byte {
	h := packet.Head{Version: p.v, Topic: []byte(topic), ID: id, Properties: props}
	if id > 0 {
		h.QoS = 1
	}
	return h.Append(nil, []byte(payload))
}

// publish publishes with QoS 1, and waits for the acknowledgement, whose reason it returns.
func (p *peer) publish(topic, payload string, props ...byte) packet.Reason {
	p.t.Helper()
	p.send(p.publishPacket(topic, payload, 1, props...))
	return p.puback(1)
}

func (p *peer) puback(id uint16) packet.Reason {
	p.t.Helper()
	body := p.expect(packet.Puback)
	if binary.BigEndian.Uint16(body) != id {
		p.t.Fatalf("the PUBACK has another identifier than %d: % x", id, body)
	}
	if len(body) == 2 {
		return packet.Success
	}
	return packet.Reason(body[2])
}

// A got is a message that a peer has received.
type got struct {
	topic, payload string
	qos            byte
	retain, dup    bool
	id             uint16
	props          packet.Properties
	user           map[string]string
}

func (g got) String() string {
	s := g.topic + " " + g.payload
	if g.retain {
		s += " (retained)"
	}
	return s
}

// message reads a PUBLISH, without an acknowledgement.
func (p *peer) message() got {
	p.t.Helper()
	t, flags, body, err := p.next()
	if err != nil || t != packet.Publish {
		p.t.Fatalf("got %s % x (%v), want a PUBLISH", t, body, err)
	}
	return p.parse(flags, body)
}

func (p *peer) parse(flags byte, body []byte) got {
	p.t.Helper()
	n := int(binary.BigEndian.Uint16(body))
	g := got{topic: string(body[2 : 2+n]), qos: flags >> 1 & 3, retain: flags&1 != 0, dup: flags&8 != 0, user: map[string]string{}}
	body = body[2+n:]
	if g.qos > 0 {
		g.id, body = binary.BigEndian.Uint16(body), body[2:]
	}
	if p.v == 5 {
		size, rest := 0, body
		for shift := 0; ; shift += 7 {
			b := rest[0]
			rest = rest[1:]
			size |= int(b&0x7f) << shift
			if b < 0x80 {
				break
			}
		}
		g.take(p.t, rest[:size])
		body = rest[size:]
	}
	g.payload = string(body)
	return g
}

func (g *got) take(t testing.TB, props []byte) {
	text := func() string {
		n := int(binary.BigEndian.Uint16(props))
		s := string(props[2 : 2+n])
		props = props[2+n:]
		return s
	}
	for len(props) > 0 {
		id := props[0]
		props = props[1:]
		switch id {
		case packet.PropUser:
			name := text()
			g.user[name] = text()
		case packet.PropResponseTopic:
			g.props.ResponseTopic = []byte(text())
		case packet.PropCorrelation:
			g.props.Correlation = []byte(text())
		case packet.PropSubscriptionID:
			g.props.SubscriptionID, props = uint32(props[0]), props[1:]
		default:
			t.Fatalf("property 0x%02X", id)
		}
	}
}

// take reads a message, and acknowledges it if it wants that.
func (p *peer) take() got {
	p.t.Helper()
	g := p.message()
	if g.qos > 0 {
		p.send(pubackPacket(g.id))
	}
	return g
}

// about reads messages until one whose topic has no word of the hub's.
func (p *peer) event() got {
	p.t.Helper()
	for {
		if g := p.take(); !strings.Contains(g.topic, "_") {
			return g
		}
	}
}

func pubackPacket(id uint16) []byte { return frame(packet.Puback, 0, []byte{byte(id >> 8), byte(id)}) }

// ping waits until everything that was said before is handled.
func (p *peer) ping() {
	p.t.Helper()
	p.send(frame(packet.Pingreq, 0, nil))
	p.expect(packet.Pingresp)
}

func both(t *testing.T, f func(t *testing.T, v byte)) {
	for _, v := range []byte{4, 5} {
		t.Run(fmt.Sprintf("v%d", v), func(t *testing.T) { f(t, v) })
	}
}

// until waits for something that is to happen.
func (w *world) until(what string, cond func() bool) {
	w.t.Helper()
	for end := time.Now().Add(long); !cond(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			w.t.Fatalf("it does not happen that %s", what)
		}
	}
}

func contextWithCancel() (context.Context, context.CancelFunc) {
	return context.WithCancel(context.Background())
}
