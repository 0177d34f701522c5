package nats_test

import (
	"strings"
	"testing"

	"sighub/bridge/nats"
	"sighub/hub"
)

// TestFirst: after an outage, what the important senders have reported goes up before all else, and each event once.
func TestFirst(t *testing.T) {
	b := newBroker(t, "")
	o := nats.Options{URL: b.url(), Hub: "kitchen", First: []func(string) bool{func(s string) bool { return s == "siren" }}}
	h := openHouse(t, t.TempDir(), o)
	light, siren := h.sender("light", hub.SenderOptions{Events: []string{"n"}}), h.sender("siren", hub.SenderOptions{Events: []string{"n"}})
	h.report(light, "n", 1, 10)
	h.report(siren, "n", 1, 10)
	h.drained()
	b.kill()
	h.report(light, "n", 11, 5000)
	h.drainedNot(t)
	h.report(siren, "n", 11, 100)
	h.report(light, "n", 5011, 100)
	b.start()
	h.drained()
	list := b.read("")
	complete(t, rowsOf(list, "light"), 1, 5110)
	complete(t, rowsOf(list, "siren"), 1, 110)
	before := 0
	for _, m := range list {
		switch {
		case strings.HasSuffix(m.subject, ".light.n"):
			before++
		case strings.HasSuffix(m.subject, ".siren.n") && before > 10:
			t.Fatalf("siren's %s comes behind %d of light", m.data, before)
		}
	}
}

// TestFirstAlone: while those that do not go first are silent, the stream knows all the same how far all is.
func TestFirstAlone(t *testing.T) {
	b := newBroker(t, "")
	h := openHouse(t, t.TempDir(), nats.Options{URL: b.url(), Hub: "kitchen", First: []func(string) bool{everybody}})
	s := h.sender("siren", hub.SenderOptions{Events: []string{"n"}})
	for i := range 3 {
		h.report(s, "n", 1+i, 1)
		h.drained()
	}
	list := b.read("sighub.kitchen.-.siren.n")
	if got, want := list[2].sent, list[1].position+" +"+list[2].position; got != want {
		t.Errorf("with the last one the stream has %s, want %s", got, want)
	}
}

func rowsOf(list []message, sender string) (rows []message) {
	for _, m := range list {
		if strings.Split(m.subject, ".")[3] == sender {
			rows = append(rows, m)
		}
	}
	return rows
}
