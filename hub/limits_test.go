package hub_test

import (
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync/atomic"
	"testing"

	"sighub/carrier"
	"sighub/carrier/tcp"
	"sighub/hub"
)

// TestTooLargeOnANewRoute: the first event of a route is too large for the hub; those of others go on.
func TestTooLargeOnANewRoute(t *testing.T) {
	for _, codec := range []carrier.Codec{carrier.CBOR, carrier.JSON} {
		n := serveNetwork(t, hub.ServerOptions{})
		from, _ := n.client(codec)
		s, err := from.AddRemoteSender(n.ctx, "light", hub.SenderOptions{Events: []string{"picture", "lux"}})
		if err != nil {
			t.Fatal(err)
		}
		for name, data := range map[string]any{"picture": strings.Repeat("x", 2<<20), "lux": 1} {
			g, err := s.Signal(name)
			if err != nil {
				t.Fatal(err)
			}
			err = g.Trigger(n.ctx, data)
			if large := name == "picture"; errors.Is(err, carrier.ErrTooLarge) != large || err != nil != large {
				t.Errorf("%s: %s: %v", codec.Name(), name, err)
			}
		}
		n.stop()
	}
}

// TestTooLargeForOneListener: an event that is larger in a listener's codec than it takes is a gap to it, and the next
// one is heard.
func TestTooLargeForOneListener(t *testing.T) {
	n := serveNetwork(t, hub.ServerOptions{})
	to, _ := n.client(carrier.JSON)
	heard := make(chan string, 10)
	if _, err := to.AddRemoteListener(n.ctx, "light", "n", func(ev hub.Event) { heard <- ev.Name }); err != nil {
		t.Fatal(err)
	}
	from, _ := n.client(carrier.CBOR)
	g := n.signal(from, "light")
	for _, data := range []any{make([]byte, 900_000), 5} { // more than 1 MiB in JSON
		if err := g.Trigger(n.ctx, data); err != nil {
			t.Fatal(err)
		}
	}
	for _, want := range []string{hub.Gap, "n"} {
		select {
		case got := <-heard:
			if got != want {
				t.Errorf("heard %s, want %s", got, want)
			}
		case <-n.ctx.Done():
			t.Fatalf("waited in vain for %s", want)
		}
	}
}

// TestNothingFillsTheLog: a listener that takes next to nothing misses all events; the log tells that once.
func TestNothingFillsTheLog(t *testing.T) {
	log := &lineCounter{first: make(chan struct{})}
	n := serveNetwork(t, hub.ServerOptions{Options: hub.Options{Logger: slog.New(slog.NewTextHandler(log, &slog.HandlerOptions{Level: slog.LevelWarn}))}})
	p := n.rawSaying(`{"id":1,"method":"hello","params":{"protocol":1,"signals":32768,"max_message":10}}`)
	p.hear("")
	p.say(`{"id":2,"method":"add_listener","params":{"sender":null,"event":null}}`)
	p.hear("") // what it says is too large for the peer, which listens all the same
	from, _ := n.client(carrier.CBOR)
	n.send(n.signal(from, "light"), 0, 500)()
	select {
	case <-log.first: // the hub may still be busy with the listener's registration
	case <-n.ctx.Done():
		t.Fatal("500 events made no line in the log")
	}
	n.stop()
	if n := log.Load(); n > 5 {
		t.Errorf("500 events made %d lines in the log", n)
	}
}

// A lineCounter counts what is written to it.
type lineCounter struct {
	atomic.Int64
	first chan struct{} // closed by the first
}

func (c *lineCounter) Write(line []byte) (int, error) {
	if c.Add(1) == 1 {
		close(c.first)
	}
	return len(line), nil
}

// TestVeryManyNames: the list of senders comes in parts where it is too large for one answer.
func TestVeryManyNames(t *testing.T) {
	n := serveNetwork(t, hub.ServerOptions{})
	from, _ := n.client(carrier.CBOR)
	var events []string
	for i := range 1024 {
		events = append(events, fmt.Sprintf("%04d%s", i, strings.Repeat("e", 240)))
	}
	for i := range 7 { // a quarter of a MiB each
		if _, err := from.AddRemoteSender(n.ctx, fmt.Sprint("s", i), hub.SenderOptions{Events: events}); err != nil {
			t.Fatal(err)
		}
	}
	for _, c := range []struct {
		codec carrier.Codec
		limit int // of a message that the client takes
		whole bool
	}{{carrier.CBOR, 0, true}, {carrier.JSON, 0, true}, {carrier.CBOR, 100_000, false}} {
		to, stop := n.clientWith(tcp.ClientOptions{Codec: c.codec, Limits: tcp.Limits{MaxMessage: c.limit}})
		list, err := to.RemoteSenders(n.ctx)
		if err != nil || len(list) != 7 {
			t.Fatalf("%s: %d senders, %v", c.codec.Name(), len(list), err)
		}
		for i, s := range list {
			if s.Name != fmt.Sprint("s", i) || c.whole && len(s.Events) < 1024 || !c.whole && len(s.Events) > 0 {
				t.Errorf("%s: sender %d is %s, with %d events", c.codec.Name(), i, s.Name, len(s.Events))
			}
		}
		stop()
	}
}
