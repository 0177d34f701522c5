package bridge_test

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"go.uber.org/goleak"

	"sighub/bridge"
	"sighub/carrier/local"
	"sighub/hub"
	"sighub/journal"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// A house is a hub with a journal that is served.
type house struct {
	t      *testing.T
	hub    *hub.ServerRouter
	kept   *journal.Journal
	sender *hub.Sender
	local  *local.Hub
	stop   func()
}

func open(t *testing.T, dir string, o journal.Options) *house {
	t.Helper()
	j, err := journal.Open(dir, o)
	if err != nil {
		t.Fatal(err)
	}
	h := &house{t: t, kept: j, hub: hub.NewServerRouter(hub.ServerOptions{Journal: j, Grace: 50 * time.Millisecond})}
	h.local = local.NewHub(local.Options{})
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- h.hub.Serve(ctx, h.local) }()
	stopped := false
	h.stop = func() {
		if stopped {
			return
		}
		stopped = true
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	}
	t.Cleanup(h.stop)
	h.sender, err = h.hub.AddSender("light", hub.SenderOptions{Events: []string{"lux", "noise"}})
	if err != nil {
		t.Fatal(err)
	}
	return h
}

// report triggers n events with the numbers from first on.
func (h *house) report(event string, first, n int) {
	h.t.Helper()
	h.reportAll(event, n, func(i int) any { return first + i })
}

func (h *house) reportAll(event string, n int, data func(i int) any) {
	h.t.Helper()
	g, err := h.sender.Signal(event)
	if err != nil {
		h.t.Fatal(err)
	}
	for i := range n {
		if err := g.Trigger(h.t.Context(), data(i)); err != nil {
			h.t.Fatal(err)
		}
		if room := h.kept.Room(); room != nil {
			<-room
		}
	}
	if err := h.kept.Sync(h.t.Context()); err != nil {
		h.t.Fatal(err)
	}
}

func (h *house) feed(o bridge.Options) *bridge.Feed {
	h.t.Helper()
	o.Hub, o.Journal, o.Cursor = h.hub, h.kept, cmp.Or(o.Cursor, "test")
	f, err := bridge.Open(o)
	if err != nil {
		h.t.Fatal(err)
	}
	return f
}

// TestNextCause: what ends reading is told by its cause, whether or not there is anything to read. Whoever reads goes by that.
func TestNextCause(t *testing.T) {
	h := open(t, t.TempDir(), journal.Options{})
	h.report("lux", 1, 1)
	f := h.feed(bridge.Options{})
	defer f.Close()
	cause := errors.New("the stream was removed")
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(cause)
	if _, err := f.Next(ctx, make([]bridge.Event, 1)); !errors.Is(err, cause) {
		t.Errorf("%v", err)
	}
	read(t, f, 2)
	if _, err := f.Next(ctx, make([]bridge.Event, 1)); !errors.Is(err, cause) {
		t.Errorf("%v", err)
	}
}

// read reads n events.
func read(t *testing.T, f *bridge.Feed, n int) (list []bridge.Event) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	for len(list) < n {
		dst := make([]bridge.Event, n-len(list))
		got, err := f.Next(ctx, dst)
		if err != nil {
			t.Fatalf("after %d events: %v", len(list), err)
		}
		list = append(list, dst[:got]...)
	}
	return list
}

func texts(list []bridge.Event) (all []string) {
	for i := range list {
		ev := &list[i]
		text := ev.Name
		if ev.Name != hub.Connect && ev.Name != hub.Disconnect && ev.Name != hub.Gap {
			text += " " + ev.Data.String()
		}
		all = append(all, text)
	}
	return all
}

func equal(t *testing.T, got []bridge.Event, want ...string) {
	t.Helper()
	if g, w := fmt.Sprint(texts(got)), fmt.Sprint(want); g != w {
		t.Errorf("got  %s\nwant %s", g, w)
	}
}

// TestAcknowledged: what is acknowledged is not read again, neither after Rewind nor by the next hub; the rest is.
func TestAcknowledged(t *testing.T) {
	dir := t.TempDir()
	h := open(t, dir, journal.Options{})
	h.report("lux", 1, 3)
	f := h.feed(bridge.Options{})
	list := read(t, f, 4)
	equal(t, list, "#connect", "lux 1", "lux 2", "lux 3")
	if list[1].ID() != fmt.Sprintf("light/%d/2", list[1].Connection) || list[1].Device() != "" || list[1].Position.IsZero() || list[1].Time.IsZero() {
		t.Errorf("the event is %+v, %s", list[1], list[1].ID())
	}
	f.Acknowledge(0, list[1].Position)
	f.Rewind()
	equal(t, read(t, f, 2), "lux 2", "lux 3")
	f.Acknowledge(0, list[2].Position)
	f.Acknowledge(0, list[0].Position) // late, and of no effect
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	h.stop()

	h = open(t, dir, journal.Options{})
	f = h.feed(bridge.Options{})
	defer f.Close()
	list = read(t, f, 3)
	equal(t, list, "lux 3", "#disconnect", "#connect")
	if _, err := bridge.Open(bridge.Options{Hub: h.hub, Journal: h.kept, Cursor: "test"}); err == nil {
		t.Error("two feeds have one cursor")
	}
}

// TestWindow: no more is read than may be unacknowledged, in events and in bytes.
func TestWindow(t *testing.T) {
	h := open(t, t.TempDir(), journal.Options{})
	h.report("lux", 1, 9)
	for _, o := range []bridge.Options{{Cursor: "events", Window: 4}, {Cursor: "bytes", Bytes: 700}} {
		f := h.feed(o)
		list := read(t, f, 4)
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
		if n, err := f.Next(ctx, make([]bridge.Event, 9)); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("%+v: %d more, %v", o, n, err)
		}
		cancel()
		more := make(chan []bridge.Event)
		go func() { more <- read(t, f, 1) }()
		f.Acknowledge(0, list[0].Position)
		<-more
		if err := f.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

// TestTakes: what is left out holds nothing up, and the cursor passes over it.
func TestTakes(t *testing.T) {
	h := open(t, t.TempDir(), journal.Options{})
	f := h.feed(bridge.Options{Takes: func(_, event string) bool { return event == "lux" }})
	defer f.Close()
	got := make(chan []bridge.Event)
	go func() { got <- read(t, f, 1) }()
	h.report("noise", 1, 3000)
	h.report("lux", 1, 1)
	list := <-got
	equal(t, list, "lux 1")
	f.Acknowledge(0, list[0].Position)
	s := bridge.NewState("x", "nats", "nats://x")
	if st := s.Status(f); st.Lag != 0 || st.Oldest != nil {
		t.Errorf("the status is %+v", st)
	}
}

// TestGap: what the journal has no more is told.
func TestGap(t *testing.T) {
	h := open(t, t.TempDir(), journal.Options{Size: 1 << 20, Segment: 128 << 10})
	f := h.feed(bridge.Options{})
	defer f.Close()
	f.Acknowledge(0, read(t, f, 1)[0].Position)
	const n = 8000
	h.reportAll("lux", n, func(i int) any { return fmt.Sprintf("%d %200d", i+1, 0) })
	list := read(t, f, 2)
	var loss hub.Loss
	if err := list[0].Data.Decode(&loss); err != nil || list[0].Name != hub.Gap || list[0].Sender != "" || loss.Count == 0 {
		t.Fatalf("the first is %+v %v, %v", list[0], loss, err)
	}
	var text string
	var first uint64
	if err := list[1].Data.Decode(&text); err != nil {
		t.Fatal(err)
	}
	if _, err := fmt.Sscan(text, &first); err != nil || first != loss.Count+1 {
		t.Errorf("after a gap of %d comes %s", loss.Count, list[1].Data)
	}
	s := bridge.NewState("x", "nats", "nats://x")
	st := s.Status(f)
	if st.Lost != loss.Count || st.Oldest == nil || st.Lag != n {
		t.Errorf("the status is %+v", st)
	}
	f.Acknowledge(0, list[0].Position)
	f.Rewind()
	if again := read(t, f, 1); again[0].Position != list[1].Position {
		t.Errorf("after the gap comes %v, then %v", list[1].Position, again[0].Position)
	}
}

// TestDevice: an event says whose sender it is, after a rewind as well.
func TestDevice(t *testing.T) {
	h := open(t, t.TempDir(), journal.Options{})
	f := h.feed(bridge.Options{Takes: func(sender, _ string) bool { return sender == "pump" }})
	defer f.Close()
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	client := hub.NewClientRouter(hub.ClientOptions{})
	served := make(chan error, 1)
	go func() { served <- client.Serve(ctx, h.local.NewPeer("kitchen")) }()
	pump, err := client.AddRemoteSender(ctx, "pump", hub.SenderOptions{Events: []string{"on"}})
	if err != nil {
		t.Fatal(err)
	}
	on, err := pump.Signal("on")
	if err != nil {
		t.Fatal(err)
	}
	if err := on.Trigger(ctx, true); err != nil {
		t.Fatal(err)
	}
	stop()
	if err := <-served; err != nil {
		t.Fatal(err)
	}
	for range 2 {
		list := read(t, f, 3)
		equal(t, list, "#connect", "on true", "#disconnect")
		for i := range list {
			if ev := &list[i]; ev.Device() != "kitchen" {
				t.Errorf("%s is of %q", ev.Name, ev.Device())
			}
		}
		f.Rewind()
	}
}

// TestRewindTo: what the other side has lost is read again, also by the next hub, though nothing of it was acknowledged again.
func TestRewindTo(t *testing.T) {
	dir := t.TempDir()
	h := open(t, dir, journal.Options{})
	h.report("lux", 1, 5)
	f := h.feed(bridge.Options{})
	list := read(t, f, 6)
	f.Acknowledge(0, list[5].Position)
	f.RewindTo(list[2].Position)
	equal(t, read(t, f, 3), "lux 3", "lux 4", "lux 5")
	f.RewindTo(list[4].Position) // it is not behind what is acknowledged now, so it changes nothing
	equal(t, read(t, f, 3), "lux 3", "lux 4", "lux 5")
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	h.stop()
	h = open(t, dir, journal.Options{})
	f = h.feed(bridge.Options{})
	defer f.Close()
	equal(t, read(t, f, 3), "lux 3", "lux 4", "lux 5")
}

// TestLast: which event was stored last is known to the next hub, however many were left out since.
func TestLast(t *testing.T) {
	dir := t.TempDir()
	h := open(t, dir, journal.Options{})
	o := bridge.Options{Takes: func(_, event string) bool { return event == "lux" }}
	f := h.feed(o)
	if at := f.Last(); !at.IsZero() {
		t.Errorf("at first it is %v", at)
	}
	h.report("lux", 1, 5)
	list := read(t, f, 5)
	f.Stored(list[3].Position)
	f.Acknowledge(0, list[4].Position)
	h.report("noise", 1, 2000)
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error)
	go func() {
		_, err := f.Next(ctx, make([]bridge.Event, 1))
		ended <- err
	}()
	for f.At().Sequence < list[4].Position.Sequence+2000 {
		time.Sleep(time.Millisecond)
	}
	cancel()
	if err := <-ended; !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	h.stop()
	h = open(t, dir, journal.Options{})
	f = h.feed(o)
	defer f.Close()
	if at := f.Last(); at != list[3].Position || !at.Before(f.At()) {
		t.Errorf("it is %v, want %v", at, list[3].Position)
	}
}

// TestPace: no more events are read than a rate allows.
func TestPace(t *testing.T) {
	h := open(t, t.TempDir(), journal.Options{})
	h.report("lux", 1, 150)
	f := h.feed(bridge.Options{Rate: 100})
	defer f.Close()
	begun := time.Now()
	read(t, f, 150)
	if took := time.Since(begun); took < 400*time.Millisecond {
		t.Errorf("150 events at 100 a second take %s", took)
	}
}
