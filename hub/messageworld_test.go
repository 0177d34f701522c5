package hub

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"

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
	var clients []*client
	for id := range w.clients {
		if c := w.handler.client(id + 1); c != nil {
			clients = append(clients, c)
			w.handler.ClientDisconnected(id+1, carrier.ErrClosed)
		}
	}
	for _, m := range w.carrier.take() { // as a carrier does when its client goes
		m.done(carrier.Reply{}, carrier.ErrGone)
	}
	w.tasks.Wait()
	for _, c := range clients {
		if held := c.account.Used(); held != 0 {
			w.t.Errorf("when all have gone, %d bytes are held for %s", held, c.info)
		}
	}
	if held, unsent := w.opts.Memory.Used(), w.unsent.Load(); held != 0 || unsent != 0 {
		w.t.Errorf("when all have gone, %d bytes are held and %d are not sent", held, unsent)
	}
	if n := w.inHand.Count(); n != 0 {
		w.t.Errorf("when all have gone, %d frames are in hand", n)
	}
}

// A messageReply is what a client's message was answered with.
type messageReply struct {
	mu    sync.Mutex
	count int
	reply carrier.Reply
}

func (r *messageReply) respond(reply carrier.Reply) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.count++
	r.reply = reply
}

// String tells how often it was answered, and what came last: "done", or why it was not.
func (r *messageReply) String() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	switch {
	case r.count != 1:
		return fmt.Sprint(r.count, " answers")
	case r.reply.Status != carrier.StatusDone:
		return r.reply.Err().Error()
	}
	return "done"
}

// tell hands a client's message on. Its params are JSON. What is answered can be looked at after synctest.Wait.
func (w *messageWorld) tell(id carrier.ClientID, method, params string, args ...any) *messageReply {
	r := new(messageReply)
	m := &carrier.Message{Method: method, Params: carrier.RawValue(carrier.JSON, fmt.Appendf(nil, params, args...))}
	w.handler.HandleMessage(id, m, r.respond)
	return r
}

// done tells a client's message that is to be done at once.
func (w *messageWorld) done(id carrier.ClientID, method, params string, args ...any) {
	w.t.Helper()
	r := w.tell(id, method, params, args...)
	synctest.Wait()
	if got := r.String(); got != "done" {
		w.t.Fatalf("%s: %s", method, got)
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

// listening connects the first client, to which signals go by a sink, with a listener to the event x of a sender s, and returns that.
func (w *messageWorld) listening(sink carrier.SignalSink) *Sender {
	w.t.Helper()
	w.clients++
	w.handler.ClientConnected(carrier.Client{ID: w.clients, Codec: carrier.JSON, Hello: true, Window: 16, Signals: sink})
	w.done(w.clients, "add_listener", `{"sender":"s","event":"x"}`)
	s, err := w.AddSender("s", SenderOptions{Events: []string{"x"}})
	if err != nil {
		w.t.Fatal(err)
	}
	return s
}

// reporter connects a client that has a sender with an event x, and a stuck listener to it that is full.
func (w *messageWorld) reporter(name string) (id carrier.ClientID, sender *Sender) {
	w.t.Helper()
	id = w.connect(16, true)
	w.done(id, "add_sender", `{"sender":%q,"events":["x","y"]}`, name)
	return id, w.handler.client(id).senders[name]
}
