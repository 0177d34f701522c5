package hub

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"sighub/carrier"
)

// A messageCarrier has clients without streams. What is transmitted to them is answered when the test says so.
type messageCarrier struct {
	carrier.Carrier
	mu   sync.Mutex
	sent []sentMessage
	gate chan struct{} // Transmit receives from it before it does anything; nil: it does not wait
	err  error         // of Transmit
}

type sentMessage struct {
	text string
	done func(carrier.Reply, error)
}

func (c *messageCarrier) Transmit(_ context.Context, _ carrier.ClientID, m *carrier.Message, done func(carrier.Reply, error)) error {
	if c.gate != nil {
		<-c.gate
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.err != nil {
		return c.err
	}
	c.sent = append(c.sent, sentMessage{m.Params.String(), done})
	return nil
}

// take returns what was transmitted since.
func (c *messageCarrier) take() []sentMessage {
	c.mu.Lock()
	defer c.mu.Unlock()
	sent := c.sent
	c.sent = nil
	return sent
}

// A messageWorld is a hub whose clients have no streams, driven call by call. It is for use in a bubble of synctest.
type messageWorld struct {
	*ServerRouter
	t       *testing.T
	carrier messageCarrier
	handler *carrierHandler
	tasks   sync.WaitGroup
	clients carrier.ClientID
}

func newMessageWorld(t *testing.T, o ServerOptions) *messageWorld {
	w := &messageWorld{ServerRouter: NewServerRouter(o), t: t}
	w.handler = &carrierHandler{
		server: w.ServerRouter, carrier: &w.carrier, serving: context.Background(), tasks: &w.tasks,
		clients: make(map[carrier.ClientID]*client),
	}
	return w
}

// connect connects a client that takes so many messages at a time.
func (w *messageWorld) connect(window int, hello bool) carrier.ClientID {
	w.clients++
	w.handler.ClientConnected(carrier.Client{ID: w.clients, Codec: carrier.JSON, Hello: hello, Window: window})
	return w.clients
}

// end has every client go, and holds what is left against nothing.
func (w *messageWorld) end() {
	w.t.Helper()
	for id := range w.clients {
		if w.handler.client(id+1) != nil {
			w.handler.ClientDisconnected(id+1, carrier.ErrClosed)
		}
	}
	for _, m := range w.carrier.take() { // as a carrier does when its client goes
		m.done(carrier.Reply{}, carrier.ErrGone)
	}
	w.tasks.Wait()
	if held, queued := w.held.Load(), w.queued.Load(); held != 0 || queued != 0 {
		w.t.Errorf("when all have gone, %d bytes are held and %d are queued", held, queued)
	}
}

// A messageReply is what a client's message was answered with.
type messageReply struct {
	count int
	reply carrier.Reply
}

// tell hands a client's message on. Its params are JSON. What is answered can be looked at after synctest.Wait.
func (w *messageWorld) tell(id carrier.ClientID, method, params string, args ...any) *messageReply {
	r := new(messageReply)
	m := &carrier.Message{Method: method, Params: carrier.RawValue(carrier.JSON, fmt.Appendf(nil, params, args...))}
	w.handler.HandleMessage(id, m, func(reply carrier.Reply) {
		r.count++
		r.reply = reply
	})
	return r
}

// done tells a client's message that is to be done at once.
func (w *messageWorld) done(id carrier.ClientID, method, params string, args ...any) {
	w.t.Helper()
	r := w.tell(id, method, params, args...)
	synctest.Wait()
	if r.count != 1 || r.reply.Status != carrier.StatusDone {
		w.t.Fatalf("%s is answered %d times, with %+v", method, r.count, r.reply)
	}
}

// stuck connects a client that listens to a sender, and triggers events until the outbox is full.
func (w *messageWorld) stuck(sender *Sender, event string) carrier.ClientID {
	w.t.Helper()
	id := w.connect(1, true)
	w.done(id, "add_listener", `{"sender":%q,"event":%q}`, sender.name, event)
	g, err := sender.Signal(event)
	if err != nil {
		w.t.Fatal(err)
	}
	for o := &w.handler.client(id).outbox; !o.full(); {
		if err := g.Trigger(context.Background(), nil); err != nil {
			w.t.Fatal(err)
		}
	}
	return id
}

// reporter connects a client that has a sender with an event x, and a stuck listener to it that is full.
func (w *messageWorld) reporter(name string) (id carrier.ClientID, sender *Sender) {
	w.t.Helper()
	id = w.connect(16, true)
	w.done(id, "add_sender", `{"sender":%q,"events":["x","y"]}`, name)
	return id, w.handler.client(id).senders[name]
}

// TestSignalBehindASlowOne: a signal that waits behind one for a slow listener happened when it arrived, is answered once,
// and reaches who listens after the one before it. What adds and removes senders keeps its place as well.
func TestSignalBehindASlowOne(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newMessageWorld(t, ServerOptions{Outbox: OutboxOptions{Limit: 2, Deadline: time.Second}})
		defer w.end()
		id, sender := w.reporter("s")
		w.stuck(sender, "x")
		var heard []string
		start := time.Now()
		if _, err := w.AddListener("s", "", func(ev Event) {
			heard = append(heard, fmt.Sprint(ev.Name, ev.Data, " at ", ev.Time.Sub(start)))
		}); err != nil {
			t.Fatal(err)
		}
		var replies []*messageReply
		for i := range 3 {
			replies = append(replies, w.tell(id, "signal", `{"info":{"sender":"s","event":"%s"},"data":%d}`, []string{"x", "y", "x"}[i], i))
			synctest.Wait()
			time.Sleep(time.Millisecond)
		}
		replies = append(replies,
			w.tell(id, "remove_sender", `{"sender":"s"}`), w.tell(id, "add_sender", `{"sender":"s","events":["x"]}`),
			w.tell(id, "signal", `{"info":{"sender":"s","event":"x","time":"1970-01-01T00:00:00Z"},"data":3}`))
		asked := w.tell(id, "get_version", `{}`)
		synctest.Wait()
		for i, r := range replies {
			if r.count != 0 {
				t.Errorf("message %d is answered while a listener is slow", i)
			}
		}
		if asked.count != 1 {
			t.Error("a request waits as well")
		}
		time.Sleep(time.Second)
		synctest.Wait()
		for i, r := range replies {
			if r.count != 1 || r.reply.Status != carrier.StatusDone {
				t.Errorf("message %d is answered %d times, with %+v", i, r.count, r.reply)
			}
		}
		want := []string{
			"x0 at 0s", "y1 at 1ms", "x2 at 2ms", "#disconnect", "#connect",
			fmt.Sprint("x3 at ", time.Unix(0, 0).Sub(start)),
		}
		if !slices.EqualFunc(heard, want, strings.HasPrefix) {
			t.Errorf("heard %q, want %q", heard, want)
		}
	})
}
