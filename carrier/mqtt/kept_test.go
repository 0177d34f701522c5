package mqtt_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"sighub/carrier/mqtt"
	"sighub/hub"
	"sighub/internal/mqtt/packet"
	"sighub/journal"
)

// expiry is a session that is kept for an hour, in MQTT 5.
func kept(id string, v byte) hello {
	h := hello{id: id, dirty: true}
	if v == 5 {
		h.props = packet.AppendUint32(nil, packet.PropSessionExpiry, 3600)
	}
	return h
}

// numbers reads events until n have come, each of which must follow the one before, from first on.
func (p *peer) numbers(first, n int) {
	p.t.Helper()
	for i := first; i < first+n; i++ {
		if g := p.event(); g.payload != fmt.Sprint(i) {
			p.t.Fatalf("heard %v, want %d", g, i)
		}
	}
}

// TestKeptInJournal: a session goes on where its client has acknowledged, also with another hub, and misses nothing.
func TestKeptInJournal(t *testing.T) {
	both(t, func(t *testing.T, v byte) {
		dir := t.TempDir()
		w := newWorld(t, worldOptions{folder: dir})
		sub, ack := w.connect(v, kept("sub", v))
		if ack[0] != 0 {
			t.Error("a new session is said to be there")
		}
		if got := sub.subscribe(1, "pump/n", "other/+", "pump/_state"); got[0] != 1 || got[1] != 1 || got[2] != 1 {
			t.Fatalf("SUBACK: % x", got)
		}
		pub, _ := w.connect(v, hello{id: "pub"})
		publish := func(from, to int) {
			for i := from; i < to; i++ {
				if r := pub.publish("pump/n", fmt.Sprint(i)); r != 0 {
					t.Fatal(r)
				}
			}
		}
		publish(0, 10)
		sub.numbers(0, 10)
		sub.ping2()
		_ = sub.Close()
		publish(10, 2000)
		sub, ack = w.connect(v, kept("sub", v))
		if ack[0] != 1 {
			t.Error("the session is not said to be there")
		}
		sub.numbers(10, 1990)
		sub.ping2()
		_ = sub.Close()
		publish(2000, 2010)
		w.end()

		w = newWorld(t, worldOptions{folder: dir})
		pub, _ = w.connect(v, hello{id: "pub"})
		publish(2010, 2020)
		sub, ack = w.connect(v, kept("sub", v))
		if ack[0] != 1 {
			t.Error("the session has not outlived the hub")
		}
		sub.numbers(2000, 20)
		sub.send(sub.unsubscribePacket(3, "pump/n"))
		for {
			typ, _, _, err := sub.next()
			if err != nil {
				t.Fatal(err)
			}
			if typ == packet.Unsuback {
				break
			}
		}
		_ = sub.Close()
		sub, ack = w.connect(v, hello{id: "sub"}) // a clean start
		if ack[0] != 0 {
			t.Error("the session is there after a clean start")
		}
		w.until("no cursor is left", func() bool {
			list, err := w.near.Cursors(t.Context())
			return err == nil && len(list) == 0
		})
		// retained: the last values
		if got := sub.subscribe(1, "pump/n"); got[0] != 1 {
			t.Fatalf("SUBACK: % x", got)
		}
		if g := sub.take(); g.payload != "2019" || !g.retain {
			t.Errorf("heard %v", g)
		}
		if v == 5 {
			sub.subscribe(1|2<<4, "pump/n") // not again
			pub.publish("pump/n", "3")
			if g := sub.take(); g.payload != "3" || g.retain {
				t.Errorf("heard %v", g)
			}
		}
	})
}

// TestCursorInUse: a cursor that nobody needs any more is removed when its client has gone, though that takes a while.
func TestCursorInUse(t *testing.T) {
	w := newWorld(t, worldOptions{folder: t.TempDir()})
	w.connect(5, hello{id: "first"}) // so the Server is served
	listener := func(cursor string) *hub.Listener {
		l, err := w.near.AddRemoteListenerWith(t.Context(), "pump", "n", hub.ListenerOptions{Cursor: cursor}, func(hub.Event) {})
		if err != nil {
			t.Fatal(err)
		}
		return l
	}
	remove := func(l *hub.Listener) {
		if err := w.near.RemoveRemoteListener(t.Context(), l); err != nil {
			t.Fatal(err)
		}
	}
	gone := func(cursor string) func() bool {
		return func() bool {
			list, err := w.near.Cursors(t.Context())
			return err == nil && !slices.ContainsFunc(list, func(c hub.Cursor) bool { return c.Name == cursor })
		}
	}
	held := listener("held")
	remove(listener("free"))
	w.server.Forget("held", "free")
	w.until("what is free is removed", gone("free")) // and the other one was tried
	remove(held)
	w.until("what was held is removed", gone("held"))
}

// TestKeptInMemory: without a journal, a session keeps the newest messages, and tells what it has lost.
func TestKeptInMemory(t *testing.T) {
	both(t, func(t *testing.T, v byte) {
		w := newWorld(t, worldOptions{Options: mqtt.Options{Limits: mqtt.Limits{Queue: 50}}})
		sub, ack := w.connect(v, kept("sub", v))
		if ack[0] != 0 {
			t.Error("a new session is said to be there")
		}
		sub.subscribe(1, "pump/n", "pump/_gap")
		pub, _ := w.connect(v, hello{id: "pub"})
		publish := func(from, to int) {
			for i := from; i < to; i++ {
				if r := pub.publish("pump/n", fmt.Sprint(i)); r != 0 {
					t.Fatal(r)
				}
			}
		}
		publish(0, 20)
		sub.numbers(0, 10)
		last := sub.message() // not acknowledged
		sub.ping2()
		_ = sub.Close()
		w.until("the client has gone", func() bool { return w.server.Away() == 1 })
		publish(20, 30)
		sub, ack = w.connect(v, kept("sub", v))
		if ack[0] != 1 {
			t.Error("the session is not said to be there")
		}
		again := sub.take()
		if again.payload != last.payload || again.id != last.id || !again.dup {
			t.Errorf("heard %v (dup %t, %d), want %v again with the identifier %d", again, again.dup, again.id, last, last.id)
		}
		sub.numbers(11, 19)
		sub.ping()
		_ = sub.Close()
		w.until("the client has gone", func() bool { return w.server.Away() == 1 })
		publish(30, 130)
		sub, _ = w.connect(v, kept("sub", v))
		if g := sub.take(); g.topic != "pump/_gap" || !strings.Contains(g.payload, `"count":50`) {
			t.Errorf("heard %v", g)
		}
		sub.numbers(80, 50)
		_ = sub.Close()
		_, ack = w.connect(v, hello{id: "sub"})
		if ack[0] != 0 {
			t.Error("the session is there after a clean start")
		}
	})
}

// TestIdentifierInUse: a client that acknowledges later messages before an earlier one is sent no other with the identifier of that.
func TestIdentifierInUse(t *testing.T) {
	both(t, func(t *testing.T, v byte) {
		w := newWorld(t, worldOptions{})
		sub, _ := w.connect(v, kept("sub", v))
		sub.subscribe(1, "pump/n")
		pub, _ := w.connect(v, hello{id: "pub"})
		pub.publish("pump/n", "0")
		first := sub.message()
		w.server.SetNext("sub", 65534)
		for i := range 3 {
			pub.publish("pump/n", fmt.Sprint(i+1))
		}
		if g := sub.take(); g.id != 65535 {
			t.Errorf("the identifier is %d", g.id)
		}
		sub.ping() // nothing more comes
		sub.send(pubackPacket(first.id))
		for _, want := range []string{"2", "3"} {
			if g := sub.event(); g.payload != want {
				t.Errorf("heard %v, want %s", g, want)
			}
		}
	})
}

// ping2 waits for a PINGRESP, and takes no notice of messages before it.
func (p *peer) ping2() {
	p.t.Helper()
	p.send(frame(packet.Pingreq, 0, nil))
	for {
		typ, _, _, err := p.next()
		if err != nil {
			p.t.Fatal(err)
		}
		if typ == packet.Pingresp {
			return
		}
	}
}

// TestStates: whoever subscribes is told who is connected, with retained messages.
func TestStates(t *testing.T) {
	both(t, func(t *testing.T, v byte) {
		w := newWorld(t, worldOptions{})
		pub, _ := w.connect(v, hello{id: "pub"})
		for i := range 3 {
			pub.publish(fmt.Sprintf("pump%d/n", i), "1")
		}
		for filter, want := range map[string]int{"+/_state": 3, "#": 3, "pump1/+": 1, "pump2/_state": 1} {
			sub, _ := w.connect(v, hello{})
			sub.subscribe(0, filter)
			for range want {
				if g := sub.take(); !g.retain || !strings.HasPrefix(g.topic, "pump") || g.payload != `{"connected":true}` {
					t.Errorf("%s: heard %v", filter, g)
				}
			}
			sub.ping()
			_ = sub.Close()
		}
	})
}

// TestStrays: cursors that no session has, because the power was lost before it was saved, are removed at the next start; those of
// others stay, whatever they are called.
func TestStrays(t *testing.T) {
	dir := t.TempDir()
	w := newWorld(t, worldOptions{folder: dir})
	sub, _ := w.connect(5, kept("sub", 5))
	sub.subscribe(1, "pump/n")
	if _, err := w.near.AddRemoteListenerWith(t.Context(), "pump", "n", hub.ListenerOptions{Cursor: "mqtt sub pump/n"}, func(hub.Event) {}); err != nil {
		t.Fatal(err)
	}
	w.end()

	j, err := journal.Open(dir, journal.Options{})
	if err != nil {
		t.Fatal(err)
	}
	g := j.NewGroup()
	g.Mark("mqtt/sessions", []byte("[]"))
	g.Append(0)
	ctx, cancel := context.WithCancel(t.Context())
	served := make(chan error)
	go func() { served <- j.Serve(ctx, func(journal.Ticket, bool) {}) }()
	err = j.Sync(t.Context())
	cancel()
	if err := errors.Join(err, <-served); err != nil {
		t.Fatal(err)
	}

	w = newWorld(t, worldOptions{folder: dir})
	sub, _ = w.connect(5, kept("sub", 5))
	sub.subscribe(1, "pump/n")
	w.until("the stray cursor is gone", func() bool {
		list, err := w.near.Cursors(t.Context())
		return err == nil && len(list) == 2 && slices.ContainsFunc(list, func(c hub.Cursor) bool { return c.Name == "mqtt sub pump/n" })
	})
	pub, _ := w.connect(5, hello{id: "pub"})
	pub.publish("pump/n", "1")
	sub.numbers(1, 1)
}

// TestKeptRoom: many sessions with long filters do not drive out one whose client is there, nor anything else of the journal: what has
// no room is refused, or makes room of its own kind.
func TestKeptRoom(t *testing.T) {
	dir := t.TempDir()
	w := newWorld(t, worldOptions{folder: dir})
	sub, _ := w.connect(4, kept("sub", 4))
	sub.subscribe(1, "pump/n")
	for i := range 40 {
		p, _ := w.connect(4, kept(fmt.Sprintf("greedy %d", i), 4))
		var filters []string
		for j := range 250 {
			filters = append(filters, fmt.Sprintf("_answer/%03d%s", j, strings.Repeat("x", 112)))
		}
		got := p.subscribe(1, filters...)
		if n := bytes.Count(got, []byte{0x80}); n == 0 || n == len(filters) {
			t.Errorf("session %d: %d of %d subscriptions are refused", i, n, len(filters))
		}
		_ = p.Close()
	}
	policy := packet.AppendUser(nil, "policy", strings.Repeat("x", 60<<10))
	p, _ := w.connect(5, kept("greedy", 5))
	p.send(p.subscribePacket(7, 1, policy, "_answer/x"))
	if got := p.suback(); packet.Reason(got[0]) != packet.QuotaExceeded {
		t.Errorf("a long policy: SUBACK % x", got)
	}
	w.end()
	w = newWorld(t, worldOptions{folder: dir})
	if _, ack := w.connect(4, kept("sub", 4)); ack[0] != 1 {
		t.Error("the session is lost")
	}
}
