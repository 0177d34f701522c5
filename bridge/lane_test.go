package bridge_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"sighub/bridge"
	"sighub/hub"
	"sighub/journal"
)

func (h *house) reportOf(sender *hub.Sender, event string, first, n int) {
	h.t.Helper()
	before := h.sender
	defer func() { h.sender = before }()
	h.sender = sender
	h.report(event, first, n)
}

func (h *house) add(name, event string) *hub.Sender {
	h.t.Helper()
	s, err := h.hub.AddSender(name, hub.SenderOptions{Events: []string{event}})
	if err != nil {
		h.t.Fatal(err)
	}
	return s
}

func first(names ...string) (list []func(string) bool) {
	for _, name := range names {
		list = append(list, func(sender string) bool { return sender == name })
	}
	return list
}

// TestFirst: the events of some senders are read before those of others, also those that come while others wait. The cursor stays behind
// what is not acknowledged, so that nothing is lost when other senders go first the next time.
func TestFirst(t *testing.T) {
	dir := t.TempDir()
	h := open(t, dir, journal.Options{})
	h.report("lux", 1, 3)
	pump, siren := h.add("pump", "on"), h.add("siren", "alarm")
	h.reportOf(pump, "on", 1, 2)
	h.reportOf(siren, "alarm", 1, 1)
	f := h.feed(bridge.Options{First: first("siren", "pump")})
	list := read(t, f, 7)
	equal(t, list, "#connect", "alarm 1", "#connect", "on 1", "on 2", "#connect", "lux 1")
	if list[0].Lane != 0 || list[2].Lane != 1 || list[5].Lane != 2 {
		t.Errorf("the lanes are %d, %d and %d", list[0].Lane, list[2].Lane, list[5].Lane)
	}
	h.reportOf(siren, "alarm", 2, 1)
	list = append(list, read(t, f, 3)...)
	equal(t, list[7:], "alarm 2", "lux 2", "lux 3")

	for _, ev := range []bridge.Event{list[7], list[4]} { // the latest of both that go first
		f.Acknowledge(ev.Lane, ev.Position)
	}
	if at := f.At(); !at.Before(list[5].Position) {
		t.Errorf("the cursor is at %v, and %v is not acknowledged", at, list[5].Position)
	}
	st := bridge.NewState("x", "nats", "nats://x").Status(f)
	if st.Lag != 10 || st.Oldest == nil || !st.Oldest.Equal(list[5].Time) { // the last lane counts, which has the very first event
		t.Errorf("the status is %+v, and the oldest is of %s", st, list[5].Time)
	}
	f.Rewind()
	equal(t, read(t, f, 4), "#connect", "lux 1", "lux 2", "lux 3")
	f.Acknowledge(2, list[6].Position)
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	h.stop()

	h = open(t, dir, journal.Options{})
	if err := h.kept.Sync(t.Context()); err != nil { // the #connect of this run
		t.Fatal(err)
	}
	f = h.feed(bridge.Options{First: first("light")})
	defer f.Close()
	list = read(t, f, 12)
	equal(t, list, "lux 2", "lux 3", "#disconnect", "#connect", "#connect", "#connect", "on 1", "on 2", "alarm 1", "alarm 2", "#disconnect", "#disconnect")
	for _, ev := range []bridge.Event{list[11], list[3]} {
		f.Acknowledge(ev.Lane, ev.Position)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	if n, err := f.Next(ctx, list); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("%d more, %v", n, err)
	}
	if st := bridge.NewState("x", "nats", "nats://x").Status(f); st.Lag != 0 {
		t.Errorf("the status is %+v", st)
	}
}

// TestFirstWaits: whatever comes wakes the feed, whoever it is of.
func TestFirstWaits(t *testing.T) {
	h := open(t, t.TempDir(), journal.Options{})
	pump := h.add("pump", "on")
	f := h.feed(bridge.Options{First: first("pump")})
	defer f.Close()
	read(t, f, 2)
	for i := range 3 {
		got := make(chan []bridge.Event)
		go func() { got <- read(t, f, 1) }()
		if i%2 == 0 {
			h.report("lux", i, 1)
			equal(t, <-got, fmt.Sprint("lux ", i))
		} else {
			h.reportOf(pump, "on", i, 1)
			equal(t, <-got, fmt.Sprint("on ", i))
		}
	}
}

// TestFirstGap: a gap of the journal is told once, and a window holds for all together.
func TestFirstGap(t *testing.T) {
	h := open(t, t.TempDir(), journal.Options{Size: 1 << 20, Segment: 128 << 10})
	pump := h.add("pump", "on")
	f := h.feed(bridge.Options{First: first("pump"), Window: 3})
	defer f.Close()
	h.reportAll("lux", 8000, func(i int) any { return fmt.Sprintf("%d %200d", i+1, 0) })
	h.reportOf(pump, "on", 1, 1)
	list := read(t, f, 3)
	if list[0].Name != "on" || list[1].Name != hub.Gap || list[1].Lane != 1 || list[2].Name != "lux" {
		t.Errorf("the events are %q", texts(list))
	}
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	if n, err := f.Next(ctx, make([]bridge.Event, 9)); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("%d more, %v", n, err)
	}
	f.Acknowledge(0, list[0].Position)
	read(t, f, 1)
}

// TestFirstRewindTo: what is read again of one lane does not hide what another one has not had.
func TestFirstRewindTo(t *testing.T) {
	dir := t.TempDir()
	h := open(t, dir, journal.Options{})
	h.report("lux", 1, 3)
	pump := h.add("pump", "on")
	h.reportOf(pump, "on", 1, 3)
	f := h.feed(bridge.Options{First: first("pump")})
	list := read(t, f, 8)
	f.Acknowledge(0, list[3].Position)
	f.RewindTo(list[1].Position)
	equal(t, read(t, f, 6), "on 2", "on 3", "#connect", "lux 1", "lux 2", "lux 3")
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	h.stop()
	h = open(t, dir, journal.Options{})
	f = h.feed(bridge.Options{})
	defer f.Close()
	equal(t, read(t, f, 4), "#connect", "lux 1", "lux 2", "lux 3")
}

// TestFirstTooMany: each that goes first costs, so there are not any number of them.
func TestFirstTooMany(t *testing.T) {
	h := open(t, t.TempDir(), journal.Options{})
	_, err := bridge.Open(bridge.Options{Hub: h.hub, Journal: h.kept, Cursor: "x", First: make([]func(string) bool, bridge.MaxFirst+1)})
	if err == nil {
		t.Error("there are too many")
	}
}
