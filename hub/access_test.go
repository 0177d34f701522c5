package hub

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

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

// TestPolicyAgainstModel: whatever policies come and go, each client hears what its listeners ask for and the policy in force allows,
// and sees nothing else in a list. What is not allowed any more ends.
func TestPolicyAgainstModel(t *testing.T) {
	synctest.Test(t, func(t *testing.T) { rapid.Check(bubble{t}, checkPolicy) })
}

func checkPolicy(t *rapid.T) {
	senders, events := []string{"a", "ab", "b"}, []string{"e", "ef", "#x"}
	identities := []string{"ann", "bob", "zoe"}
	w := newPolicyWorld(t, ServerOptions{})
	defer w.end()
	var policy fakePolicy
	inForce := false
	may := func(i int, v verb.Verb, sender, name string) bool {
		ok, _ := policy.May(identities[i], v, sender, name)
		return ok || !inForce
	}
	clients, sinks := make([]*client, len(identities)), make([]*noteSink, len(identities))
	for i, name := range identities {
		sinks[i] = new(noteSink)
		clients[i] = w.connect(name, sinks[i])
	}
	var listeners []seenListener
	want := make([][]string, len(identities))
	offered, owner := map[string][]string{}, map[string]int{} // -1: the hub's own
	added := map[string]*Sender{}
	happened := func(sender, event string) {
		for _, l := range listeners {
			if (l.sender == "" || l.sender == sender) && (l.event == "" || l.event == event) && may(l.client, verb.Listen, sender, event) {
				want[l.client] = append(want[l.client], fmt.Sprintf("%d %s %s", l.id, sender, event))
			}
		}
	}
	pattern := func(names []string) *rapid.Generator[string] {
		return rapid.SampledFrom(append([]string{"*", "a*", "e*", "#*"}, names...))
	}
	obey := func() {
		kept := listeners[:0:0]
		for _, l := range listeners {
			if may(l.client, verb.Listen, l.sender, l.event) {
				kept = append(kept, l)
			} else {
				want[l.client] = append(want[l.client], fmt.Sprintf("%d %s %s", l.id, l.sender, Gap))
			}
		}
		listeners = kept
		for name, o := range owner {
			if o < 0 {
				continue
			}
			ok := may(o, verb.Add, name, "")
			for _, event := range offered[name] {
				ok = ok && may(o, verb.Trigger, name, event)
			}
			if !ok {
				delete(offered, name)
				delete(owner, name)
				happened(name, Disconnect)
			}
		}
	}
	t.Repeat(map[string]func(*rapid.T){
		"policy": func(t *rapid.T) {
			if inForce = rapid.IntRange(0, 9).Draw(t, "in force") > 0; !inForce {
				w.SetPolicy(nil)
				return
			}
			policy = nil
			for _, name := range identities { // all are known
				policy = append(policy, grant{identity: name, verb: verb.Request, sender: "none", name: "none"})
			}
			for range rapid.IntRange(0, 12).Draw(t, "grants") {
				policy = append(policy, grant{
					rapid.SampledFrom(identities).Draw(t, "who"), rapid.SampledFrom(verb.All()).Draw(t, "verb"),
					pattern(senders).Draw(t, "senders"), pattern(events).Draw(t, "events"),
				})
			}
			w.SetPolicy(policy)
			obey()
		},
		"listen": func(t *rapid.T) {
			i := rapid.IntRange(0, len(identities)-1).Draw(t, "client")
			sender := rapid.SampledFrom(append([]string{""}, senders...)).Draw(t, "sender")
			event := rapid.SampledFrom(append([]string{"", Connect, Gap}, events...)).Draw(t, "event")
			if sender == "" && event != "" && !isChannel(event) {
				return
			}
			l, r := w.listen(clients[i], sender, event)
			if allowed := may(i, verb.Listen, sender, event); allowed != (r.Status == carrier.StatusDone) || !allowed && r.Status != carrier.StatusDenied {
				t.Fatalf("%s listens to %q %q: %v, allowed: %t", identities[i], sender, event, r.Err(), allowed)
			}
			if l != nil {
				listeners = append(listeners, seenListener{i, l.id, sender, event})
			}
		},
		"add": func(t *rapid.T) {
			name := rapid.SampledFrom(senders).Draw(t, "sender")
			if _, taken := owner[name]; taken {
				return
			}
			offer := rapid.SliceOfNDistinct(rapid.SampledFrom(events), 0, 3, rapid.ID[string]).Draw(t, "events")
			i := rapid.IntRange(-1, len(identities)-1).Draw(t, "client")
			if i < 0 {
				s, err := w.AddSender(name, SenderOptions{Events: offer})
				if err != nil {
					t.Fatal(err)
				}
				added[name] = s
			} else {
				ok := may(i, verb.Add, name, "")
				for _, event := range offer {
					ok = ok && may(i, verb.Trigger, name, event)
				}
				r := w.call(clients[i], "add_sender", fmt.Sprintf(`{"sender":%q,"events":["%s"]}`, name, strings.Join(append(offer, Gap), `","`)))
				if ok != (r.Status == carrier.StatusDone) {
					t.Fatalf("%s adds %s %q: %v, allowed: %t", identities[i], name, offer, r.Err(), ok)
				}
				if !ok {
					return
				}
			}
			owner[name], offered[name] = i, offer
			happened(name, Connect)
		},
		"remove": func(t *rapid.T) {
			name := rapid.SampledFrom(senders).Draw(t, "sender")
			i, ok := owner[name]
			switch {
			case !ok:
				return
			case i < 0:
				added[name].Remove()
			default:
				w.done(clients[i], "remove_sender", fmt.Sprintf(`{"sender":%q}`, name))
			}
			delete(owner, name)
			delete(offered, name)
			happened(name, Disconnect)
		},
		"trigger": func(t *rapid.T) {
			name := rapid.SampledFrom(senders).Draw(t, "sender")
			event := rapid.SampledFrom(append([]string{Gap, "unknown"}, events...)).Draw(t, "event")
			i, ok := owner[name]
			switch {
			case !ok:
				return
			case i < 0:
				g, err := added[name].Signal(event)
				if err != nil {
					return
				}
				if err := g.Trigger(context.Background(), nil); err != nil {
					t.Fatal(err)
				}
				happened(name, event)
			default:
				r := w.call(clients[i], "signal", fmt.Sprintf(`{"info":{"sender":%q,"event":%q},"data":1}`, name, event))
				known := slices.Contains(offered[name], event)
				if known != (r.Status == carrier.StatusDone) || event == Gap && r.Status != carrier.StatusDenied {
					t.Fatalf("%s of %s: %v", event, name, r.Err())
				}
				if known {
					happened(name, event)
				} else if event != Gap { // it is lost, of which those are told who may hear it
					for _, l := range listeners {
						if (l.sender == "" || l.sender == name) && (l.event == "" || l.event == Gap) &&
							may(l.client, verb.Listen, name, event) && may(l.client, verb.Listen, name, Gap) {
							want[l.client] = append(want[l.client], fmt.Sprintf("%d %s %s", l.id, name, Gap))
						}
					}
				}
			}
		},
		"": func(t *rapid.T) {
			synctest.Wait()
			for i := range clients {
				got := w.heard(clients[i], sinks[i])
				slices.Sort(got)
				slices.Sort(want[i])
				if !slices.Equal(got, want[i]) {
					t.Fatalf("%s heard %q, want %q", identities[i], got, want[i])
				}
				want[i] = nil
				if inForce {
					seen(t, w, clients[i], func(v verb.Verb, sender, name string) bool { return may(i, v, sender, name) }, i, owner, offered, listeners)
				}
			}
		},
	})
}

// seen compares what a client is told that there is.
func seen(t *rapid.T, w *policyWorld, c *client, may func(verb.Verb, string, string) bool, i int, owner map[string]int, offered map[string][]string,
	listeners []seenListener,
) {
	var list []listedSender
	if err := w.done(c, "list_senders", `{"list_events":true}`).Decode(&list); err != nil {
		t.Fatal(err)
	}
	got := map[string][]string{}
	for _, s := range list {
		name := ""
		if s.Sender != nil {
			name = *s.Sender
		}
		got[name] = []string{}
		for _, e := range s.Events {
			if e.Event != nil && !isBuiltIn(*e.Event) {
				got[name] = append(got[name], *e.Event)
			}
		}
		slices.Sort(got[name])
		if s.Client != nil && s.Client.Addr != "" && owner[name] != i && !may(verb.Admin, "", "") {
			t.Fatalf("the address of %s is told", name)
		}
	}
	want := map[string][]string{"": {}}
	note := func(name, event string) {
		if _, there := want[name]; !there {
			want[name] = []string{}
		}
		if event != "" && !isBuiltIn(event) && !slices.Contains(want[name], event) {
			want[name] = append(want[name], event)
			slices.Sort(want[name])
		}
	}
	for name, o := range owner {
		if o == i || may(verb.Listen, name, "") {
			note(name, "")
		}
		for _, event := range offered[name] {
			hears := may(verb.Listen, name, event)
			if hears || o == i {
				note(name, event)
			}
			if hears && isChannel(event) {
				note("", event)
			}
		}
	}
	for _, l := range listeners {
		_, connected := owner[l.sender]
		switch {
		case l.client != i:
		case l.sender == "" && isChannel(l.event), l.sender != "" && !connected:
			note(l.sender, l.event)
		}
	}
	for name, events := range want { // what a sender has offered that has gone may be told, too
		if _, connected := owner[name]; name != "" && !connected {
			got[name] = slices.DeleteFunc(got[name], func(e string) bool { return !slices.Contains(events, e) && may(verb.Listen, name, e) })
		}
	}
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Fatalf("client %d sees %v, want %v", i, got, want)
	}
}

// A bubble is a test in a bubble of synctest, which has no deadline.
type bubble struct{ testing.TB }
