package bridge_test

import (
	"fmt"
	"slices"
	"testing"

	"sighub/bridge"
	"sighub/hub"
	"sighub/journal"
)

// numbers returns the data of events.
func numbers(t *testing.T, list []bridge.Event) (all []int) {
	t.Helper()
	for i := range list {
		if list[i].Name == hub.Connect {
			continue
		}
		var n int
		if err := list[i].Data.Decode(&n); err != nil {
			t.Fatal(err)
		}
		all = append(all, n)
	}
	return all
}

func inLane(list []bridge.Event, lane int) bool {
	return !slices.ContainsFunc(list, func(ev bridge.Event) bool { return ev.Lane != lane })
}

// row returns the numbers from first on.
func row(first, n int) (all []int) {
	for i := range n {
		all = append(all, first+i)
	}
	return all
}

// TestLive: what happens now is read before what waits, whenever it comes. The cursor stays before what waits. A second outage, in which
// much of both is lost, adds to what was sent ahead, and each event is left for one lane.
func TestLive(t *testing.T) {
	h := open(t, t.TempDir(), journal.Options{})
	f := h.feed(bridge.Options{Live: true})
	defer f.Close()
	h.report("lux", 1, 1000)
	var sent bridge.Sent
	f.Resume(&sent)
	if len(sent.Ahead) != 1 || !f.Late() {
		t.Fatalf("%+v", sent)
	}
	late := read(t, f, 101)
	h.report("lux", 1001, 3)
	now := read(t, f, 3)
	if got := numbers(t, late); !inLane(late, 1) || !slices.Equal(got, row(1, 100)) {
		t.Errorf("late are %v", got)
	}
	if got := numbers(t, now); !inLane(now, 0) || !slices.Equal(got, row(1001, 3)) {
		t.Errorf("now are %v", got)
	}
	f.Acknowledge(0, now[2].Position)
	if at := f.At(); !at.IsZero() && !at.Before(late[0].Position) {
		t.Errorf("the cursor is at %v, and nothing of what waits is acknowledged", at)
	}
	f.Acknowledge(1, late[50].Position)
	if at := f.At(); at != late[50].Position {
		t.Errorf("the cursor is at %v, not %v", at, late[50].Position)
	}
	if st := bridge.NewState("x", "nats", "nats://x").Status(f); st.Lag != 953 {
		t.Errorf("%d wait", st.Lag)
	}

	h.report("lux", 1004, 500)
	sent = bridge.Sent{UpTo: late[90].Position, Ahead: []bridge.Span{{After: sent.Ahead[0].After, UpTo: now[1].Position}}}
	first := sent.Ahead[0]
	f.Resume(&sent)
	if len(sent.Ahead) != 2 || sent.Ahead[0] != first || sent.UpTo != late[90].Position {
		t.Fatalf("%+v", sent)
	}
	h.report("lux", 1504, 1)
	now = read(t, f, 1)
	late = read(t, f, 1503-90)
	if got := numbers(t, now); !inLane(now, 0) || got[0] != 1504 {
		t.Errorf("now is %v", got)
	}
	if got := numbers(t, late); !inLane(late, 1) || !slices.Equal(got, row(91, 1503-90)) || f.Late() { // what is sent is left out by whoever sends
		t.Errorf("late are %v", got)
	}
	f.Acknowledge(1, late[len(late)-1].Position)
	f.Acknowledge(0, now[0].Position)
	if st := bridge.NewState("x", "nats", "nats://x").Status(f); st.Lag != 0 || f.At() != now[0].Position {
		t.Errorf("%+v", st)
	}
	h.report("lux", 1505, 100)
	sent = bridge.Sent{UpTo: now[0].Position}
	if f.Resume(&sent); len(sent.Ahead) > 0 || f.Late() {
		t.Errorf("little waits, and what happens now goes ahead of it: %+v", sent)
	}
	if got := numbers(t, read(t, f, 100)); !slices.Equal(got, row(1505, 100)) {
		t.Errorf("then %v", got)
	}
}

// TestLiveOften: only so much goes ahead; then what happens now follows what has gone ahead already.
func TestLiveOften(t *testing.T) {
	h := open(t, t.TempDir(), journal.Options{})
	f := h.feed(bridge.Options{Live: true})
	defer f.Close()
	h.report("lux", 1, 100)
	list := read(t, f, 100)
	h.report("lux", 101, 1000)
	var sent bridge.Sent
	for i := range bridge.MaxAhead {
		sent.Ahead = append(sent.Ahead, bridge.Span{After: list[5*i].Position, UpTo: list[5*i+2].Position})
	}
	f.Resume(&sent)
	if len(sent.Ahead) != bridge.MaxAhead || !f.Late() {
		t.Errorf("%+v", sent)
	}
	now := read(t, f, 1)
	if end := sent.End(); now[0].Lane != 0 || now[0].Position.Sequence != end.Sequence+1 {
		t.Errorf("behind %v comes %v", end, now[0].Position)
	}
}

// TestLiveFirst: those that go first do so in their order, and the main lane does not get ahead of them.
func TestLiveFirst(t *testing.T) {
	h := open(t, t.TempDir(), journal.Options{})
	pump := h.add("pump", "on")
	f := h.feed(bridge.Options{Live: true, First: first("pump")})
	defer f.Close()
	h.report("lux", 1, 300)
	h.reportOf(pump, "on", 1, 300)
	var sent bridge.Sent
	f.Resume(&sent)
	h.report("lux", 301, 1)
	h.reportOf(pump, "on", 301, 1)
	list := read(t, f, 604)
	if !inLane(list[:302], 0) || !inLane(list[302:303], 1) || !inLane(list[303:], 2) {
		t.Errorf("the lanes are %q", texts(list))
	}
	if got := numbers(t, list); !slices.Equal(got, slices.Concat(row(1, 301), row(301, 1), row(1, 300))) {
		t.Errorf("they are %v", got)
	}
}

// TestLiveGap: what the journal has no more of what waits is told in the late lane, without what was sent ahead.
func TestLiveGap(t *testing.T) {
	h := open(t, t.TempDir(), journal.Options{Size: 1 << 20, Segment: 128 << 10})
	f := h.feed(bridge.Options{Live: true})
	defer f.Close()
	long := func(i int) any { return fmt.Sprintf("%d %200d", i, 0) }
	h.reportAll("lux", 1000, long)
	var sent bridge.Sent
	f.Resume(&sent)
	after := sent.Ahead[0].After
	h.reportAll("lux", 100, long)
	now := read(t, f, 100)
	if !inLane(now, 0) {
		t.Fatal("they are not ahead")
	}
	h.reportAll("lux", 7000, long) // the first thousand, and more, have gone
	sent = bridge.Sent{Ahead: []bridge.Span{{After: after, UpTo: now[99].Position}}}
	f.Resume(&sent)
	until := sent.End()
	gap := read(t, f, 1)[0]
	var loss hub.Loss
	if err := gap.Data.Decode(&loss); err != nil || gap.Name != hub.Gap || gap.Lane != 1 {
		t.Fatalf("%s %s, %v", gap.Name, gap.Data, err)
	}
	next := read(t, f, 1)[0]
	if want := next.Position.Sequence - 1 - 100; loss.Count != want || next.Lane != 1 {
		t.Errorf("the gap has %d events, want %d", loss.Count, want)
	}
	h.reportAll("lux", 20_000, long) // now all that waited has gone
	for {
		ev := read(t, f, 1)[0]
		if ev.Name != hub.Gap || ev.Lane != 1 {
			continue
		}
		if err := ev.Data.Decode(&loss); err != nil || ev.Position != until {
			t.Errorf("the gap %s ends at %v, want %v: %v", ev.Data, ev.Position, until, err)
		}
		break
	}
	if f.Late() {
		t.Error("more is late")
	}
}
