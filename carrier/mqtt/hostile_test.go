package mqtt_test

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"sighub/carrier/mqtt"
	"sighub/hub"
	"sighub/internal/mqtt/packet"
	"sighub/listen"
)

// TestRevokedWhileLoggingIn: a client is disconnected whose identity was revoked between the login and its first word to the hub.
func TestRevokedWhileLoggingIn(t *testing.T) {
	asked, goOn := make(chan struct{}), make(chan struct{})
	login := func(context.Context, listen.Peer, listen.Secret) (string, error) {
		close(asked)
		<-goOn
		return "maker", nil
	}
	w := newWorld(t, worldOptions{Options: mqtt.Options{Login: login}})
	p := w.dial(5)
	p.send(hello{id: "a", user: "x", pass: "sgh_make"}.packet(5))
	<-asked
	w.router.Expel("maker")
	close(goOn)
	if r := p.closed(); r != packet.NotAuthorized {
		t.Errorf("DISCONNECT %02x", r)
	}
}

// TestPipelined: a client that does not wait for answers ends with the subscriptions that it has asked for last, each told once.
func TestPipelined(t *testing.T) {
	both(t, func(t *testing.T, v byte) {
		for name, h := range map[string]hello{"clean": {id: "clean"}, "kept": kept("kept", v)} {
			w := newWorld(t, worldOptions{folder: t.TempDir()})
			p, _ := w.connect(v, h)
			for range 5 {
				p.send(p.subscribePacket(7, 1, nil, "pump/n", "pump/other", "pump/n"), p.unsubscribePacket(8, "pump/other"))
			}
			for i := range 10 {
				p.expect([]packet.Type{packet.Suback, packet.Unsuback}[i%2])
			}
			pub, _ := w.connect(v, hello{id: "pub " + name})
			for _, topic := range []string{"pump/other", "pump/n", "pump/other"} {
				pub.publish(topic, "1")
			}
			if g := p.take(); g.topic != "pump/n" {
				t.Errorf("%s: heard %v", name, g)
			}
			p.ping()
		}
	})
}

// TestReconnects: a client that comes back at once, and subscribes without waiting, misses nothing, however often.
func TestReconnects(t *testing.T) {
	w := newWorld(t, worldOptions{folder: t.TempDir()})
	pub, _ := w.connect(5, hello{id: "pub"})
	next := 0
	for i := range 20 {
		p := w.dial(5)
		p.send(kept("sub", 5).packet(5), p.subscribePacket(7, 1, nil, "pump/n"))
		if ack := p.expect(packet.Connack); (ack[0] == 1) != (i > 0) {
			t.Errorf("CONNACK % x", ack)
		}
		for heard := false; !heard; { // what was missed may come before it
			typ, flags, body, err := p.next()
			switch {
			case err != nil:
				t.Fatal(err)
			case typ == packet.Suback:
				heard = true
			case typ == packet.Publish:
				g := p.parse(flags, body)
				if g.payload != fmt.Sprint(next) {
					t.Fatalf("heard %v, want %d", g, next)
				}
				next++
				p.send(pubackPacket(g.id))
			}
		}
		if i > 0 {
			p.numbers(next, 10*i-next)
			next = 10 * i
		}
		p.ping2()
		if i%2 == 0 {
			_ = p.Close() // else it is taken over
		}
		for n := range 10 {
			if i%2 == 1 && n == 0 {
				nothing, _ := w.connect(5, kept("sub", 5))
				_ = nothing.Close()
			}
			if r := pub.publish("pump/n", fmt.Sprint(10*i+n)); r != 0 {
				t.Fatal(r)
			}
		}
	}
}

// TestOneRefused: that one event is refused says nothing about the next one of the same sender.
func TestOneRefused(t *testing.T) {
	w := newWorld(t, worldOptions{})
	w.router.SetPolicy(rules{"": {"add pump ok*", "trigger pump ok*"}})
	p, _ := w.connect(5, hello{id: "a"})
	for i := range 3 {
		if r := p.publish(fmt.Sprintf("pump/ok%d", i), "1"); r != 0 {
			t.Errorf("PUBACK %02x", r)
		}
		if r := p.publish("pump/bad", "1"); r != packet.NotAuthorized {
			t.Errorf("PUBACK %02x", r)
		}
	}
}

// TestSmallClient: words of the hub's make no packet larger than the client takes.
func TestSmallClient(t *testing.T) {
	w := newWorld(t, worldOptions{})
	p, _ := w.connect(5, hello{id: "a", props: packet.AppendUint32(nil, packet.PropMaxPacket, 48)})
	if got := p.subscribe(0, "a/_b"); got[0] != byte(packet.BadFilter) {
		t.Errorf("SUBACK % x", got)
	}
	p.send(p.publishPacket("a/_b", "1", 1))
	if body := p.expect(packet.Puback); len(body) > 44 {
		t.Errorf("the PUBACK has %d bytes", len(body))
	}
}

// TestKeptInMemoryBlocks: a session in memory whose client is there loses nothing that its policy does not lose.
func TestKeptInMemoryBlocks(t *testing.T) {
	for _, policy := range []string{"block", "latest"} {
		t.Run(policy, func(t *testing.T) {
			w := newWorld(t, worldOptions{
				Options: mqtt.Options{Limits: mqtt.Limits{Queue: 10, QueueBytes: 64 << 10}},
				hub:     hub.ServerOptions{Outbox: hub.OutboxOptions{Limit: 16, Deadline: long}},
			})
			h := kept("slow", 5)
			h.props = packet.AppendUint16(h.props, packet.PropReceiveMax, 4)
			slow, _ := w.connect(5, h)
			slow.send(slow.subscribePacket(7, 1, packet.AppendUser(nil, "policy", policy), "pump/n", "pump/_gap"))
			slow.suback()
			pub, _ := w.connect(5, hello{id: "pub"})
			const n = 60
			text := strings.Repeat("x", 16<<10)
			for i := range n {
				pub.send(pub.publishPacket("pump/n", text, uint16(i+1)))
			}
			heard, lost := 0, 0
			for heard+lost < n {
				switch g := slow.take(); g.topic {
				case "pump/n":
					heard++
				case "pump/_gap":
					var loss struct{ Count int }
					if err := json.Unmarshal([]byte(g.payload), &loss); err != nil {
						t.Fatal(err)
					}
					lost += loss.Count
				}
			}
			if policy == "block" && lost > 0 {
				t.Errorf("%d of %d are lost", lost, n)
			}
		})
	}
}

// TestLessAgain: a client that comes back and takes less, of messages and of bytes, gets no more of either, and is told what is lost.
func TestLessAgain(t *testing.T) {
	w := newWorld(t, worldOptions{})
	sub, _ := w.connect(5, kept("sub", 5))
	sub.subscribe(1, "pump/n", "pump/_gap")
	pub, _ := w.connect(5, hello{id: "pub"})
	var ids []uint16
	for i := range 10 {
		payload := fmt.Sprint(i)
		if i == 3 {
			payload = strings.Repeat("x", 2000)
		}
		pub.publish("pump/n", payload)
		ids = append(ids, sub.message().id)
	}
	_ = sub.Close()
	w.until("the client has gone", func() bool { return w.server.Away() == 1 })
	h := kept("sub", 5)
	h.props = packet.AppendUint32(packet.AppendUint16(h.props, packet.PropReceiveMax, 2), packet.PropMaxPacket, 1000)
	sub, _ = w.connect(5, h)
	for i := 0; i < 10; i++ {
		if i == 0 {
			for j := range 2 {
				if g := sub.message(); g.payload != fmt.Sprint(j) || !g.dup || g.id != ids[j] {
					t.Fatalf("heard %v, identifier %d", g, g.id)
				}
			}
			sub.ping() // no third one
			sub.send(pubackPacket(ids[0]), pubackPacket(ids[1]))
			i = 2
		}
		g := sub.take()
		for g.topic == "pump/_gap" {
			if i == 3 && strings.Contains(g.payload, `"count":1`) {
				i++
			}
			g = sub.take()
		}
		if g.payload != fmt.Sprint(i) || !g.dup || g.id != ids[i] {
			t.Fatalf("heard %v (dup %t, %d), want %d of %v", g, g.dup, g.id, i, ids)
		}
	}
}

// TestSessionsOfOthers: who makes up client identifiers drives out no session of another identity.
func TestSessionsOfOthers(t *testing.T) {
	login := func(_ context.Context, _ listen.Peer, s listen.Secret) (string, error) { return s.Name, nil }
	w := newWorld(t, worldOptions{folder: t.TempDir(), Options: mqtt.Options{Login: login, Limits: mqtt.Limits{Sessions: 4}}})
	be := func(who, id string) byte {
		h := kept(id, 5)
		h.user, h.pass = who, "x"
		p, ack := w.connect(5, h)
		p.send(frame(packet.Disconnect, 0, nil))
		p.closed()
		return ack[0]
	}
	be("good", "sensor")
	for i := range 20 {
		be("bad", fmt.Sprintf("made up %d", i))
	}
	if be("bad", "sensor") != 0 {
		t.Error("the session of another identity is taken over")
	}
	if be("good", "sensor") != 1 {
		t.Error("the session has gone")
	}
}
