package nats_test

import (
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"sighub/bridge/nats"
	"sighub/hub"
	"sighub/journal"
)

// TestClockJumps: a hub's clock goes an hour ahead and back again, in an outage as well, and the hub starts with it an hour behind. Each event is in the
// stream once and in order, and is heard once.
func TestClockJumps(t *testing.T) {
	for name, live := range map[string]bool{"strict": false, "live": true} {
		t.Run(name, func(t *testing.T) { clockJumps(t, live) })
	}
}

func clockJumps(t *testing.T, live bool) {
	b := newBroker(t, "")
	near := nats.Options{URL: b.url(), Hub: "near", Hear: everybody, Beat: 200 * time.Millisecond}
	far := nats.Options{URL: b.url(), Hub: "kitchen", Live: live, Beat: 200 * time.Millisecond}
	var l heard
	n := openHouse(t, t.TempDir(), near)
	n.listen(&l)
	until(t, "the one that hears is connected", func() bool { return n.bridge.Status().Connected })
	var ahead atomic.Int64
	clock := func() time.Time { return time.Now().Round(0).Add(time.Duration(ahead.Load())) } // without a monotonic clock
	dir := t.TempDir()
	next := 1
	var f *house
	var s *hub.Sender
	open := func() {
		j, err := journal.Open(dir, journal.Options{Logger: logger(), Now: clock})
		if err != nil {
			t.Fatal(err)
		}
		f = houseAt(t, j, far, clock)
		s = f.sender("s0", hub.SenderOptions{Events: []string{"n"}})
	}
	report := func(k int, hours int64) {
		t.Helper()
		ahead.Store(hours * int64(time.Hour))
		f.report(s, "n", next, k)
		next += k
	}
	all := func() {
		t.Helper()
		f.drained()
		until(t, "what comes then is heard", func() bool { return strings.Count(l.all(), "kitchen.s0:n ") >= next-1 })
	}
	open()
	report(10, 0)
	all()
	report(10, 1)
	all()
	report(10, 0)
	all()
	b.kill()
	report(400, 1)
	f.drainedNot(t)
	report(10, 0)
	b.start()
	report(10, 1)
	all()
	f.stop()
	ahead.Store(-int64(time.Hour))
	open()
	report(10, -1)
	report(10, 0)
	all()
	heard := l.all() + "\n"
	for number := 1; number < next; number++ {
		if k := strings.Count(heard, fmt.Sprint("kitchen.s0:n ", number, "\n")); k != 1 {
			t.Errorf("%d is heard %d times", number, k)
		}
	}
	if list := b.read("sighub.kitchen.>"); live {
		lanesOf(t, list).complete(1)
	} else {
		complete(t, list, 1, next-1)
	}
}
