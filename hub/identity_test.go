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

	"sighub/access"
	"sighub/carrier"
	"sighub/carrier/local"
	"sighub/hub"
	"sighub/hub/verb"
	"sighub/journal"
	"sighub/journal/journaltest"
)

var _ hub.AccessPolicy = (*access.Policy)(nil)

// identified is a carrier whose clients are who they say.
type identified struct {
	*local.Hub
	mu  sync.Mutex
	ids map[string]carrier.ClientID // the latest, by name
}

func (h *identified) Serve(ctx context.Context, handler carrier.Handler) error {
	return h.Hub.Serve(ctx, believing{handler, h})
}

type believing struct {
	carrier.Handler
	hub *identified
}

func (h believing) ClientConnected(c carrier.Client) {
	c.Identity = c.Name
	h.hub.mu.Lock()
	h.hub.ids[c.Name] = c.ID
	h.hub.mu.Unlock()
	h.Handler.ClientConnected(c)
}

// cut ends the connection of a client, who comes again.
func (h *identified) cut(name string) {
	h.mu.Lock()
	id := h.ids[name]
	h.mu.Unlock()
	h.Disconnect(id, carrier.ErrTimeout)
}

// serveIdentified is serve with clients that have identities.
func serveIdentified(t *testing.T, o hub.ServerOptions) (*world, *identified) {
	t.Helper()
	w := &world{ServerRouter: hub.NewServerRouter(o), local: local.NewHub(local.Options{})}
	h := &identified{Hub: w.local, ids: make(map[string]carrier.ClientID)}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- w.Serve(ctx, h) }()
	w.stop = sync.OnceFunc(func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("Serve: %v", err)
		}
	})
	t.Cleanup(w.stop)
	return w, h
}

// policyOf returns the policy of a file, at a hub that knows ann and some whose names begin with r.
func policyOf(t *testing.T, format string, args ...any) *access.Policy {
	t.Helper()
	rules, err := access.Parse("access.yaml", fmt.Appendf(nil, format, args...))
	if err != nil {
		t.Fatal(err)
	}
	members := []access.Member{{Name: "ann"}}
	for i := range 20 {
		members = append(members, access.Member{Name: fmt.Sprint("r", i)})
	}
	p, err := access.Compile(rules, members, access.System{})
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// TestMatrix: each role sees, hears at once, is told last and finds in the past what its rules say and nothing else: whether the policy
// was in force before the client came, or came while it listened, and on another connection.
func TestMatrix(t *testing.T) {
	senders, events := []string{"green1", "green2", "bed"}, []string{"lux", "temp", "#alarm"}
	patterns := func(list ...string) []string { return list }
	var roles, who strings.Builder
	n := 0
	for _, sender := range patterns("*", "green*", "green1", "nobody") {
		for _, event := range patterns("*", "lux", "#*") {
			fmt.Fprintf(&roles, "  r%d:\n    - listen: {sender: %q, event: %q}\n    - listen: {sender: mark, event: end}\n", n, sender, event)
			fmt.Fprintf(&who, "  r%d: r%d\n", n, n)
			n++
		}
	}
	policy := policyOf(t, "roles:\n%sidentities:\n%s", &roles, &who)
	all := policyOf(t, "identities:\n%s", strings.ReplaceAll(who.String(), ": r", ": viewer # "))
	for _, before := range []struct {
		name   string
		policy hub.AccessPolicy
	}{{"the same", policy}, {"none", nil}, {"more", all}} {
		t.Run(before.name, func(t *testing.T) {
			j, err := journal.OpenFolder(journaltest.NewFolder(1), journal.Options{Size: 16 << 20, Segment: 1 << 20})
			if err != nil {
				t.Fatal(err)
			}
			w, h := serveIdentified(t, hub.ServerOptions{Journal: j})
			ctx, cancel := context.WithTimeout(t.Context(), patience)
			defer cancel()
			mark := addSender(t, w.Router, "mark", "end")
			added := map[string]*hub.Sender{}
			for _, name := range senders {
				added[name] = addSender(t, w.Router, name, events...)
			}
			marked := 0
			end := func() string {
				marked++
				trigger(t, mark, "end", marked)
				return fmt.Sprint("mark end ", marked)
			}
			happen := func() string {
				for _, name := range senders {
					for _, event := range events {
						trigger(t, added[name], event, 1)
					}
				}
				return end()
			}
			happen()
			w.SetPolicy(before.policy)
			type listening struct {
				name   string
				r      *hub.ClientRouter
				heard  chan string
				denied chan string
			}
			var all []*listening
			connected := make(chan string, 100)
			for i := range n {
				l := &listening{name: fmt.Sprint("r", i), heard: make(chan string, 1000), denied: make(chan string, 100)}
				l.r, _, _ = w.client(t, l.name, hub.ClientOptions{
					Connected: func() { connected <- l.name },
					Denied: func(_ *hub.Sender, at *hub.Listener, err error) {
						if at == nil || !errors.Is(err, carrier.ErrDenied) {
							t.Errorf("%s is denied %v: %v", l.name, at, err)
						}
						l.denied <- at.Sender() + " " + at.Event()
					},
				})
				<-connected
				if _, err := l.r.AddRemoteListener(ctx, "", "", func(ev hub.Event) { l.heard <- matrixLine(ev) }); err != nil {
					t.Fatal(err)
				}
				all = append(all, l)
			}
			w.SetPolicy(policy)
			for range 2 {
				if err := j.Sync(ctx); err != nil {
					t.Fatal(err)
				}
				for _, l := range all {
					may := func(sender, event string) bool {
						ok, _ := policy.May(l.name, verb.Listen, sender, event)
						return ok
					}
					for len(l.heard) > 0 {
						<-l.heard
					}
					mark := happen()
					want := []string{}
					for _, s := range senders {
						for _, e := range events {
							if may(s, e) {
								want = append(want, s+" "+e)
							}
						}
					}
					compare := func(what string, got []string) {
						t.Helper()
						slices.Sort(got)
						slices.Sort(want)
						if !slices.Equal(slices.Compact(got), want) {
							t.Errorf("%s, %s: %q, want %q", l.name, what, got, want)
						}
					}
					until := func(heard <-chan string, mark string) (got []string) {
						for {
							select {
							case line := <-heard:
								if line == mark {
									return got
								}
								if !strings.HasPrefix(line, "mark ") {
									got = append(got, line)
								}
							case <-ctx.Done():
								t.Fatalf("%s heard only %q", l.name, got)
							}
						}
					}
					compare("at once", until(l.heard, mark))

					if err := j.Sync(ctx); err != nil {
						t.Fatal(err)
					}
					for what, o := range map[string]hub.ListenerOptions{"last": {Last: true}, "from the journal": {From: "start"}} {
						lasts := make(chan string, 1000)
						last, err := l.r.AddRemoteListenerWith(ctx, "", "", o, func(ev hub.Event) {
							switch {
							case !strings.HasSuffix(ev.Name, "connect"):
								lasts <- matrixLine(ev)
							case !may(ev.Sender, ev.Name) && ev.Sender != "mark":
								t.Errorf("%s hears %s of %s", l.name, ev.Name, ev.Sender)
							case strings.Contains(ev.Data.String(), "local:"):
								t.Errorf("%s is told where a client is: %s", l.name, ev.Data)
							}
						})
						if err != nil {
							t.Fatal(err)
						}
						compare(what, until(lasts, end()))
						if err := l.r.RemoveRemoteListener(ctx, last); err != nil {
							t.Error(err)
						}
					}
					var past, seen []string
					for _, s := range senders {
						for ev, err := range l.r.History(ctx, hub.HistoryQuery{Sender: s}) {
							if err != nil {
								if !errors.Is(err, carrier.ErrDenied) || may(s, "") {
									t.Errorf("%s, history of %s: %v", l.name, s, err)
								}
								break
							}
							if !strings.HasSuffix(ev.Name, "connect") {
								past = append(past, ev.Sender+" "+ev.Name)
							}
						}
					}
					compare("past", past)
					compare("last of each", lastOfEach(t, l.r, may))
					list, err := l.r.RemoteSenders(ctx)
					if err != nil {
						t.Fatal(err)
					}
					for _, s := range list {
						for _, e := range s.Events {
							if s.Name != "mark" && !strings.HasSuffix(e, "connect") {
								seen = append(seen, s.Name+" "+e)
							}
						}
					}
					compare("seen", seen)
					for _, s := range senders {
						for _, e := range events {
							one, err := l.r.AddRemoteListener(ctx, s, e, func(hub.Event) {})
							if ok := err == nil; ok != may(s, e) || !ok && !errors.Is(err, carrier.ErrDenied) {
								t.Errorf("%s listens to %s of %s: %v", l.name, e, s, err)
							}
							if one != nil {
								if err := l.r.RemoveRemoteListener(ctx, one); err != nil {
									t.Error(err)
								}
							}
						}
					}
				}
				for _, l := range all { // and once more on other connections
					h.cut(l.name)
				}
				for range all {
					select {
					case <-connected:
					case <-ctx.Done():
						t.Fatal("not all came again")
					}
				}
			}
		})
	}
}

// matrixLine returns what is compared of an event.
func matrixLine(ev hub.Event) string {
	if ev.Sender == "mark" {
		return "mark " + ev.Name + " " + ev.Data.String()
	}
	return ev.Sender + " " + ev.Name
}

// TestDeniedIsFinal: what the hub does not allow any more is told to the program once for each connection, and not asked for again;
// the rest is registered as ever.
func TestDeniedIsFinal(t *testing.T) {
	var mu sync.Mutex
	denials := []string{}
	w, h := serveIdentified(t, hub.ServerOptions{Denied: func(d hub.Denial) {
		mu.Lock()
		defer mu.Unlock()
		denials = append(denials, fmt.Sprintf("%s %s %s", d.Verb, d.Sender, d.Name))
	}})
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	addSender(t, w.Router, "s", "e", "f")
	d := newDiary()
	connected := make(chan struct{}, 10)
	r, _, _ := w.client(t, "ann", hub.ClientOptions{
		Connected: func() { d.note("connected"); connected <- struct{}{} },
		Denied: func(s *hub.Sender, l *hub.Listener, err error) {
			switch {
			case !errors.Is(err, carrier.ErrDenied):
				t.Errorf("%v", err)
			case s != nil:
				d.note("no sender %s", s.Name())
			default:
				d.note("no listener %s", l.Event())
			}
		},
	})
	<-connected
	heard := make(chan string, 100)
	for _, event := range []string{"e", "f"} {
		if _, err := r.AddRemoteListener(ctx, "s", event, func(ev hub.Event) { heard <- ev.Name }); err != nil {
			t.Fatal(err)
		}
	}
	own, err := r.AddRemoteSender(ctx, "own", hub.SenderOptions{Events: []string{"x"}})
	if err != nil {
		t.Fatal(err)
	}
	d.expect(t, "connected")
	w.SetPolicy(policyOf(t, `roles: {few: [listen: {sender: s, event: e}]}
identities: {ann: few}
`))
	d.expect(t, "no listener f")
	if name := <-heard; name != hub.Gap {
		t.Error(name)
	}
	g, err := own.Signal("x")
	if err != nil {
		t.Fatal(err)
	}
	if err := g.Trigger(ctx, 1); !errors.Is(err, carrier.ErrDenied) {
		t.Error(err)
	}
	if _, err := r.AddRemoteSender(ctx, "other", hub.SenderOptions{}); !errors.Is(err, carrier.ErrDenied) {
		t.Error(err)
	}
	for range 3 {
		h.cut("ann")
		<-connected
		time.Sleep(50 * time.Millisecond) // in which it would ask again
	}
	want := []string{"no sender own", "no listener f", "connected"}
	d.expect(t, slices.Concat(want, want, want)...)
	mu.Lock()
	if n := len(denials); n != 7 { // "other", and two for each connection
		t.Errorf("the hub was asked %q", denials)
	}
	mu.Unlock()
	w.SetPolicy(nil)
	h.cut("ann")
	<-connected
	d.expect(t, "connected")
	if err := g.Trigger(ctx, 1); err != nil {
		t.Error(err)
	}
}

// lastOfEach asks for the last events, a few at a time.
func lastOfEach(t *testing.T, r *hub.ClientRouter, may func(sender, event string) bool) (got []string) {
	t.Helper()
	after := []string{"", ""}
	for more := true; more; {
		v, err := r.Call(t.Context(), "last_events", map[string]any{"limit": 3, "after": after})
		if err != nil {
			if !errors.Is(err, carrier.ErrDenied) {
				t.Error(err)
			}
			return got
		}
		var page struct {
			Events []struct {
				Info struct{ Sender, Event string }
				Data any
			}
			More bool
		}
		if err := v.Decode(&page); err != nil || len(page.Events) > 3 {
			t.Fatalf("%v: %s", err, v)
		}
		for _, e := range page.Events {
			after = []string{e.Info.Sender, e.Info.Event}
			switch {
			case !strings.HasSuffix(e.Info.Event, "connect"):
				if e.Info.Sender != "mark" {
					got = append(got, e.Info.Sender+" "+e.Info.Event)
				}
			case !may(e.Info.Sender, e.Info.Event) && e.Info.Sender != "mark":
				t.Errorf("%s of %s is told", e.Info.Event, e.Info.Sender)
			case strings.Contains(fmt.Sprint(e.Data), "local:"):
				t.Errorf("it is told where a client is: %v", e.Data)
			}
		}
		more = page.More
	}
	return got
}
