package nats_test

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"sighub/bridge/nats"
	"sighub/hub"
)

// A lanes checks that each number of each sender is there once, and that both those that are in time and those that are late are in order.
type lanes struct {
	t    *testing.T
	last map[string]int // by sender, and whether it is late
	seen map[string]map[int]bool
	late int
}

func newLanes(t *testing.T) *lanes {
	return &lanes{t: t, last: make(map[string]int), seen: make(map[string]map[int]bool)}
}

func (l *lanes) add(subject, data string) {
	l.t.Helper()
	parts := strings.Split(subject, ".")
	if parts[4] != "n" {
		return
	}
	sender, late := parts[3], len(parts) == 6
	number, err := strconv.Atoi(data)
	key := fmt.Sprint(sender, late)
	if err != nil || number <= l.last[key] {
		l.t.Fatalf("%s: %s comes after %d", subject, data, l.last[key])
	}
	if l.seen[sender] == nil {
		l.seen[sender] = make(map[int]bool)
	}
	if l.seen[sender][number] {
		l.t.Fatalf("%s: %d is there twice", sender, number)
	}
	l.last[key], l.seen[sender][number] = number, true
	if late {
		l.late++
	}
}

// complete checks that no number is missing, and returns how many there are.
func (l *lanes) complete(senders int) (n int) {
	l.t.Helper()
	if len(l.seen) != senders {
		l.t.Errorf("%d senders, want %d", len(l.seen), senders)
	}
	for sender, seen := range l.seen {
		for i := range len(seen) {
			if !seen[i+1] {
				l.t.Fatalf("%s: %d is missing", sender, i+1)
			}
		}
		n += len(seen)
	}
	return n
}

func lanesOf(t *testing.T, list []message) *lanes {
	t.Helper()
	l := newLanes(t)
	for _, m := range list {
		l.add(m.subject, m.data)
	}
	return l
}

// TestLive: after an outage, what happens now goes up at once, and what waited is marked as late. It waits for more than one outage; the
// hub is switched to the strict order in between, and back, and each time other senders go first. With the last event, everything is there once, and nothing is late any more.
func TestLive(t *testing.T) {
	b := newBroker(t, "")
	b.forgetful()
	dir := t.TempDir()
	first := func(names ...string) (list []func(string) bool) {
		for _, name := range names {
			list = append(list, func(s string) bool { return s == name })
		}
		return list
	}
	o := nats.Options{URL: b.url(), Hub: "kitchen", Live: true, Rate: 2500}
	next := 1
	var h *house
	var light, siren *hub.Sender
	open := func() {
		h = openHouse(t, dir, o)
		light, siren = h.sender("light", hub.SenderOptions{Events: []string{"n"}}), h.sender("siren", hub.SenderOptions{Events: []string{"n"}})
	}
	report := func(n int) {
		h.report(light, "n", next, n)
		h.report(siren, "n", next, n)
		next += n
	}
	progress := func() {
		sent := h.bridge.Status().Sent
		until(t, "something goes up", func() bool { return h.bridge.Status().Sent > sent+1000 })
	}
	open()
	report(10)
	h.drained()
	for round := range 6 {
		b.kill()
		report(1500)
		h.drainedNot(t)
		if round > 1 {
			o.Live, o.Rate = round%2 == 1, 2500
			o.First = [][]func(string) bool{first("siren"), first("light"), first(), first("siren", "light")}[round-2]
			h.stop()
			open()
			report(10)
		}
		b.start()
		progress() // and not all of it
		report(10)
	}
	h.stop()
	o.Rate = 0
	open()
	h.drained()
	report(1)
	h.drained()
	list := b.read("")
	all := lanesOf(t, list)
	if n := all.complete(2); n != 2*(next-1) || all.late < 1000 {
		t.Errorf("%d numbers of %d, %d of them late", n, 2*(next-1), all.late)
	}
	if last := list[len(list)-1]; strings.HasSuffix(last.subject, ".late") || last.data != fmt.Sprint(next-1) {
		t.Errorf("the last one is %+v", last)
	}
}

// TestLiveWait measures how long an event that happens now takes to a consumer, while very many others wait behind it. SIGHUB_TEST_DRAIN
// says how many.
func TestLiveWait(t *testing.T) {
	n, err := strconv.Atoi(os.Getenv("SIGHUB_TEST_DRAIN"))
	if err != nil {
		n = 10_000
	}
	b := newBroker(t, "")
	h := openHouse(t, t.TempDir(), nats.Options{URL: b.url(), Hub: "kitchen", Live: true, Stream: nats.Stream{MaxBytes: -1}})
	s, alarm := h.sender("s0", hub.SenderOptions{Events: []string{"n"}}), h.sender("alarm", hub.SenderOptions{Events: []string{"n"}})
	h.report(s, "n", 1, 10)
	h.drained()
	b.kill()
	h.report(s, "n", 11, n)
	h.drainedNot(t)
	b.start()
	js, end := jetStream(t, b.url())
	defer end()
	c, err := js.CreateConsumer(t.Context(), "sighub", jetstream.ConsumerConfig{AckPolicy: jetstream.AckNonePolicy, FilterSubject: "sighub.kitchen.>"})
	if err != nil {
		t.Fatal(err)
	}
	all := newLanes(t)
	var mu sync.Mutex
	arrived := make(map[int]time.Time)
	reading, err := c.Consume(func(m jetstream.Msg) {
		mu.Lock()
		defer mu.Unlock()
		all.add(m.Subject(), string(m.Data()))
		if m.Subject() == "sighub.kitchen.-.alarm.n" {
			arrived[all.last["alarmfalse"]] = time.Now()
		}
	}, jetstream.PullMaxMessages(5000))
	if err != nil {
		t.Fatal(err)
	}
	sent := h.bridge.Status().Sent
	until(t, "the bridge is back", func() bool { return h.bridge.Status().Sent > sent })
	var reported []time.Time
	for begun := time.Now(); h.bridge.Status().Lag > 100; {
		reported = append(reported, time.Now())
		h.report(alarm, "n", len(reported), 1)
		time.Sleep(5 * time.Millisecond)
		if time.Since(begun) > time.Minute {
			t.Fatalf("it does not end: %+v", h.bridge.Status())
		}
	}
	h.drained()
	until(t, "everything has arrived", func() bool {
		mu.Lock()
		defer mu.Unlock()
		return len(arrived) == len(reported) && len(all.seen["s0"]) == n+10
	})
	reading.Stop()
	<-reading.Closed()
	all.complete(2)
	var waits []time.Duration
	for i, at := range reported {
		waits = append(waits, arrived[i+1].Sub(at))
	}
	if len(waits) == 0 {
		return // the machine was too slow to report anything meanwhile
	}
	t.Logf("%d waited, %d of them late; of %d that happened meanwhile, one waited %s in the middle, %s in 99 of 100 cases, %s at the most",
		n, all.late, len(waits), middle(waits, 0.5), middle(waits, 0.99), middle(waits, 1))
}

// middle returns the duration below which a part of them are.
func middle(list []time.Duration, part float64) time.Duration {
	slices.Sort(list)
	return list[int(part*float64(len(list)-1))].Round(100 * time.Microsecond)
}

// TestLiveKnown: what a sender had sent ahead while it went first is known as long as that is ahead, though a later event of it has taken the
// place of the message that said so, and other senders go first.
func TestLiveKnown(t *testing.T) {
	b, dir := newBroker(t, ""), t.TempDir()
	o := nats.Options{URL: b.url(), Hub: "kitchen", Live: true, Rate: 1200}
	o.First = []func(string) bool{func(sender string) bool { return sender == "siren" }}
	var h *house
	var light, siren *hub.Sender
	open := func() {
		h = openHouse(t, dir, o)
		light, siren = h.sender("light", hub.SenderOptions{Events: []string{"n"}}), h.sender("siren", hub.SenderOptions{Events: []string{"n"}})
	}
	has := func(sender string, number int) {
		t.Helper()
		until(t, fmt.Sprint(sender, " ", number), func() bool { return lanesOf(t, b.read("sighub.kitchen.>")).seen[sender][number] })
	}
	open()
	h.drained()
	b.kill()
	h.report(light, "n", 1, 4000)
	h.report(siren, "n", 1, 300)
	h.drainedNot(t)
	b.start()
	has("siren", 300)
	h.stop()
	o.First = nil
	open()
	h.report(siren, "n", 301, 1)
	has("siren", 301)
	h.stop()
	if n := len(lanesOf(t, b.read("sighub.kitchen.>")).seen["light"]); n > 3900 {
		t.Errorf("%d of those that wait have gone up", n)
	}
	o.Rate = 0
	open()
	h.drained()
	if n := lanesOf(t, b.read("sighub.kitchen.>")).complete(2); n != 4301 {
		t.Errorf("%d events", n)
	}
}

// TestLiveOutages is TestOutages with a hub that has what happens now go first, in three of four runs.
func TestLiveOutages(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "journal")
	b, on := suffer(t, dir, childLive)
	all := lanesOf(t, b.read(""))
	if n := all.complete(childSenders); n != on {
		t.Errorf("%d numbers are on record, and %d are in the stream", on, n)
	}
	t.Logf("%d numbers, of which %d were late", on, all.late)
}

// TestNearlyTooLarge: an event that the server takes, but not at the beginning of a batch, holds nothing up.
func TestNearlyTooLarge(t *testing.T) {
	b := newBroker(t, "max_payload: 4KB")
	h := openHouse(t, t.TempDir(), nats.Options{URL: b.url(), Hub: "kitchen"})
	s := h.sender("s0", hub.SenderOptions{Events: []string{"text"}})
	g, err := s.Signal("text")
	if err != nil {
		t.Fatal(err)
	}
	const first, last, step = 3600, 4000, 25
	for size := first; size < last; size += step {
		if err := g.Trigger(t.Context(), strings.Repeat("x", size)); err != nil {
			t.Fatal(err)
		}
		h.drained() // so that each is alone in its batch
	}
	const n = (last - first) / step
	list := b.read("sighub.kitchen.-.s0.text")
	refused := int(h.bridge.Status().Refused)
	if refused == 0 || len(list) == 0 || len(list)+refused != n {
		t.Errorf("%d are there and %d are refused, of %d", len(list), refused, n)
	}
}
