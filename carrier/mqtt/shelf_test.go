package mqtt_test

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"sighub/carrier"
	"sighub/internal/mqtt/packet"
	"sighub/internal/mqtt/shelf"
	"sighub/internal/mqtt/topic"
)

// shelves returns options with a shelf that everybody sees but for clients without an identity while closed is true.
func shelves() (o worldOptions, s *shelf.Shelf) {
	s = shelf.New((*carrier.Account)(nil))
	o.Shelf = &testShelf{s: s}
	return o, s
}

// A testShelf shows everybody the same, unless refusal says why not.
type testShelf struct {
	s       *shelf.Shelf
	refusal atomic.Pointer[error]
}

func (s *testShelf) Shelf(_ string, changed func()) (*shelf.Shelf, func(), error) {
	if err := s.refusal.Load(); err != nil {
		return nil, nil, *err
	}
	return s.s, s.s.Watch(changed), nil
}

func (s *testShelf) Announce(_, at string, _ topic.Name, payload []byte) error {
	if err := s.refusal.Load(); err != nil {
		return *err
	}
	return s.s.Put(at, bytes.Clone(payload))
}

func put(t *testing.T, s *shelf.Shelf, topic, payload string) {
	t.Helper()
	if err := s.Put(topic, []byte(payload)); err != nil {
		t.Fatal(err)
	}
}

// messages reads n messages, in any order.
func (p *peer) messages(n int) (list []string) {
	p.t.Helper()
	for range n {
		list = append(list, p.take().String())
	}
	slices.Sort(list)
	return list
}

func (p *peer) expectMessages(want ...string) {
	p.t.Helper()
	if got := p.messages(len(want)); !slices.Equal(got, want) {
		p.t.Errorf("heard %q, want %q", got, want)
	}
	p.ping()
}

// TestKeptMessages: what the hub keeps is told to those who subscribe to it: what there is as retained, what changes, and what is cleared.
func TestKeptMessages(t *testing.T) {
	both(t, func(t *testing.T, v byte) {
		o, s := shelves()
		w := newWorld(t, o)
		put(t, s, "homeassistant/device/a/config", "A")
		put(t, s, "homeassistant/device/b/config", "B")
		put(t, s, "homeassistant/device/gone/config", "")
		put(t, s, "_now/pump/n", "1")
		p, _ := w.connect(v, hello{id: "ha"})
		everything, _ := w.connect(v, hello{id: "everything"})
		everything.subscribe(1, "#", "+/+/+/config", "+/#")
		if got := p.subscribe(1, "homeassistant/+/+/config", "_now/pump/n"); string(got) != "\x00\x00" {
			t.Errorf("SUBACK % x", got)
		}
		p.expectMessages("_now/pump/n 1 (retained)", "homeassistant/device/a/config A (retained)", "homeassistant/device/b/config B (retained)",
			"homeassistant/device/gone/config ")
		put(t, s, "_now/pump/n", "2")
		put(t, s, "_now/other", "3")
		put(t, s, "homeassistant/device/a/config", "")
		if list := p.messages(2); !slices.Equal(list, []string{"_now/pump/n 2", "homeassistant/device/a/config "}) {
			t.Errorf("heard %q", list)
		}
		p.send(p.unsubscribePacket(9, "homeassistant/+/+/config"))
		p.expect(packet.Unsuback)
		put(t, s, "homeassistant/device/b/config", "C")
		p.ping()
		everything.ping() // filters that do not begin so have nothing of it
		if v < 5 {
			return
		}
		for handling, want := range [][]string{{"_now/pump/n 2 (retained)"}, nil, nil} { // the filter is known
			p.send(p.subscribePacket(7, byte(handling)<<4, nil, "_now/pump/n"))
			p.suback()
			p.expectMessages(want...)
		}
		for handling, want := range [][]string{{"_now/other 3 (retained)"}, {"_now/other 3 (retained)"}, nil} {
			p.send(p.subscribePacket(7, byte(handling)<<4, []byte{packet.PropSubscriptionID, 9}, "_now/other"))
			p.suback()
			p.expectMessages(want...)
			p.send(p.unsubscribePacket(9, "_now/other"))
			p.expect(packet.Unsuback)
		}
		p.send(p.subscribePacket(7, 8, []byte{packet.PropSubscriptionID, 9}, "_now/other")) // Retain As Published
		p.suback()
		p.take()
		put(t, s, "_now/other", "4")
		if g := p.take(); g.String() != "_now/other 4 (retained)" || g.props.SubscriptionID != 9 {
			t.Errorf("heard %v, %d", g, g.props.SubscriptionID)
		}
	})
}

// TestKeptStatus: Home Assistant says that it has started, and is told everything again. What else is published there is refused.
func TestKeptStatus(t *testing.T) {
	both(t, func(t *testing.T, v byte) {
		o, s := shelves()
		w := newWorld(t, o)
		put(t, s, "homeassistant/device/a/config", "A")
		p, _ := w.connect(v, hello{id: "ha", will: "homeassistant/status=offline"})
		p.subscribe(0, "homeassistant/+/+/config")
		p.expectMessages("homeassistant/device/a/config A (retained)")
		if r := p.publish("homeassistant/status", "online"); r != 0 {
			t.Errorf("PUBACK %02x", r)
		}
		p.expectMessages("homeassistant/device/a/config A (retained)")
		p.publish("homeassistant/status", "offline")
		p.ping()
		if n := total(w.refusedOf("ha")); n > 0 {
			t.Errorf("%d are refused", n)
		}
		_ = p.Close()
		for _, text := range []string{"homeassistant/device/sighub_a/config", "_now/pump/n"} {
			q, _ := w.connect(v, hello{id: "q"})
			q.send(q.publishPacket(text, "1", 0))
			q.ping()
			if refused := w.refusedOf("q"); total(refused) != 1 {
				t.Errorf("%s: refused %v", text, refused)
			}
			q.send(q.publishPacket(text, "1", 1))
			if v == 4 {
				q.closed()
				continue
			}
			if r := q.puback(1); r != packet.NotAuthorized {
				t.Errorf("%s: PUBACK %02x", text, r)
			}
			q.send(frame(packet.Disconnect, 0, nil))
			q.closed()
		}
		bad := w.dial(v)
		bad.send(hello{id: "bad", will: "homeassistant/x/config=1"}.packet(v))
		if r := bad.closed(); v == 5 && r != packet.BadTopic || r == 0 {
			t.Errorf("CONNACK %02x", r)
		}
		if m, _ := s.At("homeassistant/device/a/config"); string(m.Payload) != "A" {
			t.Errorf("%s is there now", m.Payload)
		}
	})
}

// TestKeptAnnounced: what a client announces is kept for those who come later, whatever its flag; what Home Assistant says of itself is told
// to those who have subscribed, and not kept; and what is no announcement is an event.
func TestKeptAnnounced(t *testing.T) {
	both(t, func(t *testing.T, v byte) {
		o, _ := shelves()
		w := newWorld(t, o)
		device, _ := w.connect(v, hello{id: "device"})
		device.subscribe(0, "homeassistant/status")
		if r := device.publish("homeassistant/sensor/x/config", `{"name":"x"}`); r != 0 {
			t.Errorf("PUBACK %02x", r)
		}
		ha, _ := w.connect(v, hello{id: "ha", will: "homeassistant/status=offline"})
		ha.subscribe(0, "homeassistant/#")
		ha.expectMessages(`homeassistant/sensor/x/config {"name":"x"} (retained)`)
		ha.subscribe(0, "homeassistant/sensor/x/state")
		device.publish("homeassistant/sensor/x/state", "21")
		if g := ha.event(); g.String() != "homeassistant/sensor/x/state 21" {
			t.Errorf("heard %v", g)
		}
		ha.publish("homeassistant/status", "online")
		for _, want := range []string{"homeassistant/status online", "homeassistant/status offline"} {
			if g := device.take(); g.String() != want {
				t.Errorf("heard %v, want %s", g, want)
			}
			_ = ha.Close()
		}
		device.publish("homeassistant/sensor/x/config", "")
		late, _ := w.connect(v, hello{id: "late"})
		late.subscribe(0, "homeassistant/+/+/config", "homeassistant/status")
		late.expectMessages("homeassistant/sensor/x/config ")
	})
}

// TestKeptHostile: thousands of topics, and large messages to them, are refused one by one, counted, and keep nothing.
func TestKeptHostile(t *testing.T) {
	o, _ := shelves()
	denied := error(carrier.ErrDenied)
	o.Shelf.(*testShelf).refusal.Store(&denied)
	w := newWorld(t, o)
	p, _ := w.connect(5, hello{id: "bad"})
	large := strings.Repeat("x", 100<<10)
	const n = 1500
	go func() {
		for i := range n {
			payload := "{}"
			if i%100 == 0 {
				payload = large
			}
			if _, err := p.Write(p.publishPacket(fmt.Sprintf("homeassistant/sensor/x%d/config", i), payload, uint16(i+1))); err != nil {
				return
			}
		}
	}()
	for i := range n {
		if r := p.puback(uint16(i + 1)); r != packet.NotAuthorized {
			t.Fatalf("PUBACK %02x", r)
		}
	}
	if refused := w.refusedOf("bad"); refused["denied"] != n || total(refused) != n {
		t.Errorf("refused %v", refused)
	}
	list, err := w.near.RemoteSenders(t.Context())
	if err != nil || len(list) > 0 {
		t.Errorf("there are senders: %v, %v", list, err)
	}
}

// TestKeptSlow: a client that does not read is told what is newest when it does, and nothing piles up meanwhile.
func TestKeptSlow(t *testing.T) {
	o, s := shelves()
	w := newWorld(t, o)
	p, _ := w.connect(4, hello{id: "slow"})
	p.subscribe(0, "_now/#")
	text := strings.Repeat("x", 10<<10)
	const topics, rounds = 50, 60 // 30 MB
	for n := range rounds {
		for i := range topics {
			put(t, s, fmt.Sprint("_now/s/", i), fmt.Sprint(n, " ", text))
		}
	}
	put(t, s, "_now/end", "1")
	newest, heard := make(map[string]string), 0
	for newest["_now/end"] == "" {
		g := p.message()
		number, _, _ := strings.Cut(g.payload, " ")
		newest[g.topic] = number
		heard++
	}
	for i := range topics {
		if got := newest[fmt.Sprint("_now/s/", i)]; got != fmt.Sprint(rounds-1) {
			t.Errorf("topic %d: %s", i, got)
		}
	}
	if heard > rounds*topics*9/10 {
		t.Errorf("%d messages of %d", heard, rounds*topics)
	}
}

// TestKeptResumed: a session that goes on is told what there is, in memory and in the journal.
func TestKeptResumed(t *testing.T) {
	for _, folder := range []string{"", t.TempDir()} {
		o, s := shelves()
		o.folder = folder
		w := newWorld(t, o)
		put(t, s, "_now/a", "1")
		p, _ := w.connect(5, kept("ha", 5))
		p.subscribe(1, "_now/#")
		p.expectMessages("_now/a 1 (retained)")
		_ = p.Close()
		w.until("it has gone", func() bool { return !w.there("ha") || w.server.Away() == 1 })
		put(t, s, "_now/a", "2")
		p, ack := w.connect(5, kept("ha", 5))
		if ack[0] != 1 {
			t.Errorf("CONNACK % x", ack)
		}
		p.expectMessages("_now/a 2 (retained)")
	}
}

// TestKeptDenied: who may not see anything is told so; what is too large for a client is left out, and counted.
func TestKeptDenied(t *testing.T) {
	o, s := shelves()
	refusal := &o.Shelf.(*testShelf).refusal
	w := newWorld(t, o)
	p, _ := w.connect(5, hello{id: "p", props: packet.AppendUint32(nil, packet.PropMaxPacket, 200)})
	for want, e := range map[packet.Reason]error{packet.NotAuthorized: carrier.ErrDenied, packet.QuotaExceeded: carrier.ErrLimit} {
		refusal.Store(&e)
		if got := p.subscribe(0, "_now/#"); packet.Reason(got[0]) != want {
			t.Errorf("SUBACK % x, want %02x", got, want)
		}
	}
	refusal.Store(nil)
	if total(w.refusedOf("p")) != 2 {
		t.Errorf("refused %v", w.refusedOf("p"))
	}
	put(t, s, "_now/a", strings.Repeat("x", 300))
	put(t, s, "_now/b", "1")
	p.subscribe(0, "_now/#")
	p.expectMessages("_now/b 1 (retained)")
	if refused := w.refusedOf("p"); refused["size"] != 1 {
		t.Errorf("refused %v", refused)
	}
	if got := p.subscribe(0, "_now/#/x", "_now/+x"); string(got) != "\x8f\x8f" {
		t.Errorf("SUBACK % x", got)
	}
}

// TestWithoutShelf: where nothing is kept, its topics are like all others.
func TestWithoutShelf(t *testing.T) {
	w := newWorld(t, worldOptions{})
	p, _ := w.connect(5, hello{id: "p"})
	if got := p.subscribe(0, "homeassistant/+", "_now/x"); string(got) != "\x00\x8f" {
		t.Errorf("SUBACK % x", got)
	}
	p.send(p.publishPacket("homeassistant/status", "online", 0))
	if g := p.event(); g.String() != `homeassistant/status "online"` {
		t.Errorf("heard %v", g)
	}
}
