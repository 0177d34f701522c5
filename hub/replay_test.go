package hub_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"sighub/carrier"
	"sighub/carrier/tcp"
	"sighub/hub"
	"sighub/journal"
)

// A keeper is a hub with a journal, which may end and be started again at the same address.
type keeper struct {
	*network
	dir  string
	path string
	o    hub.ServerOptions
}

func newKeeper(t *testing.T, o hub.ServerOptions) *keeper {
	t.Helper()
	k := &keeper{network: &network{t: t}, dir: t.TempDir(), path: "unix://" + t.TempDir() + "/hub", o: o}
	dog, cancel := context.WithTimeout(context.Background(), patience)
	t.Cleanup(cancel)
	k.ctx = dog
	k.start()
	return k
}

func (k *keeper) start() {
	k.t.Helper()
	j, err := journal.Open(k.dir, journal.Options{Segment: 1 << 20, Size: 16 << 20})
	if err != nil {
		k.t.Fatal(err)
	}
	server, err := tcp.Listen(k.path, tcp.Options{})
	if err != nil {
		k.t.Fatal(err)
	}
	o := k.o
	o.Journal = j
	k.ServerRouter, k.addr = hub.NewServerRouter(o), server.Addr()
	serving, stop := context.WithCancel(context.Background())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		if err := k.Serve(serving, server); err != nil {
			k.t.Errorf("Serve: %v", err)
		}
	}()
	k.stop = sync.OnceFunc(func() { stop(); <-ended })
	k.t.Cleanup(k.stop)
}

// trigger triggers the numbers from from to to-1, and waits until they are acknowledged.
func (k *keeper) trigger(g *hub.Signal, from, to int) {
	k.t.Helper()
	var all sync.WaitGroup
	for i := from; i < to; i++ {
		all.Add(1)
		if err := g.TriggerAsync(k.ctx, i, func(err error) {
			if err != nil {
				k.t.Error(err)
			}
			all.Done()
		}); err != nil {
			k.t.Fatal(err)
		}
	}
	all.Wait()
}

// A hearing is what a listener hears: "name data", and of #connect and #disconnect only the name.
type hearing struct {
	t *testing.T

	mu      sync.Mutex
	lines   []string
	events  []hub.Event
	changed chan struct{}
}

func newHearing(t *testing.T) *hearing { return &hearing{t: t, changed: make(chan struct{})} }

func (h *hearing) hear(ev hub.Event) {
	line := ev.Sender + " " + ev.Name
	switch ev.Name {
	case hub.Connect, hub.Disconnect:
	case hub.Gap:
		var loss hub.Loss
		if err := ev.Data.Decode(&loss); err != nil {
			h.t.Error(err)
		}
		line += fmt.Sprintf(" %s %d", loss.Cause, loss.Count)
	default:
		line += " " + ev.Data.String()
	}
	if ev.Last {
		line += " last"
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	h.lines, h.events = append(h.lines, line), append(h.events, ev)
	close(h.changed)
	h.changed = make(chan struct{})
}

// wait waits for so many events, and returns all.
func (h *hearing) wait(n int) []string {
	h.t.Helper()
	timer := time.NewTimer(patience)
	defer timer.Stop()
	for {
		h.mu.Lock()
		lines, changed := slices.Clone(h.lines), h.changed
		h.mu.Unlock()
		if len(lines) >= n {
			return lines
		}
		select {
		case <-changed:
		case <-timer.C:
			h.t.Fatalf("%d of %d events: %q", len(lines), n, lines)
		}
	}
}

// numbers returns "s n 5", and so on.
func numbers(sender string, from, to int) (list []string) {
	for i := from; i < to; i++ {
		list = append(list, fmt.Sprintf("%s n %d", sender, i))
	}
	return list
}

func wantLines(t *testing.T, got []string, want ...string) {
	t.Helper()
	if !slices.Equal(got, want) {
		t.Errorf("heard %q, want %q", got, want)
	}
}

func (k *keeper) listen(r *hub.ClientRouter, sender, event string, o hub.ListenerOptions) (*hearing, *hub.Listener) {
	k.t.Helper()
	h := newHearing(k.t)
	l, err := r.AddRemoteListenerWith(k.ctx, sender, event, o, h.hear)
	if err != nil {
		k.t.Fatal(err)
	}
	return h, l
}

// A medium is a way in which events travel to a client.
type medium struct {
	tcp.ClientOptions
	messages bool // and not as a stream
}

var media = map[string]medium{
	"CBOR stream":   {ClientOptions: tcp.ClientOptions{Codec: carrier.CBOR}},
	"JSON stream":   {ClientOptions: tcp.ClientOptions{Codec: carrier.JSON}},
	"narrow stream": {ClientOptions: tcp.ClientOptions{Limits: tcp.Limits{Signals: 1}}},
	"CBOR messages": {ClientOptions: tcp.ClientOptions{Codec: carrier.CBOR}, messages: true},
	"JSON messages": {ClientOptions: tcp.ClientOptions{Codec: carrier.JSON, Limits: tcp.Limits{Window: 4}}, messages: true},
}

// over returns a client on a medium.
func (k *keeper) over(m medium) (*hub.ClientRouter, func()) {
	k.t.Helper()
	m.Backoff = carrier.Backoff{Min: time.Millisecond, Max: 20 * time.Millisecond}
	var c carrier.Carrier = tcp.NewClient(k.addr, m.ClientOptions)
	if m.messages {
		c = messagesOnly{c}
	}
	r := hub.NewClientRouter(hub.ClientOptions{})
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan struct{})
	go func() { defer close(ended); _ = r.Serve(ctx, c) }()
	stop := sync.OnceFunc(func() { cancel(); <-ended })
	k.t.Cleanup(stop)
	if err := r.WaitConnected(k.ctx); err != nil {
		k.t.Fatal(err)
	}
	return r, stop
}

// TestCursor: a listener with a cursor hears each event once and in order, with ascending positions, whichever of it and the hub is
// away in between.
func TestCursor(t *testing.T) {
	for name, o := range media {
		t.Run(name, func(t *testing.T) {
			k := newKeeper(t, hub.ServerOptions{})
			sender, stopSender := k.client(carrier.CBOR)
			g := k.signal(sender, "s")
			k.trigger(g, 0, 300)
			r, stop := k.over(o)
			cursor := hub.ListenerOptions{Cursor: "c", From: "start"}
			h, l := k.listen(r, "s", "", cursor)
			wantLines(t, h.wait(301), append([]string{"s #connect"}, numbers("s", 0, 300)...)...)
			k.trigger(g, 300, 305)
			wantLines(t, h.wait(306)[301:], numbers("s", 300, 305)...)
			var last hub.Position
			for i, ev := range h.events {
				if !last.Before(ev.Position) || ev.Connection == 0 || ev.Seq != uint64(i+1) || ev.Last {
					t.Fatalf("event %d: %+v after %v", i, ev, last)
				}
				last = ev.Position
			}
			if err := r.RemoveRemoteListener(k.ctx, l); err != nil {
				t.Fatal(err)
			}
			k.trigger(g, 305, 310)
			stop()
			r, stop = k.over(o)
			h, _ = k.listen(r, "s", "n", cursor)
			wantLines(t, h.wait(5), numbers("s", 305, 310)...)
			until(t, func() bool { // its answers have arrived, which may take a moment
				list, err := r.Cursors(k.ctx)
				return err == nil && list[0].Position == h.events[4].Position
			})
			stop() // without a word
			k.trigger(g, 310, 315)
			stopSender()
			k.stop()
			k.start()
			r, _ = k.over(o)
			h, _ = k.listen(r, "s", "", cursor)
			wantLines(t, h.wait(6), append(numbers("s", 310, 315), "s #disconnect")...)
		})
	}
}

// TestFrom: where a listener begins.
func TestFrom(t *testing.T) {
	k := newKeeper(t, hub.ServerOptions{})
	r, _ := k.client(carrier.CBOR)
	g := k.signal(r, "s")
	old := time.Now().Add(-5 * time.Hour)
	for i, age := range []time.Duration{0, time.Hour, 2*time.Hour + time.Minute, 4 * time.Hour} {
		if err := g.TriggerAt(k.ctx, i, old.Add(age), 0); err != nil {
			t.Fatal(err)
		}
	}
	h, l := k.listen(r, "s", "n", hub.ListenerOptions{From: "start"})
	wantLines(t, h.wait(4), numbers("s", 0, 4)...)
	at := h.events[1].Position
	_ = r.RemoveRemoteListener(k.ctx, l)
	end := 4
	for from, first := range map[string]int{
		"start": 0, "3h": 2, "181m": 2, "2h30m": 3, "0d2h": 3, "1d": 0, old.Add(90 * time.Minute).UTC().Format(time.RFC3339Nano): 2, "now": -1,
	} {
		if first < 0 {
			first = end
		}
		h, l := k.listen(r, "s", "n", hub.ListenerOptions{From: from})
		k.trigger(g, end, end+1)
		end++
		wantLines(t, h.wait(end-first), numbers("s", first, end)...)
		if err := r.RemoveRemoteListener(k.ctx, l); err != nil {
			t.Fatal(err)
		}
	}
	h, _ = k.listen(r, "s", "n", hub.ListenerOptions{After: at})
	wantLines(t, h.wait(end-2), numbers("s", 2, end)...)
	for _, bad := range []string{"yesterday", "-2h", "5", "2026-13-01T00:00:00Z", "1e9d", "2x", "9999999d"} {
		if _, err := r.AddRemoteListenerWith(k.ctx, "s", "n", hub.ListenerOptions{From: bad}, h.hear); !errors.Is(err, hub.ErrArguments) {
			t.Errorf("%s: %v", bad, err)
		}
	}
}

// TestLast: last values come first, marked as such, and then every event once.
func TestLast(t *testing.T) {
	for name, o := range media {
		t.Run(name, func(t *testing.T) {
			k := newKeeper(t, hub.ServerOptions{})
			sender, _ := k.client(carrier.CBOR)
			g, other := k.signal(sender, "s"), k.signal(sender, "t")
			k.trigger(g, 0, 3)
			k.trigger(other, 7, 9)
			r, _ := k.over(o)
			live, _ := k.listen(r, "", "", hub.ListenerOptions{Last: true})
			fed, _ := k.listen(r, "s", "", hub.ListenerOptions{From: "now", Last: true})
			none, _ := k.listen(r, "u", "", hub.ListenerOptions{Last: true})
			wantLines(t, live.wait(4), "s #connect last", "s n 2 last", "t #connect last", "t n 8 last")
			wantLines(t, fed.wait(2), "s #connect last", "s n 2 last")
			k.trigger(g, 3, 5)
			k.signal(sender, "u")
			wantLines(t, live.wait(7)[4:], append(numbers("s", 3, 5), "u #connect")...)
			wantLines(t, fed.wait(4)[2:], numbers("s", 3, 5)...)
			wantLines(t, none.wait(1), "u #connect")
			if ev := live.events[1]; ev.Position.IsZero() || ev.Seq != 4 {
				t.Errorf("%+v", ev)
			}
			if ev := live.events[5]; !ev.Position.IsZero() || ev.Seq != 6 || ev.Connection != live.events[1].Connection {
				t.Errorf("%+v", ev)
			}
		})
	}
}

// TestCursorHasOneOwner: a second listener is refused, and told by whom; it has the cursor when the first one is gone.
func TestCursorHasOneOwner(t *testing.T) {
	k := newKeeper(t, hub.ServerOptions{})
	a, stopA := k.client(carrier.CBOR)
	b, _ := k.client(carrier.CBOR)
	o := hub.ListenerOptions{Cursor: "c"}
	k.listen(a, "", "", o)
	for _, r := range []*hub.ClientRouter{a, b} {
		_, err := r.AddRemoteListenerWith(k.ctx, "", "", o, func(hub.Event) {})
		if !errors.Is(err, hub.ErrCursor) || !strings.Contains(err.Error(), "c, by ") {
			t.Errorf("a second owner: %v", err)
		}
	}
	if err := b.RemoveCursor(k.ctx, "c"); !errors.Is(err, hub.ErrCursor) {
		t.Errorf("a cursor in use is removed: %v", err)
	}
	list, err := b.Cursors(k.ctx)
	if err != nil || len(list) != 1 || list[0].Name != "c" || list[0].Client == nil {
		t.Errorf("%+v, %v", list, err)
	}
	stopA()
	until(t, func() bool {
		_, err := b.AddRemoteListenerWith(k.ctx, "", "", o, func(hub.Event) {})
		return err == nil
	})
	if _, err := b.AddRemoteListenerWith(k.ctx, "", "", hub.ListenerOptions{Cursor: "a\nb"}, func(hub.Event) {}); !errors.Is(err, hub.ErrName) {
		t.Errorf("a bad name: %v", err)
	}
	if err := b.RemoveCursor(k.ctx, "d"); !errors.Is(err, hub.ErrNoCursor) {
		t.Errorf("a cursor that is not there is removed: %v", err)
	}
}
