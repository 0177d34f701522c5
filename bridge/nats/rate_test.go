package nats_test

import (
	"math"
	"testing"
	"time"

	"sighub/bridge/nats"
	"sighub/hub"
)

// TestRate: an hour's backlog goes up no faster than the rate allows, and meanwhile it is told how many hours there is room for.
func TestRate(t *testing.T) {
	b := newBroker(t, "")
	b.kill()
	const n, rate = 3600, 1000
	h := openHouse(t, t.TempDir(), nats.Options{URL: b.url(), Hub: "kitchen", Rate: rate})
	s := h.sender("s0", hub.SenderOptions{Events: []string{"n"}})
	g, err := s.Signal("n")
	if err != nil {
		t.Fatal(err)
	}
	hourAgo := time.Now().Add(-time.Hour)
	for i := range n { // one a second
		if err := g.TriggerAt(t.Context(), i+1, hourAgo.Add(time.Duration(i)*time.Second), 0); err != nil {
			t.Fatal(err)
		}
	}
	if err := h.kept.Sync(t.Context()); err != nil {
		t.Fatal(err)
	}
	h.drainedNot(t)
	st, health := h.bridge.Status(), h.kept.Health()
	// One event a second for as many seconds as there is room for events of this size, less those that wait.
	want := (float64(health.Size)/(float64(health.Bytes)/n) - n) / 3600
	if st.Left == nil || math.Abs(*st.Left-want) > want/20 {
		t.Errorf("there is room for %v hours, want %v", st.Left, want)
	}
	begun := time.Now() // the first goes up later than that
	b.start()
	h.drained()
	if took := time.Since(begun); took < (n-rate)*time.Second/rate {
		t.Errorf("%d events go up in %s, at %d a second", n, took, rate)
	}
	complete(t, b.read(""), 1, n)
}

// TestSlowRate: what goes up slowly, without a pause, is acknowledged long before there is as much of it as the server acknowledges at
// a time.
func TestSlowRate(t *testing.T) {
	b := newBroker(t, "")
	b.kill()
	const n, rate = 450, 40
	h := openHouse(t, t.TempDir(), nats.Options{URL: b.url(), Hub: "kitchen", Rate: rate})
	h.report(h.sender("s0", hub.SenderOptions{Events: []string{"n"}}), "n", 1, n)
	h.drainedNot(t)
	b.start()
	st := h.bridge.Status()
	until(t, "something is acknowledged", func() bool {
		st = h.bridge.Status()
		return st.Sent > 0
	})
	if st.Sent > n/2 || st.Lag < n/2 {
		t.Errorf("nothing was acknowledged before %+v", st)
	}
}
