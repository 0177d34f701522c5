package mqtt

import (
	"io"
	"net"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"sighub/bridge/mqtt/internal/client"
	"sighub/hub"
	"sighub/internal/mqtt/packet"
)

// A gate is in front of a broker, and lets MQTT 3.1.1 alone in. It says no to anything else, or hangs up.
type gate struct {
	addr   string
	hangUp bool

	mu      sync.Mutex
	refused int
	drops   string // what is published to this topic is acknowledged, and goes nowhere
}

func newGate(t *testing.T, to string, hangUp bool) *gate {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	g := &gate{addr: l.Addr().String(), hangUp: hangUp}
	var running sync.WaitGroup
	running.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			running.Go(func() { g.pass(c, to) })
		}
	})
	t.Cleanup(func() {
		_ = l.Close()
		running.Wait()
	})
	return g
}

func (g *gate) pass(c net.Conn, to string) {
	defer c.Close()
	head := make([]byte, 9) // the packet is shorter than 128 bytes
	if _, err := io.ReadFull(c, head); err != nil {
		return
	}
	if head[8] != packet.V311 {
		g.mu.Lock()
		g.refused++
		g.mu.Unlock()
		if !g.hangUp {
			_, _ = c.Write(packet.AppendConnack(nil, packet.V311, false, packet.UnsupportedVersion, nil))
		}
		return
	}
	b, err := net.Dial("tcp", to)
	if err != nil {
		return
	}
	defer b.Close()
	var back sync.WaitGroup
	back.Go(func() {
		defer c.Close()
		_, _ = io.Copy(c, b)
	})
	g.forward(b, c, head)
	_ = b.Close()
	back.Wait()
}

// forward passes on what a client says, of which data has come.
func (g *gate) forward(to, from net.Conn, data []byte) {
	for buf := make([]byte, 4096); ; {
		n, err := from.Read(buf)
		if err != nil {
			return
		}
		data = append(data, buf[:n]...)
		for {
			p, rest, size, ok, err := packet.Next(data, 1<<20)
			if err != nil || !ok {
				break
			}
			var in packet.PublishPacket
			g.mu.Lock()
			drops := p.Type == packet.Publish && packet.ParsePublish(packet.V311, p.Flags, p.Body, &in) == nil && string(in.Topic) == g.drops
			g.mu.Unlock()
			if drops {
				_, _ = from.Write(packet.AppendAck(nil, packet.V311, in.ID, packet.Success, ""))
			} else if _, err := to.Write(data[:size]); err != nil {
				return
			}
			data = rest
		}
	}
}

// refusals returns how often another version was refused.
func (g *gate) refusals() int {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.refused
}

// TestOlderBroker: a broker that knows MQTT 3.1.1 alone, and forgets what it has acknowledged, has everything: the mark is kept, and ids are in the
// envelope.
func TestOlderBroker(t *testing.T) {
	for name, hangUp := range map[string]bool{"says no": false, "hangs up": true} {
		t.Run(name, func(t *testing.T) {
			broker := startBroker(t, "autosave_interval 100000")
			g := newGate(t, broker.addr, hangUp)
			h := newHouse(t, t.TempDir())
			l, _ := h.forget(broker, Options{Addr: g.addr, Payload: Envelope})
			has := func(n int) bool {
				return slices.ContainsFunc(l.heard("sighub/light/lux "), func(text string) bool {
					return strings.HasSuffix(text, `"data":`+strconv.Itoa(n)+"}") && strings.Contains(text, `"id":"light/`)
				})
			}
			for n := 10; n < 20; n++ {
				eventually(t, "what was forgotten comes again", func() bool { return has(n) })
			}
			if len(l.ids) > 0 {
				t.Errorf("there are properties: %q", l.ids)
			}
			if g.refusals() < 3 { // MQTT 5 is tried on each connection
				t.Errorf("MQTT 5 was refused %d times", g.refusals())
			}
			if log := h.log.String(); !strings.Contains(log, "spoken to in MQTT 3.1.1") || strings.Contains(log, "choose the payload") {
				t.Error(log)
			}
		})
	}
}

// TestOlderWithoutMark: MQTT 3.1.1 has no word for a refusal. That the broker takes no mark is noticed all the same, also if it has an old one,
// whether it hangs up or not.
func TestOlderWithoutMark(t *testing.T) {
	for name, silent := range map[string]bool{"it hangs up": false, "it says nothing": true} {
		t.Run(name, func(t *testing.T) {
			broker, dir := startBroker(t), t.TempDir()
			g := newGate(t, broker.addr, true)
			l := listen(t, broker.addr, "sighub/light/lux")
			run := func(first int) string {
				h := newHouse(t, dir)
				b := h.bridge(Options{Addr: g.addr, Version: MQTT311})
				h.serve(b)
				h.report(h.sender("light", hub.SenderOptions{Events: []string{"lux"}}), "lux", numbers(first, 5)...)
				l.wait("sighub/light/lux "+strconv.Itoa(first+4), 1)
				eventually(t, "everything is acknowledged", func() bool { return b.Status().Lag == 0 })
				h.stop()
				return h.log.String()
			}
			if log := run(0); strings.Contains(log, "allow this user to publish") || !strings.Contains(log, "choose the payload") {
				t.Error(log)
			}
			if silent {
				g.mu.Lock()
				g.drops = "sighub/_bridge/sighub/up"
				g.mu.Unlock()
			} else {
				broker.restrict("topic read #", "topic write sighub/light/#", "topic write sighub/_bridge/sighub/up/_state")
				l = listen(t, broker.addr, "sighub/light/lux")
			}
			n := len(l.heard("sighub/light/lux "))
			for i := range 2 {
				if log := run(5 * (i + 1)); !strings.Contains(log, "allow this user to publish") {
					t.Error(log)
				}
			}
			if list := l.heard("sighub/light/lux "); len(list) != n+10 {
				t.Errorf("%q", list)
			}
		})
	}
}

// TestOlderCommands: requests come in MQTT 3.1.1 as well, but for those that a broker has kept.
func TestOlderCommands(t *testing.T) {
	broker := startBroker(t)
	l := listen(t, broker.addr)
	const asks = "sighub/pump/_request/start"
	say := func(payload string, retain bool) {
		l.t.Helper()
		l.say(asks, payload, func(m *client.Message) { m.Retain = retain })
	}
	say("1", true)
	h := newHouse(t, "")
	h.serve(h.bridge(Options{Addr: broker.addr, Version: MQTT311, Newest: true, Every: 10 * time.Millisecond, Commands: true}))
	asked := make(chan string, 10)
	s := h.sender("pump", hub.SenderOptions{Events: []string{"speed"}, Requests: map[string]hub.RequestHandler{"start": answering(asked)}})
	states := listen(t, broker.addr, "sighub/#")
	eventually(t, "there is a state", func() bool { // the bridge may not hear the hub yet
		h.report(s, "speed", 7)
		return len(states.heard("sighub/pump/speed 7")) > 0
	})
	states.wait(`sighub/_bridge/sighub/up/_state {"connected":true`, 1)
	eventually(t, "a request comes", func() bool {
		say("2", false)
		return len(asked) > 0
	})
	if got := <-asked; got != "2" {
		t.Errorf("%s was asked", got)
	}
	h.stop()
	states.wait(`sighub/_bridge/sighub/up/_state {"connected":false}`, 1)
}
