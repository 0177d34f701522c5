package mqtt_test

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"strings"
	"testing"

	"sighub/carrier/mqtt"
	"sighub/internal/mqtt/packet"
)

// TestRetainHandling: whether a subscription is told what is retained (MQTT 5, 3.8.3.1), for each kind of what is.
func TestRetainHandling(t *testing.T) {
	o, s := shelves()
	o.folder = t.TempDir()
	w := newWorld(t, o)
	pub, _ := w.connect(5, hello{id: "pub"})
	pub.publish("pump/n", "1")
	put(t, s, "_now/pump/n", "1")
	for _, c := range []struct {
		filter string
		retain string // what is retained
	}{{"pump/n", "pump/n 1 (retained)"}, {"pump/_state", `pump/_state {"connected":true} (retained)`}, {"_now/pump/n", "_now/pump/n 1 (retained)"}} {
		for handling, told := range [][2]bool{{true, true}, {true, false}, {false, false}} { // when it is new, and when it is not
			t.Run(fmt.Sprint(c.filter, " ", handling), func(t *testing.T) {
				p, _ := w.connect(5, hello{id: "p"})
				for i := range 2 {
					p.send(p.subscribePacket(7, 1|byte(handling)<<4, nil, c.filter))
					var list []string
					for subscribed := false; !subscribed || told[i] && len(list) == 0; {
						typ, flags, body, err := p.next()
						switch {
						case err != nil:
							t.Fatal(err)
						case typ == packet.Suback:
							subscribed = true
						case typ == packet.Publish:
							g := p.parse(flags, body)
							list = append(list, g.String())
							if g.qos > 0 {
								p.send(pubackPacket(g.id))
							}
						}
					}
					p.ping()
					want := ""
					if told[i] {
						want = c.retain
					}
					if got := strings.Join(list, ", "); got != want {
						t.Errorf("time %d: told %q, want %q", i+1, got, want)
					}
				}
				p.send(frame(packet.Disconnect, 0, nil))
				p.closed()
			})
		}
	}
}

// TestRetainFlag: what is live has the flag only if the subscription keeps it as published (3.8.3.1), whatever the publisher said.
func TestRetainFlag(t *testing.T) {
	w := newWorld(t, worldOptions{})
	p, _ := w.connect(5, hello{id: "p"})
	p.send(p.subscribePacket(7, 1, []byte{packet.PropSubscriptionID, 1}, "pump/n"))
	p.suback()
	p.send(p.subscribePacket(7, 1|8, []byte{packet.PropSubscriptionID, 2}, "+/n"))
	p.suback()
	pub, _ := w.connect(5, hello{id: "pub"})
	for _, flag := range []byte{0, 1} {
		b := pub.publishPacket("pump/n", "1", 1)
		b[0] |= flag
		pub.send(b)
		pub.puback(1)
		for range 2 {
			if g := p.event(); g.retain != (g.props.SubscriptionID == 2) || g.dup {
				t.Errorf("published with %d, heard %v by subscription %d", flag, g, g.props.SubscriptionID)
			}
		}
	}
}

// TestNoLocal: a subscription with No Local is not told what its own client publishes (3.8.3.1); others are.
func TestNoLocal(t *testing.T) {
	w := newWorld(t, worldOptions{})
	p, _ := w.connect(5, hello{id: "p"})
	q, _ := w.connect(5, hello{id: "q"})
	p.subscribe(1|4, "+/n")
	q.subscribe(1|4, "+/n")
	p.send(p.publishPacket("p/n", "1", 0), p.publishPacket("p/n", "2", 0))
	p.ping()
	q.send(q.publishPacket("q/n", "3", 0))
	for _, want := range []string{"p/n 1", "p/n 2"} {
		if g := q.event(); g.String() != want {
			t.Errorf("heard %v, want %s", g, want)
		}
	}
	if g := p.event(); g.String() != "q/n 3" {
		t.Errorf("heard %v", g)
	}
	p.ping()
	q.ping()
}

// TestNoLocalMended: what a client is told goes by whose an event is now. A subscription with No Local is told what others publish under the client's sender,
// until the client publishes that event itself; and what another client's sender publishes, also after the client has published there as its guest.
func TestNoLocalMended(t *testing.T) {
	w := newWorld(t, worldOptions{})
	device, _ := w.connect(5, hello{id: "device"})
	guest, _ := w.connect(5, hello{id: "guest"})
	device.subscribe(1|4, "lamp/set")
	device.publish("lamp/state", "0")
	hears := func(p *peer, want string) {
		t.Helper()
		if g := p.event(); g.String() != want {
			t.Errorf("heard %v, want %s", g, want)
		}
	}
	w.until("a guest may publish", func() bool { return guest.publish("lamp/set", "1") == 0 }) // a busy hub may not say in time whose the sender is
	hears(device, "lamp/set 1")
	device.publish("lamp/set", "2")
	device.ping() // nothing comes before the answer
	guest.subscribe(1|4, "lamp/now")
	for round := range 20 {
		guest.send(guest.publishPacket("lamp/now", `"of the guest"`, 0)) // the hub answers that the sender is another one's, while that one publishes
		for i := range 10 {
			device.send(device.publishPacket("lamp/now", fmt.Sprint(i), 0))
		}
		last := fmt.Sprintf(`"the last of %d"`, round)
		device.publish("lamp/now", last)
		for g := guest.event(); g.payload != last; g = guest.event() {
			if g.topic != "lamp/now" {
				t.Fatalf("heard %v", g)
			}
		}
	}
}

// TestAssigned: a client without an identifier is given one, which no other has, and which may be used again (3.2.2.3.7).
func TestAssigned(t *testing.T) {
	w := newWorld(t, worldOptions{})
	seen := make(map[string]bool)
	id := func(ack []byte) string {
		i := bytes.Index(ack, append([]byte{packet.PropAssignedID, 0, 23}, "sighub-"...))
		if i < 0 {
			return ""
		}
		return string(ack[i+3 : i+3+23])
	}
	for range 3 {
		h := hello{dirty: true, props: packet.AppendUint32(nil, packet.PropSessionExpiry, 60)}
		p, ack := w.connect(5, h)
		name := id(ack)
		if name == "" || seen[name] || ack[0] != 0 {
			t.Errorf("CONNACK % x", ack)
		}
		seen[name] = true
		_ = p.Close()
		h.id = name
		w.until("it has gone", func() bool { return w.server.Away() > 0 })
		q, ack := w.connect(5, h)
		if ack[0] != 1 || id(ack) != "" {
			t.Errorf("again: CONNACK % x", ack)
		}
		q.send(frame(packet.Disconnect, 0, []byte{0, 5, packet.PropSessionExpiry, 0, 0, 0, 0}))
		q.closed()
		w.until("it has gone", func() bool { return !w.there(name) })
	}
}

// TestSessionPresent: when a session is there again (3.1.2.4, 3.2.2.1.1), in memory and in the journal.
func TestSessionPresent(t *testing.T) {
	expiry := func(seconds uint32) []byte { return packet.AppendUint32(nil, packet.PropSessionExpiry, seconds) }
	goes := func(body ...byte) []byte { return frame(packet.Disconnect, 0, body) }
	for name, c := range map[string]struct {
		first, second hello
		bye           []byte
		want          byte
	}{
		"kept":                  {hello{props: expiry(60)}, hello{dirty: true, props: expiry(60)}, goes(), 1},
		"kept, without a word":  {hello{props: expiry(60)}, hello{dirty: true}, nil, 1},
		"begins anew":           {hello{props: expiry(60)}, hello{props: expiry(60)}, goes(), 0},
		"not kept":              {hello{}, hello{dirty: true, props: expiry(60)}, goes(), 0},
		"kept no more":          {hello{props: expiry(60)}, hello{dirty: true}, goes(0, 5, packet.PropSessionExpiry, 0, 0, 0, 0), 0},
		"kept for longer":       {hello{props: expiry(1)}, hello{dirty: true}, goes(0, 5, packet.PropSessionExpiry, 0, 0, 0, 60), 1},
		"kept for ever":         {hello{props: expiry(0xFFFFFFFF)}, hello{dirty: true}, goes(), 1},
		"somebody else's":       {hello{props: expiry(60)}, hello{id: "other", dirty: true}, goes(), 0},
		"end of an error, kept": {hello{props: expiry(60)}, hello{dirty: true}, []byte{0, 0}, 1},
	} {
		for _, folder := range []string{"", t.TempDir()} {
			t.Run(fmt.Sprint(name, " ", folder != ""), func(t *testing.T) {
				w := newWorld(t, worldOptions{folder: folder})
				c.first.id = "p"
				if c.second.id == "" {
					c.second.id = "p"
				}
				p, ack := w.connect(5, c.first)
				if ack[0] != 0 {
					t.Errorf("at first: CONNACK % x", ack)
				}
				if c.bye != nil {
					p.send(c.bye)
					p.closed()
				}
				_ = p.Close()
				w.until("it has gone", func() bool { return !w.there("p") || w.server.Away() > 0 })
				if _, ack := w.connect(5, c.second); ack[0] != c.want {
					t.Errorf("CONNACK % x, want session present %d", ack, c.want)
				}
			})
		}
	}
}

// TestProblemInformation: who does not want reasons in words has none (3.1.2.11.7), and nobody in MQTT 3.1.1.
func TestProblemInformation(t *testing.T) {
	w := newWorld(t, worldOptions{})
	for value, told := range map[byte]bool{0: false, 1: true, 2: true} { // 2: it is not said
		h := hello{id: fmt.Sprint("p", value)}
		if value < 2 {
			h.props = []byte{packet.PropRequestProblem, value}
		}
		p, _ := w.connect(5, h)
		p.send(p.publishPacket("alone", "1", 1))
		puback := p.expect(packet.Puback)
		p.send(p.subscribePacket(7, 0, nil, "a/#/b"))
		suback := p.expect(packet.Suback)
		p.send([]byte{0, 0})
		typ, _, disconnect, err := p.next()
		if err != nil || typ != packet.Disconnect {
			t.Fatalf("%s, %v", typ, err)
		}
		for what, body := range map[string][]byte{"PUBACK": puback, "SUBACK": suback, "DISCONNECT": disconnect} {
			if has := bytes.IndexByte(body, packet.PropReasonText) >= 0 && len(body) > 10; has != told {
				t.Errorf("Request Problem Information %d: %s % x", value, what, body)
			}
		}
		bad := w.dial(5)
		h.will = "a/#=x"
		bad.send(h.packet(5))
		if ack := bad.expect(packet.Connack); (len(ack) > 12) != told {
			t.Errorf("Request Problem Information %d: CONNACK % x", value, ack)
		}
	}
}

// TestReceiveMaximum: who publishes more than the hub takes unacknowledged is disconnected with 0x93 (3.3.4); QoS 0 does not count.
func TestReceiveMaximum(t *testing.T) {
	w := newWorld(t, worldOptions{Options: mqtt.Options{Limits: mqtt.Limits{Window: 4}}, folder: t.TempDir()})
	p, ack := w.connect(5, hello{id: "p"})
	if !bytes.Contains(ack, []byte{packet.PropReceiveMax, 0, 4}) {
		t.Errorf("CONNACK % x", ack)
	}
	var zero []byte
	for range 100 {
		zero = append(zero, p.publishPacket("a/b", "0", 0)...)
	}
	p.send(zero)
	p.ping()
	for range 5 { // as many as it takes at a time, again and again
		var four []byte
		for id := range uint16(4) {
			four = append(four, p.publishPacket("a/b", "1", id+1)...)
		}
		p.send(four)
		for id := range uint16(4) {
			if r := p.puback(id + 1); r != 0 {
				t.Errorf("PUBACK %02x", r)
			}
		}
	}
	var many []byte
	for id := range uint16(1000) {
		many = append(many, p.publishPacket("a/b", "1", id+1)...)
	}
	_, _ = p.Write(many) // it may be closed already
	if r := p.closed(); r != packet.ReceiveMaximum {
		t.Errorf("DISCONNECT %02x", r)
	}
}

// TestDuplicates: a message that comes again with its identifier and DUP is another event: with QoS 1 the receiver sorts that out
// (4.3.2), and each has an acknowledgement with its identifier, in their order (4.6).
func TestDuplicates(t *testing.T) {
	both(t, func(t *testing.T, v byte) {
		w := newWorld(t, worldOptions{})
		sub, _ := w.connect(v, hello{id: "sub"})
		sub.subscribe(0, "a/b")
		p, _ := w.connect(v, hello{id: "p"})
		again := p.publishPacket("a/b", "2", 9)
		again[0] |= 8
		p.send(p.publishPacket("a/b", "1", 9), again, p.publishPacket("a/b", "3", 5), p.publishPacket("a/b", "4", 65535))
		for _, id := range []uint16{9, 9, 5, 65535} {
			if r := p.puback(id); r != 0 {
				t.Errorf("PUBACK of %d: %02x", id, r)
			}
		}
		for _, want := range []string{"1", "2", "3", "4"} {
			if g := sub.event(); g.payload != want || g.dup {
				t.Errorf("heard %v, want %s", g, want)
			}
		}
		// an acknowledgement of nothing changes nothing
		sub.send(pubackPacket(77))
		sub.ping()
	})
}

// TestAliasMaximum: a client that takes topic aliases need not be sent any: every message to it has its topic (3.1.2.11.5).
func TestAliasMaximum(t *testing.T) {
	w := newWorld(t, worldOptions{})
	p, ack := w.connect(5, hello{id: "p", props: packet.AppendUint16(nil, packet.PropTopicAliasMax, 10)})
	if bytes.IndexByte(ack[3:], packet.PropTopicAliasMax) >= 0 && bytes.Contains(ack, binary.BigEndian.AppendUint16([]byte{packet.PropTopicAliasMax}, 10)) {
		t.Errorf("CONNACK % x", ack)
	}
	p.subscribe(1, "a/b")
	pub, _ := w.connect(5, hello{id: "pub"})
	for range 3 {
		pub.publish("a/b", "1")
		if g := p.take(); g.topic != "a/b" {
			t.Errorf("heard %v", g)
		}
	}
	for _, props := range [][]byte{{packet.PropTopicAlias, 0, 0}, {packet.PropTopicAlias, 0, 1}, {packet.PropTopicAlias, 255, 255}} {
		q, _ := w.connect(5, hello{id: "q"})
		q.send(q.publishPacket("", "1", 0, props...))
		if r := q.closed(); r != packet.BadAlias {
			t.Errorf("% x: DISCONNECT %02x", props, r)
		}
	}
}
