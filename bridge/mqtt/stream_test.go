package mqtt

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"slices"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"sighub/bridge/mqtt/internal/client"
	"sighub/hub"
)

func (l *testLog) logger() *slog.Logger { return slog.New(slog.NewTextHandler(l, nil)) }

func numbers(first, n int) (list []any) {
	for i := range n {
		list = append(list, first+i)
	}
	return list
}

// TestEvents: every event is passed on in order, with an id of its own, and goes on where it was after both ends have stopped in order.
func TestEvents(t *testing.T) {
	broker, dir := startBroker(t), t.TempDir()
	l := listen(t, broker.addr, "plant/#")
	for run := range 3 {
		h := newHouse(t, dir)
		b := h.bridge(Options{Addr: broker.addr, Topic: "plant/{hub}/{device}/{sender}/{event}", HubName: "a/b"})
		h.serve(b)
		s := h.sender("sky/light", hub.SenderOptions{Events: []string{"lux", "#alarm"}})
		h.report(s, "lux", numbers(100*run, 100)...)
		h.report(s, "#alarm", "fire")
		l.wait("plant/a%2Fb/_/sky/light/lux ", 100*(run+1))
		l.wait("plant/a%2Fb/_/sky/light/%23alarm ", run+1)
		eventually(t, "everything is acknowledged", func() bool { return b.Status().Lag == 0 })
		if st := b.Status(); !st.Connected || st.Sent < 102 || st.Error != "" {
			t.Errorf("%+v", st)
		}
		h.stop()
	}
	list := l.heard("plant/a%2Fb/_/sky/light/lux ")
	for i, text := range list {
		if want := fmt.Sprintf("plant/a%%2Fb/_/sky/light/lux %d", i); text != want {
			t.Fatalf("event %d is %q", i, text)
		}
	}
	l.wait("plant/a%2Fb/_/sky/light/_state ", 5) // the hub's last one may come with its next run
	l.c.Close(true)                              // nothing is heard any more
	states := l.heard("plant/a%2Fb/_/sky/light/_state ")
	distinct := func(list []string) int {
		list = slices.Sorted(slices.Values(list))
		return len(slices.Compact(list))
	}
	if n, want := distinct(l.ids), 3*(100+1)+distinct(states); n != want {
		t.Errorf("%d ids, want %d", n, want)
	}
	if !strings.Contains(states[0], `"connected":true`) || !strings.Contains(states[1], `"connected":false,"reason":"shutdown"`) {
		t.Errorf("%q", states)
	}
}

// TestEnvelope: the payload says all that is known of an event.
func TestEnvelope(t *testing.T) {
	broker := startBroker(t)
	l := listen(t, broker.addr, "#")
	h := newHouse(t, t.TempDir())
	h.serve(h.bridge(Options{Addr: broker.addr, Payload: Envelope, Retain: true, Takes: func(_, event string) bool { return event == "lux" }}))
	s := h.sender("light", hub.SenderOptions{Events: []string{"lux", "dark"}})
	h.report(s, "dark", true)
	h.report(s, "lux", map[string]any{"a": 1})
	text := l.wait("sighub/light/lux ", 1)[0]
	for _, want := range []string{`"id":"light/`, `"sender":"light","event":"lux","time":"20`, `"seq":3,"position":[`, `"data":{"a":1}`} {
		if !strings.Contains(text, want) {
			t.Errorf("%s is not in %s", want, text)
		}
	}
	if list := l.heard("sighub/light/dark"); len(list) > 0 {
		t.Errorf("%q", list)
	}
	if list := kept(t, broker.addr, "sighub/light/#"); !slices.Equal(list, []string{"sighub/light/lux"}) {
		t.Errorf("kept is %q", list)
	}
}

// TestCutLines: whatever happens to the line, each event comes at least once, its doubles have its id, and none overtakes another.
func TestCutLines(t *testing.T) {
	broker := startBroker(t)
	w := newWire(t, broker.addr)
	l := listen(t, broker.addr, "sighub/light/#")
	h := newHouse(t, t.TempDir())
	b := h.bridge(Options{Addr: w.addr, Alive: time.Second})
	h.serve(b)
	s := h.sender("light", hub.SenderOptions{Events: []string{"lux"}})
	const rounds, each = 12, 500
	connected := func() bool { return b.Status().Connected }
	for i := range rounds {
		eventually(t, "the bridge is connected", connected)
		done := make(chan struct{})
		go func() {
			defer close(done)
			h.report(s, "lux", numbers(each*i, each)...)
		}()
		switch i % 3 {
		case 0:
			l.wait(fmt.Sprintf("sighub/light/lux %d", each*i+100), 1)
			w.cut()
		case 1:
			w.standStill(true)
			eventually(t, "the bridge notices that nobody answers", func() bool { return !connected() })
			w.standStill(false)
		}
		<-done
	}
	l.wait(fmt.Sprintf("sighub/light/lux %d", rounds*each-1), 1)
	eventually(t, "everything is acknowledged", func() bool { return b.Status().Lag == 0 })
	checkNumbers(t, l.heard("sighub/light/lux "), rounds*each)
	if log := h.log.String(); !strings.Contains(log, "remedy=") {
		t.Errorf("the log says\n%s", log)
	}
}

// checkNumbers checks that texts end with the numbers from 0 to n-1: each comes, and none for the first time after a later one.
func checkNumbers(t *testing.T, list []string, n int) {
	t.Helper()
	next, before, doubles := 0, -1, 0
	for _, text := range list {
		var k int
		if _, err := fmt.Sscan(text[strings.LastIndexByte(text, ' ')+1:], &k); err != nil {
			t.Fatal(err)
		}
		switch {
		case k == next:
			next++
		case k < next: // it comes again, maybe from a broker that was killed and begins with what it had for the listener when it saved that
			doubles++
		default:
			t.Fatalf("%d comes after %d, and %d is missing", k, before, next)
		}
		before = k
	}
	if next != n {
		t.Errorf("%d of %d have come", next, n)
	}
	t.Logf("%d events, %d doubles", next, doubles)
}

// TestOrderOfAcknowledgements: the cursor stays in front of an event that is not acknowledged, though later ones are.
func TestOrderOfAcknowledgements(t *testing.T) {
	h := newHouse(t, t.TempDir())
	b := h.bridge(Options{Addr: "127.0.0.1:1"})
	h.serve()
	s := h.sender("light", hub.SenderOptions{Events: []string{"lux"}})
	h.report(s, "lux", numbers(0, 3)...)
	f := openFeed(t, h)
	st := &stream{b: b, feed: f}
	positions := readPositions(t, f, 4)
	for _, p := range positions {
		st.push(p)
	}
	for _, n := range []uint64{3, 1, 2} {
		st.acked(n)
		if at := f.At(); !at.Before(positions[0]) {
			t.Fatalf("the cursor is at %v", at)
		}
	}
	st.acked(0)
	if at := f.At(); at != positions[3] {
		t.Errorf("the cursor is at %v, not %v", at, positions[3])
	}
}

// TestRefusals: what the broker will never take is passed over and counted; what it may take later is not.
func TestRefusals(t *testing.T) {
	broker := startBroker(t, "max_packet_size 2000")
	l := listen(t, broker.addr, "sighub/light/#")
	h := newHouse(t, t.TempDir())
	b := h.bridge(Options{Addr: broker.addr})
	h.serve(b)
	s := h.sender("light", hub.SenderOptions{Events: []string{"lux"}})
	h.report(s, "lux", 1, strings.Repeat("x", 3000), 2)
	l.wait("sighub/light/lux 2", 1)
	eventually(t, "the event is passed over", func() bool { st := b.Status(); return st.Lag == 0 && st.Refused == 1 })
	if !strings.Contains(h.log.String(), "an event cannot be passed on") {
		t.Error(h.log)
	}
}

// isMarked reports whether everything is acknowledged, and the broker's mark behind it.
func (b *Bridge) isMarked() bool {
	marked := b.marked.Load()
	return b.Status().Lag == 0 && marked != nil && *marked == b.feed.At()
}

// forget has a broker that saves nothing by itself forget the numbers from 10 to 19, which it has acknowledged, and be started again. It
// returns a listener to the numbers, and the bridge that sends them.
func (h *house) forget(broker *mosquitto, o Options) (*listener, *Bridge) {
	h.t.Helper()
	var away atomic.Bool
	o.Dial = func(ctx context.Context, addr string) (net.Conn, error) {
		if away.Load() {
			return nil, syscall.EHOSTUNREACH
		}
		return new(net.Dialer).DialContext(ctx, "tcp", addr)
	}
	b := h.bridge(o)
	h.serve(b)
	s := h.sender("light", hub.SenderOptions{Events: []string{"lux"}})
	h.report(s, "lux", numbers(0, 10)...)
	eventually(h.t, "there is a mark", func() bool { return len(kept(h.t, broker.addr, "sighub/_bridge/sighub/up")) == 1 })
	broker.stop() // all of it is on disk
	broker.start()
	eventually(h.t, "the bridge is connected again", func() bool { return b.Status().Connected })
	l := listen(h.t, broker.addr, "sighub/light/lux")
	h.report(s, "lux", numbers(10, 10)...)
	l.wait("sighub/light/lux ", 10)
	eventually(h.t, "everything is marked", b.isMarked)
	away.Store(true) // until somebody listens
	broker.kill()
	broker.start()
	l = listen(h.t, broker.addr, "sighub/light/lux")
	away.Store(false)
	return l, b
}

// TestForgetfulBroker: a broker that is killed has lost what it acknowledged last. It is sent again from where the broker's mark is.
func TestForgetfulBroker(t *testing.T) {
	broker := startBroker(t, "autosave_interval 100000")
	h := newHouse(t, t.TempDir())
	l, b := h.forget(broker, Options{Addr: broker.addr})
	for n := 10; n < 20; n++ {
		l.wait(fmt.Sprint("sighub/light/lux ", n), 1)
	}
	if !strings.Contains(h.log.String(), "forgotten") {
		t.Error(h.log)
	}
	eventually(t, "everything is acknowledged again", func() bool { return b.Status().Lag == 0 })
}

// TestCommands: what is published to a request's topic is a request, and its answer goes to who asked.
func TestCommands(t *testing.T) {
	broker := startBroker(t)
	h := newHouse(t, t.TempDir())
	h.serve(h.bridge(Options{Addr: broker.addr, Commands: true}))
	asked := make(chan string, 10)
	h.sender("a/pump", hub.SenderOptions{Requests: map[string]hub.RequestHandler{"start": answering(asked)}})
	l := listen(t, broker.addr, "answers", "sighub/_bridge/sighub/up/_state")
	eventually(t, "the hub is there", func() bool { return len(l.heard(`sighub/_bridge/sighub/up/_state {"connected":true`)) > 0 })
	answerTo := func(m *client.Message) { m.ResponseTopic, m.CorrelationData = "answers", []byte("x") }
	var got []string
	eventually(t, "a request is answered", func() bool { // it may come before the bridge has subscribed
		l.say("sighub/a/pump/_request/start", `{"speed":3}`, answerTo)
		got = l.heard("answers ")
		return len(got) > 0
	})
	if got[0] != `answers {"was":{"speed":3}}` || <-asked != `{"speed":3}` {
		t.Errorf("%q", got)
	}
	for _, row := range [][3]string{
		{"start", "", `"was":null`}, {"start", "{", "not JSON"}, {"start", `"\ud800"`, "not JSON"}, {"nothing", "", "does not answer nothing"},
	} {
		n := len(l.heard("answers "))
		l.say("sighub/a/pump/_request/"+row[0], row[1], answerTo)
		eventually(t, row[2], func() bool {
			return slices.ContainsFunc(l.heard("answers ")[n:], func(text string) bool { return strings.Contains(text, row[2]) })
		})
	}
}
