package hub_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"strings"
	"testing"
	"time"

	"sighub/carrier"
	"sighub/hub"
)

// A rawPeer speaks JSON with streams of signals, as it likes.
type rawPeer struct {
	t  *testing.T
	nc net.Conn
	in *json.Decoder
}

func (n *network) raw() *rawPeer {
	n.t.Helper()
	p := n.rawSaying(`{"id":1,"method":"hello","params":{"protocol":1,"signals":32768}}`)
	p.hear(`"signals":32768`)
	return p
}

// rawSaying returns a peer that has said hello in its own way.
func (n *network) rawSaying(hello string) *rawPeer {
	n.t.Helper()
	nc, err := net.Dial("unix", strings.TrimPrefix(n.addr, "unix://"))
	if err != nil {
		n.t.Fatal(err)
	}
	n.t.Cleanup(func() { _ = nc.Close() })
	if err := nc.SetDeadline(time.Now().Add(patience)); err != nil {
		n.t.Fatal(err)
	}
	p := &rawPeer{n.t, nc, json.NewDecoder(nc)}
	p.say("%s", hello)
	return p
}

func (p *rawPeer) say(format string, args ...any) {
	p.t.Helper()
	if _, err := fmt.Fprintf(p.nc, format+"\n", args...); err != nil {
		p.t.Fatal(err)
	}
}

// hear hears one value, which contains a text.
func (p *rawPeer) hear(part string) {
	p.t.Helper()
	var m json.RawMessage
	if err := p.in.Decode(&m); err != nil || !strings.Contains(string(m), part) {
		p.t.Fatalf("heard %s, %v; want %s", m, err, part)
	}
}

// ended hears that the connection is ended, whatever comes before.
func (p *rawPeer) ended() {
	p.t.Helper()
	if _, err := io.Copy(io.Discard, p.nc); err != nil && strings.Contains(err.Error(), "timeout") {
		p.t.Fatal("the connection goes on")
	}
}

// TestStuckCallbackHoldsNobody: events reach remote listeners before a local callback runs that may take its time, those
// of the same sender and of others.
func TestStuckCallbackHoldsNobody(t *testing.T) {
	n := serveNetwork(t, hub.ServerOptions{})
	var signals []*hub.Signal
	for _, name := range []string{"a", "b"} {
		s, err := n.AddSender(name, hub.SenderOptions{Events: []string{"n"}})
		if err != nil {
			t.Fatal(err)
		}
		g, err := s.Signal("n")
		if err != nil {
			t.Fatal(err)
		}
		signals = append(signals, g)
	}
	r, _ := n.client(carrier.CBOR)
	heard := make(chan string, 2)
	if _, err := r.AddRemoteListener(n.ctx, "", "", func(ev hub.Event) {
		if ev.Name == "n" {
			heard <- ev.Sender
		}
	}); err != nil {
		t.Fatal(err)
	}
	free := make(chan struct{})
	if _, err := n.AddListener("a", "n", func(hub.Event) { <-free }); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- signals[0].Trigger(n.ctx, 1) }()
	if s := <-heard; s != "a" {
		t.Error(s)
	}
	if err := signals[1].Trigger(n.ctx, 2); err != nil {
		t.Error(err)
	}
	if s := <-heard; s != "b" {
		t.Error(s)
	}
	close(free)
	if err := <-ended; err != nil {
		t.Error(err)
	}
}

// TestFalseAnswers: who answers more than it got is disconnected.
func TestFalseAnswers(t *testing.T) {
	n := serveNetwork(t, hub.ServerOptions{})
	p := n.raw()
	p.say(`{"id":2,"method":"add_listener","params":{"sender":"light","event":"n"}}`)
	p.hear("listener_id")
	p.say(`[7]`)
	p.ended()
}

// TestLongRouteNames: names of routes are bounded.
func TestLongRouteNames(t *testing.T) {
	n := serveNetwork(t, hub.ServerOptions{})
	p := n.raw()
	p.say(`[[0,%q,"n"],1]`, strings.Repeat("s", 256))
	p.ended()
}

// TestTooLargeIsTold: an event that is too large for a listener is told as a gap, though nothing follows it.
func TestTooLargeIsTold(t *testing.T) {
	n := serveNetwork(t, hub.ServerOptions{})
	p := n.raw()
	p.say(`{"id":2,"method":"add_listener","params":{"sender":"light","event":"n"}}`)
	p.hear("listener_id")
	from, _ := n.client(carrier.CBOR)
	g := n.signal(from, "light")
	if err := g.Trigger(n.ctx, []byte(strings.Repeat("x", 900_000))); err != nil { // more than 1 MiB in JSON
		t.Fatal(err)
	}
	p.hear(`"#gap"`)
}

// TestHalfClose: who has said its last word hears the answers to it.
func TestHalfClose(t *testing.T) {
	n := serveNetwork(t, hub.ServerOptions{})
	free := make(chan struct{})
	if _, err := n.AddListener("light", "n", func(hub.Event) { <-free }); err != nil {
		t.Fatal(err)
	}
	p := n.raw()
	p.say(`{"id":2,"method":"add_sender","params":{"sender":"light","events":["n"],"requests":null}}`)
	p.hear(`"status":0`)
	p.say(`[[0,"light","n"],1][0,2]`)
	half, ok := p.nc.(interface{ CloseWrite() error })
	if !ok || half.CloseWrite() != nil {
		t.Fatal("the socket cannot be closed by half")
	}
	close(free)
	for answered := 0; answered < 2; {
		var list []int
		if err := p.in.Decode(&list); err != nil || len(list) != 1 {
			t.Fatalf("%v, %v", list, err)
		}
		answered += list[0]
	}
}

// TestRemoveAndAddAgain: messages keep their order with the signals between them.
func TestRemoveAndAddAgain(t *testing.T) {
	n := serveNetwork(t, hub.ServerOptions{})
	free := make(chan struct{})
	if _, err := n.AddListener("light", "n", func(hub.Event) { <-free }); err != nil {
		t.Fatal(err)
	}
	p := n.raw()
	add := `{"id":%d,"method":"add_sender","params":{"sender":"light","events":["n"],"requests":null}}`
	p.say(add, 2)
	p.hear(`"status":0`)
	p.say(`[[0,"light","n"],1]{"id":3,"method":"remove_sender","params":{"sender":"light"}}`+add, 4)
	close(free)
	var heard []string
	for range 3 { // answers to signals and to messages overtake each other
		var m json.RawMessage
		if err := p.in.Decode(&m); err != nil {
			t.Fatal(err)
		}
		heard = append(heard, string(m))
	}
	slices.Sort(heard)
	if got := strings.Join(heard, " "); got != `[1] {"id":3,"status":0,"response":null} {"id":4,"status":0,"response":null}` {
		t.Error(got)
	}
}

// TestDepthIsThatOfTheData: what is just deep enough arrives in either codec; what is deeper is refused where it is sent.
func TestDepthIsThatOfTheData(t *testing.T) {
	n := serveNetwork(t, hub.ServerOptions{})
	var deep any = 1
	for range carrier.MaxDepth {
		deep = []any{deep}
	}
	for _, codec := range []carrier.Codec{carrier.CBOR, carrier.JSON} {
		name := "to " + codec.Name()
		to, _ := n.client(codec)
		heard, gone := make(chan string, 2), make(chan struct{}, 1)
		if _, err := to.AddRemoteListener(n.ctx, name, "", func(ev hub.Event) {
			switch ev.Name {
			case "n":
				heard <- ev.Data.String()
			case hub.Disconnect:
				gone <- struct{}{}
			}
		}); err != nil {
			t.Fatal(err)
		}
		for _, from := range []carrier.Codec{carrier.CBOR, carrier.JSON} {
			r, stop := n.client(from)
			g := n.signal(r, name)
			if err := g.Trigger(n.ctx, deep); err != nil {
				t.Fatal(err)
			}
			if got := <-heard; strings.Count(got, "[") != carrier.MaxDepth {
				t.Error(got)
			}
			if err := g.Trigger(n.ctx, []any{deep}); err == nil {
				t.Error("what is too deep was accepted")
			}
			if err := g.Trigger(n.ctx, 5); err != nil {
				t.Error(err)
			}
			if got := <-heard; got != "5" {
				t.Error(got)
			}
			stop()
			<-gone
		}
	}
}

// TestTimesOutOfRange: what cannot be said of a time is an error where it is sent, as a message and in a stream. A listener
// elsewhere to an event of the hub's own hears of no such time, and the event all the same.
func TestTimesOutOfRange(t *testing.T) {
	anyTime := hub.ServerOptions{Options: hub.Options{Times: hub.TimeRange{Any: true}}}
	everyCarrier(t, anyTime, func(t *testing.T, connect func() *hub.ClientRouter) {
		s, err := connect().AddRemoteSender(t.Context(), "light", hub.SenderOptions{Events: []string{"n"}})
		if err != nil {
			t.Fatal(err)
		}
		g, err := s.Signal("n")
		if err != nil {
			t.Fatal(err)
		}
		for _, year := range []int{2, 1969, 2262, 2600} {
			at := time.Date(year, 7, 1, 0, 0, 0, 0, time.UTC)
			if err := g.TriggerAt(t.Context(), 1, at, 0); !errors.Is(err, carrier.ErrTime) {
				t.Errorf("an event of the year %d: %v", year, err)
			}
		}
		if err := g.TriggerAt(t.Context(), 1, time.Date(2261, 7, 1, 0, 0, 0, 0, time.UTC), 0); err != nil {
			t.Error(err)
		}
	})
	w, n := serve(t, anyTime), serveNetwork(t, anyTime)
	message, _, _ := w.client(t, "c", hub.ClientOptions{})
	stream, _ := n.client(carrier.CBOR)
	for what, c := range map[string]struct {
		*hub.Router
		to *hub.ClientRouter
	}{"a message": {w.Router, message}, "a stream": {n.Router, stream}} {
		heard := make(chan hub.Event, 1)
		if _, err := c.to.AddRemoteListener(t.Context(), "own", "n", func(ev hub.Event) { heard <- ev }); err != nil {
			t.Fatal(err)
		}
		g, err := addSender(t, c.Router, "own", "n").Signal("n")
		if err != nil {
			t.Fatal(err)
		}
		for _, year := range []int{2, 1969, 2262, 2600} {
			if err := g.TriggerAt(t.Context(), year, time.Date(year, 7, 1, 0, 0, 0, 0, time.UTC), 0); err != nil {
				t.Fatal(err)
			}
			select {
			case ev := <-heard:
				if since := time.Since(ev.Time); since < 0 || since > patience {
					t.Errorf("the year %d is heard in %s as %v", year, what, ev.Time)
				}
			case <-time.After(patience):
				t.Fatalf("an event of the year %d is not heard in %s", year, what)
			}
		}
	}
}

// TestTimeIs1970: the moment at which a time is 0 nanoseconds is a time like others in a message.
func TestTimeIs1970(t *testing.T) {
	w := serve(t, hub.ServerOptions{Options: hub.Options{Times: hub.TimeRange{Any: true}}})
	to, _, _ := w.client(t, "c", hub.ClientOptions{})
	heard := make(chan hub.Event, 2)
	hear := func(ev hub.Event) { heard <- ev }
	if _, err := to.AddRemoteListener(t.Context(), "light", "n", hear); err != nil {
		t.Fatal(err)
	}
	if _, err := w.AddListener("light", "n", hear); err != nil {
		t.Fatal(err)
	}
	from := w.raw(t, "from")
	from.call("add_sender", `{"sender":"light","events":["n"]}`)
	from.call("signal", `{"info":{"sender":"light","event":"n","time":"1970-01-01T00:00:00Z"},"data":1}`)
	for range 2 {
		if ev := <-heard; !ev.Time.Equal(time.Unix(0, 0)) {
			t.Errorf("heard at %v", ev.Time)
		}
	}
}

// TestNegativeUncertainty: a negative uncertainty counts as unknown, and harms no listener.
func TestNegativeUncertainty(t *testing.T) {
	n := serveNetwork(t, hub.ServerOptions{})
	to, _ := n.client(carrier.CBOR)
	heard := make(chan hub.Event, 1)
	if _, err := to.AddRemoteListener(n.ctx, "light", "n", func(ev hub.Event) { heard <- ev }); err != nil {
		t.Fatal(err)
	}
	g, err := addSender(t, n.Router, "light", "n").Signal("n")
	if err == nil {
		err = g.TriggerAt(n.ctx, 1, time.Now(), -1)
	}
	if err != nil {
		t.Fatal(err)
	}
	select {
	case ev := <-heard:
		if ev.Uncertainty != 0 {
			t.Errorf("%+v", ev)
		}
	case <-n.ctx.Done():
		t.Fatal("not heard")
	}
}
