package nats_test

import (
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"sighub/bridge/nats"
	"sighub/hub"
)

// A presence is who is connected, and which numbers a listener has heard of each sender.
type presence struct {
	mu      sync.Mutex
	there   map[string]bool
	numbers map[string][]int
	times   map[string][]time.Time
}

func listenPresence(h *house) *presence {
	p := &presence{there: make(map[string]bool), numbers: make(map[string][]int), times: make(map[string][]time.Time)}
	if _, err := h.hub.AddListener("", "", p.add); err != nil {
		h.t.Fatal(err)
	}
	return p
}

func (p *presence) add(ev hub.Event) {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch ev.Name {
	case hub.Connect, hub.Disconnect:
		p.there[ev.Sender] = ev.Name == hub.Connect
	case "n":
		n := 0
		_ = ev.Data.Decode(&n)
		p.numbers[ev.Sender] = append(p.numbers[ev.Sender], n)
		p.times[ev.Sender] = append(p.times[ev.Sender], ev.Time)
	}
}

func (p *presence) is(sender string, there bool, n int) func() bool {
	return func() bool {
		p.mu.Lock()
		defer p.mu.Unlock()
		return p.there[sender] == there && len(p.numbers[sender]) == n
	}
}

// TestLateHeard: a hub that hears another one takes its late events once each, with their own times, and they do not change who is connected:
// neither while they come, nor for a hub that begins to hear afterwards.
func TestLateHeard(t *testing.T) {
	b := newBroker(t, "")
	o := nats.Options{URL: b.url(), Beat: 200 * time.Millisecond}
	near, far := o, o
	near.Hub, near.Hear = "near", everybody
	far.Hub, far.Live, far.Rate = "kitchen", true, 400
	dir := t.TempDir()
	n := openHouse(t, dir, near)
	p := listenPresence(n)
	f := openHouse(t, t.TempDir(), far)
	light := f.sender("light", hub.SenderOptions{Events: []string{"n"}})
	left := f.sender("left", hub.SenderOptions{Events: []string{"n"}})
	again := f.sender("again", hub.SenderOptions{Events: []string{"n"}})
	gone := f.sender("gone", hub.SenderOptions{Events: []string{"n"}})
	for _, s := range []*hub.Sender{light, left, again, gone} {
		f.report(s, "n", 1, 3)
	}
	for _, name := range []string{"light", "left", "again", "gone"} {
		until(t, name+" is heard", p.is("kitchen."+name, true, 3))
	}
	b.kill()
	f.report(light, "n", 4, 400)
	f.report(left, "n", 4, 2)
	left.Remove()
	came := f.sender("came", hub.SenderOptions{Events: []string{"n"}})
	f.report(came, "n", 1, 2)
	f.report(light, "n", 404, 400)
	f.report(gone, "n", 4, 50)
	again.Remove()
	f.drainedNot(t)
	sent := f.bridge.Status().Sent
	b.start()
	until(t, "something goes up", func() bool { return f.bridge.Status().Sent > sent })
	gone.Remove()                                                       // while its events are late
	again = f.sender("again", hub.SenderOptions{Events: []string{"n"}}) // while its end is late
	f.report(light, "n", 804, 1)
	f.report(again, "n", 4, 1)
	f.drained()
	check := func(p *presence, light, left, came, again, gone int) {
		t.Helper()
		until(t, "light is there", p.is("kitchen.light", true, light))
		until(t, "left has gone", p.is("kitchen.left", false, left))
		until(t, "came is there", p.is("kitchen.came", true, came))
		until(t, "again is there", p.is("kitchen.again", true, again))
		until(t, "gone has gone", p.is("kitchen.gone", false, gone))
	}
	check(p, 804, 5, 2, 4, 53)
	all := p.numbers["kitchen.light"]
	slices.Sort(all)
	if len(slices.Compact(all)) != 804 {
		t.Error("some are heard twice")
	}
	if list := b.read("sighub.kitchen.>"); !slices.ContainsFunc(list, func(m message) bool { return strings.HasSuffix(m.subject, ".left.#disconnect.late") }) {
		t.Error("nothing is late")
	}
	n.stop()
	other := near
	other.Hub = "other"
	m := openHouse(t, t.TempDir(), other)
	check(listenPresence(m), 0, 0, 0, 0, 0)
}
