package hub

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"sighub/carrier"
	"sighub/hub/verb"
)

// A grant allows a verb. In its texts, * at the end stands for anything.
type grant struct {
	identity     string
	verb         verb.Verb
	sender, name string
}

// A fakePolicy is a list of grants. An identity is known if it has one.
type fakePolicy []grant

func fits(pattern, text string) bool {
	head, open := strings.CutSuffix(pattern, "*")
	return text == "" || pattern == text || open && strings.HasPrefix(text, head)
}

func (p fakePolicy) May(identity string, v verb.Verb, sender, name string) (bool, string) {
	if v == verb.Trigger && isBuiltIn(name) {
		return false, ""
	}
	if v == verb.Add || v == verb.Listen && isBuiltIn(name) {
		name = ""
	}
	for i, g := range p {
		if g.identity == identity && g.verb == v && (v == verb.Admin || fits(g.sender, sender) && fits(g.name, name)) {
			return true, fmt.Sprint("grant ", i)
		}
	}
	return false, ""
}

// classes are the identities of tests: more than 64, so that a set of classes is more than a word.
func fakeClass(identity string) uint16 {
	if identity == "" {
		return 0
	}
	return uint16(identity[0]-'a')*10 + 1
}

func (p fakePolicy) Class(identity string) uint16 { return fakeClass(identity) }

func (p fakePolicy) Hears(sender, event string) []uint64 {
	classes := make([]uint64, 5)
	for _, g := range p {
		if ok, _ := p.May(g.identity, verb.Listen, sender, event); ok {
			c := fakeClass(g.identity)
			classes[c/64] |= 1 << (c % 64)
		}
	}
	return classes
}

func (p fakePolicy) Known(identity string) bool {
	return slices.ContainsFunc(p, func(g grant) bool { return g.identity == identity })
}

// A noteSink notes what is put into a client's stream.
type noteSink struct {
	mu    sync.Mutex
	lines []string // "listener sender event"
	check func(r *carrier.OutRoute)
	pack  bool
	data  []string
	full  atomic.Bool
}

func (s *noteSink) Window() int           { return 1 << 20 }
func (s *noteSink) Account(*atomic.Int64) {}
func (s *noteSink) Submit()               {}
func (s *noteSink) Flush(bool)            {}
func (s *noteSink) Pending() int {
	if s.full.Load() {
		return carrier.PendingLimit
	}
	return 0
}
func (s *noteSink) Put(r *carrier.OutRoute, p *carrier.PackedSignal) (int, error) {
	if s.check != nil {
		s.check(r)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.lines = append(s.lines, fmt.Sprintf("%d %s %s", r.Listener, r.Sender, r.Event))
	if s.pack {
		var routes carrier.Routes
		s.data = append(s.data, string(p.AppendTo(nil, &routes, r)))
	}
	return s.Pending(), nil
}

func (s *noteSink) take() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	lines := s.lines
	s.lines, s.data = nil, nil
	return lines
}

// A reporter is a testing.T or a rapid.T.
type reporter interface {
	Helper()
	Errorf(format string, args ...any)
	Fatalf(format string, args ...any)
	Fatal(args ...any)
}

// A policyWorld is a hub whose clients have streams and identities.
type policyWorld struct {
	*ServerRouter
	t       reporter
	carrier messageCarrier
	gone    chan carrier.ClientID
	went    sync.Map
	handler *carrierHandler
	tasks   sync.WaitGroup
	clients carrier.ClientID
}

// Disconnect makes the carrier a carrier.Disconnecter.
func (w *policyWorld) Disconnect(id carrier.ClientID, cause error) {
	w.goes(id, cause)
	w.gone <- id
}

// goes has a client go, once.
func (w *policyWorld) goes(id carrier.ClientID, cause error) {
	if _, gone := w.went.LoadOrStore(id, true); !gone {
		w.handler.ClientDisconnected(id, cause)
	}
}

type policyCarrier struct {
	*messageCarrier
	carrier.Disconnecter
}

func newPolicyWorld(t reporter, o ServerOptions) *policyWorld {
	w := &policyWorld{ServerRouter: NewServerRouter(o), t: t, gone: make(chan carrier.ClientID, 100)}
	w.handler = &carrierHandler{
		server: w.ServerRouter, carrier: policyCarrier{&w.carrier, w}, serving: context.Background(), tasks: &w.tasks,
		clients: make(map[carrier.ClientID]*client),
	}
	return w
}

func (w *policyWorld) connect(identity string, sink carrier.SignalSink) *client {
	w.clients++
	w.handler.ClientConnected(carrier.Client{
		ID: w.clients, Codec: carrier.JSON, Hello: true, Window: 64, Signals: sink, Identity: identity,
		Addr: fmt.Sprintf("tcp://10.0.0.%d:1", w.clients),
	})
	return w.handler.client(w.clients)
}

// call tells a client's message and waits for the answer.
func (w *policyWorld) call(c *client, method, params string) carrier.Reply {
	w.t.Helper()
	replies := make(chan carrier.Reply, 1)
	w.handler.HandleMessage(c.id, &carrier.Message{Method: method, Params: carrier.RawValue(carrier.JSON, []byte(params))},
		func(r carrier.Reply) { replies <- r })
	select {
	case r := <-replies:
		return r
	case <-time.After(time.Minute):
		w.t.Fatalf("%s %s is not answered", method, params)
		return carrier.Reply{}
	}
}

func (w *policyWorld) done(c *client, method, params string) carrier.Value {
	w.t.Helper()
	r := w.call(c, method, params)
	if err := r.Err(); err != nil {
		w.t.Fatalf("%s %s: %v", method, params, err)
	}
	return r.Response
}

func (w *policyWorld) listen(c *client, sender, event string) (*Listener, carrier.Reply) {
	w.t.Helper()
	text := func(s string) string {
		if s == "" {
			return "null"
		}
		return `"` + s + `"`
	}
	r := w.call(c, "add_listener", fmt.Sprintf(`{"sender":%s,"event":%s,"early":true}`, text(sender), text(event)))
	if r.Status != carrier.StatusDone {
		return nil, r
	}
	var added addedListener
	if err := r.Response.Decode(&added); err != nil {
		w.t.Fatal(err)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.listeners[added.ID], r
}

// heard answers everything that was put into a client's stream, and what is put there because of that, and returns it.
func (w *policyWorld) heard(c *client, sink *noteSink) (all []string) {
	for {
		some := sink.take()
		if len(some) == 0 {
			return all
		}
		all = append(all, some...)
		w.handler.SignalsAnswered(c.id, len(some), nil)
	}
}

// end has all clients go, and holds what is left against nothing.
func (w *policyWorld) end() {
	w.t.Helper()
	for id := range w.clients {
		if c := w.handler.client(id + 1); c != nil {
			w.goes(id+1, carrier.ErrClosed)
		}
	}
	for _, m := range w.carrier.take() {
		m.done(carrier.Reply{}, carrier.ErrGone)
	}
	w.tasks.Wait()
	if held := w.opts.Memory.Used(); held != 0 {
		w.t.Errorf("when all have gone, %d bytes are held", held)
	}
}

// A seenListener is what the model knows of a listener.
type seenListener struct {
	client        int
	id            uint64
	sender, event string
}
