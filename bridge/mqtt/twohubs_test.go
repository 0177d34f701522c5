package mqtt

import (
	"slices"
	"strings"
	"testing"

	"sighub/hub"
)

// TestTwoHubsAtHome: hubs that keep their newest states below one prefix are there, or away, each for itself. Home Assistant is told where that
// stands, and so takes the devices of one to be away, and those of the other not.
func TestTwoHubsAtHome(t *testing.T) {
	broker := startBroker(t)
	l := listen(t, broker.addr, "sighub/#", "homeassistant/#")
	houses := make(map[string]*house)
	for _, name := range []string{"attic", "barn"} {
		h := newHouse(t, t.TempDir())
		o := homeAssistant(t.TempDir())
		o.Addr, o.HubName, o.HomeAssistant.Plan.Hub.ID = broker.addr, name, name
		h.serve(h.bridge(o))
		h.report(h.sender(name, hub.SenderOptions{Events: []string{"lux"}}), "lux", 1)
		l.wait("sighub/_bridge/"+name+`/up/_state {"connected":true`, 1)
		l.wait("sighub/"+name+"/lux 1", 1)
		config := l.wait("homeassistant/device/sighub_"+name+"/config ", 1)
		if last := config[len(config)-1]; !strings.Contains(last, `"sighub/_bridge/`+name+`/up/_state"`) {
			t.Errorf("%s is announced as %s", name, last)
		}
		houses[name] = h
	}
	houses["attic"].stop()
	l.wait(`sighub/_bridge/attic/up/_state {"connected":false}`, 1)
	if list := l.heard("sighub/_bridge/barn/up/_state "); slices.ContainsFunc(list, func(s string) bool { return strings.Contains(s, "false") }) {
		t.Errorf("the barn is told as %q", list)
	}
}

// TestTwoHubs: hubs at one broker have marks of their own, though their bridges have the same name. What one hub has sent does not count for
// the other, which would send everything again behind a lower one, and nothing of what the broker has forgotten behind a higher one.
func TestTwoHubs(t *testing.T) {
	broker := startBroker(t)
	l := listen(t, broker.addr, "sighub/+/lux")
	dirs := map[string]string{"attic": t.TempDir(), "barn": t.TempDir()}
	run := func(name string, first, n int) {
		h := newHouse(t, dirs[name])
		b := h.bridge(Options{Addr: broker.addr, HubName: name})
		h.serve(b)
		h.report(h.sender(name, hub.SenderOptions{Events: []string{"lux"}}), "lux", numbers(first, n)...)
		if err := h.journal.Sync(t.Context()); err != nil {
			t.Fatal(err)
		}
		eventually(t, "everything is acknowledged", func() bool { st := b.Status(); return st.Connected && st.Lag == 0 })
		h.stop()
	}
	run("attic", 0, 50)
	run("barn", 0, 2)
	run("attic", 50, 1)
	l.wait("sighub/attic/lux ", 51)
	if list := l.heard("sighub/attic/lux "); len(list) != 51 {
		t.Errorf("%d messages of 51: %q", len(list), list[50:])
	}
}
