package mqtt

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"sighub/hub"
)

// restrict starts the broker again, with lines of an access list for everybody; without any, everything is allowed.
func (m *mosquitto) restrict(lines ...string) {
	m.t.Helper()
	m.stop()
	list := filepath.Join(m.dir, "acl")
	if len(lines) == 0 {
		lines = []string{"topic readwrite #"}
	}
	if err := os.WriteFile(list, []byte(strings.Join(lines, "\n")+"\n"), 0o600); err != nil {
		m.t.Fatal(err)
	}
	conf, err := os.ReadFile(m.conf)
	if err != nil {
		m.t.Fatal(err)
	}
	if line := "acl_file " + list + "\n"; !strings.Contains(string(conf), line) {
		if err := os.WriteFile(m.conf, append(conf, line...), 0o600); err != nil {
			m.t.Fatal(err)
		}
	}
	m.start()
}

// TestMarkNotKept: a broker that takes no mark has not forgotten anything for that, so the next run of the hub sends nothing again.
func TestMarkNotKept(t *testing.T) {
	broker, dir := startBroker(t), t.TempDir()
	broker.restrict("topic read #", "topic write sighub/light/#", "topic write sighub/_bridge/sighub/up/_state")
	l := listen(t, broker.addr, "sighub/light/lux")
	for run := range 3 {
		h := newHouse(t, dir)
		b := h.bridge(Options{Addr: broker.addr})
		h.serve(b)
		h.report(h.sender("light", hub.SenderOptions{Events: []string{"lux"}}), "lux", numbers(5*run, 5)...)
		l.wait("sighub/light/lux ", 5*(run+1))
		eventually(t, "everything is acknowledged", func() bool { return b.Status().Lag == 0 })
		h.stop()
		if !strings.Contains(h.log.String(), "allow this user to publish") {
			t.Error(h.log)
		}
	}
	if list := l.heard("sighub/light/lux "); len(list) != 15 {
		t.Errorf("%q", list)
	}
}

// TestMarkNotTold: while the broker does not tell its mark, that stays where it is, for nothing else says what the broker has forgotten.
func TestMarkNotTold(t *testing.T) {
	broker, dir := startBroker(t), t.TempDir()
	mark := func() []string {
		l := listen(t, broker.addr, "sighub/_bridge/sighub/up", "end")
		l.say("end", "x")
		l.wait("end ", 1)
		return l.heard("sighub/_bridge/sighub/up ")
	}
	run := func(first int) *house {
		h := newHouse(t, dir)
		b := h.bridge(Options{Addr: broker.addr})
		h.serve(b)
		h.report(h.sender("light", hub.SenderOptions{Events: []string{"lux"}}), "lux", numbers(first, 5)...)
		eventually(t, "everything is acknowledged", func() bool { st := b.Status(); return st.Connected && st.Lag == 0 })
		h.stop()
		return h
	}
	run(0)
	before := mark()
	broker.restrict("topic read sighub/light/#", "topic write #")
	if h := run(5); !strings.Contains(h.log.String(), "allow this user to subscribe") {
		t.Error(h.log)
	}
	broker.restrict()
	if after := mark(); len(before) != 1 || !slices.Equal(before, after) {
		t.Errorf("the mark is %q, and was %q", after, before)
	}
	run(10)
	if after := mark(); slices.Equal(before, after) {
		t.Errorf("the mark stays %q", after)
	}
}
