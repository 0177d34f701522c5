package hub_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"sighub/hub"
)

// A model is the router as one would explain it: two plain lists, searched from the start for every event.
type model struct {
	listeners []modelListener // in the order of registration
	senders   map[string][]string
	heard     []string
}

type modelListener struct {
	id            int
	sender, event string
}

// kind is the listener's place in the order of delivery.
func (l modelListener) kind() int {
	switch {
	case l.sender == "" && l.event == "":
		return 0
	case l.event == "":
		return 1
	case l.sender == "":
		return 2
	default:
		return 3
	}
}

func (m *model) offers(sender, event string) bool {
	return event == hub.Connect || event == hub.Disconnect || event == hub.Gap || slices.Contains(m.senders[sender], event)
}

func (m *model) event(sender, event string) {
	for kind := range 4 {
		for _, l := range m.listeners {
			if l.kind() == kind && (l.sender == "" || l.sender == sender) && (l.event == "" || l.event == event) {
				m.heard = append(m.heard, fmt.Sprintf("%d %s %s", l.id, sender, event))
			}
		}
	}
}

// listed tells which senders the router should list, and whether they are connected.
func (m *model) listed() []string {
	seen := map[string]bool{}
	for name := range m.senders {
		seen[name] = true
	}
	for _, l := range m.listeners {
		if l.sender != "" {
			seen[l.sender] = true
		}
	}
	list := []string{}
	for name := range seen {
		_, connected := m.senders[name]
		list = append(list, fmt.Sprintf("%s %t", name, connected))
	}
	slices.Sort(list)
	return list
}

// channels lists the channels that have a listener or a connected sender.
func (m *model) channels() []string {
	seen := map[string]bool{}
	for _, events := range m.senders {
		for _, e := range events {
			if strings.HasPrefix(e, "#") {
				seen[e] = true
			}
		}
	}
	for _, l := range m.listeners {
		if l.kind() == 2 && l.event != hub.Connect && l.event != hub.Disconnect {
			seen[l.event] = true
		}
	}
	list := []string{}
	for name := range seen {
		list = append(list, name)
	}
	slices.Sort(list)
	return append(list, hub.Disconnect, hub.Connect)
}

func TestRouterAgainstModel(t *testing.T) {
	senders := []string{"a", "b", "c"}
	events := []string{"e", "f", "#x", "#y"}
	rapid.Check(t, func(t *rapid.T) {
		r := hub.NewRouter(hub.Options{})
		m := &model{senders: map[string][]string{}}
		added := map[string]*hub.Sender{}
		listeners := map[int]*hub.Listener{}
		var heard []string
		next := 0
		anyOf := func(names []string) *rapid.Generator[string] {
			return rapid.SampledFrom(append([]string{""}, names...))
		}
		t.Repeat(map[string]func(*rapid.T){
			"add listener": func(t *rapid.T) {
				sender := anyOf(senders).Draw(t, "sender")
				event := anyOf(append(events, hub.Connect, hub.Disconnect)).Draw(t, "event")
				next++
				id := next
				l, err := r.AddListener(sender, event, func(ev hub.Event) {
					heard = append(heard, fmt.Sprintf("%d %s %s", id, ev.Sender, ev.Name))
				})
				_, connected := m.senders[sender]
				ok := event == "" || sender != "" && (!connected || m.offers(sender, event)) || sender == "" && strings.HasPrefix(event, "#")
				if ok != (err == nil) {
					t.Fatalf("listening to %q %q: %v, want ok %t", sender, event, err, ok)
				}
				if ok {
					listeners[id] = l
					m.listeners = append(m.listeners, modelListener{id, sender, event})
				}
			},
			"remove listener": func(t *rapid.T) {
				if len(m.listeners) == 0 {
					return
				}
				i := rapid.IntRange(0, len(m.listeners)-1).Draw(t, "which")
				id := m.listeners[i].id
				listeners[id].Remove()
				delete(listeners, id)
				m.listeners = slices.Delete(m.listeners, i, i+1)
			},
			"add sender": func(t *rapid.T) {
				name := rapid.SampledFrom(senders).Draw(t, "sender")
				offer := rapid.SliceOfNDistinct(rapid.SampledFrom(events), 0, 3, rapid.ID[string]).Draw(t, "events")
				s, err := r.AddSender(name, hub.SenderOptions{Events: offer})
				if _, connected := m.senders[name]; connected != (err != nil) {
					t.Fatalf("adding %s: %v, want refusal %t", name, err, connected)
				}
				if err == nil {
					added[name] = s
					m.senders[name] = offer
					m.event(name, hub.Connect)
				}
			},
			"remove sender": func(t *rapid.T) {
				name := rapid.SampledFrom(senders).Draw(t, "sender")
				if _, connected := m.senders[name]; connected {
					added[name].Remove()
					delete(m.senders, name)
					m.event(name, hub.Disconnect)
				}
			},
			"trigger": func(t *rapid.T) {
				name := rapid.SampledFrom(senders).Draw(t, "sender")
				event := rapid.SampledFrom(append(events, hub.Gap)).Draw(t, "event")
				if _, connected := m.senders[name]; !connected {
					return
				}
				sig, err := added[name].Signal(event)
				if m.offers(name, event) != (err == nil) {
					t.Fatalf("signal %s of %s: %v", event, name, err)
				}
				if err != nil {
					return
				}
				if err := sig.Trigger(t.Context(), nil); err != nil {
					t.Fatal(err)
				}
				m.event(name, event)
			},
			"": func(t *rapid.T) {
				if !slices.Equal(heard, m.heard) {
					t.Fatalf("heard %q, want %q", heard, m.heard)
				}
				heard, m.heard = nil, nil
				listed := []string{}
				for _, s := range r.Senders() {
					listed = append(listed, fmt.Sprintf("%s %t", s.Name, s.Connected))
				}
				if want := m.listed(); !slices.Equal(listed, want) {
					t.Fatalf("lists %q, want %q", listed, want)
				}
				if got, want := r.Channels(), m.channels(); !slices.Equal(got, want) {
					t.Fatalf("channels %q, want %q", got, want)
				}
			},
		})
	})
}
