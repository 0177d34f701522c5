package mqtt

import (
	"testing"

	"sighub/hub"
)

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
