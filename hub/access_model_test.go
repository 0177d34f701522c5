package hub

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"

	"pgregory.net/rapid"

	"sighub/carrier"
	"sighub/hub/verb"
)

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
