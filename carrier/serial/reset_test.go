//go:build linux || darwin

package serial

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"sighub/carrier"
)

// unknownLoss reads a signal that is to tell that nobody knows what was lost.
func unknownLoss(t *testing.T, m told, sender string) (first, last time.Time) {
	t.Helper()
	var loss struct {
		Count       any
		First, Last time.Time
	}
	s := signalOf(t, m.message)
	must(t, carrier.ValueOf(s.data).Decode(&loss))
	if s.sender != sender || s.event != gapEvent || loss.Count != nil || s.time != loss.Last.UnixNano() {
		t.Fatalf("%+v, want a loss of %s", s, sender)
	}
	return loss.First, loss.Last
}

// TestReset: a reset is a disconnection and a connection, and readings may be lost: that is told of each sender that
// had reported since the reset before, ahead of new readings.
func TestReset(t *testing.T) {
	b := newBench(t, nil)
	b.start(t)
	acknowledged(t, b.report(t, 0, 3))
	before := signalOf(t, b.atHub.wait(t, "signal", 3).message).time
	b.device.Reset(false)
	gone := b.atHub.wait(t, "disconnected", 1)
	if !errors.Is(gone.cause, carrier.ErrReset) || carrier.Reason(gone.cause) != "reset" {
		t.Fatalf("cause %v", gone.cause)
	}
	b.atHub.wait(t, "connected", 2)
	gap := b.atHub.wait(t, "signal", 4)
	first, last := unknownLoss(t, gap, "light")
	if first.UnixNano() != before || last.Before(first) || last.After(gap.at) {
		t.Errorf("readings are lost from %v to %v", first, last)
	}
	if n := len(b.atHub.all("add_sender")); n != 4 {
		t.Errorf("the loss was told when %d senders were registered", n)
	}

	b.device.Reset(false) // nothing was reported since
	b.atHub.wait(t, "connected", 3)
	must(t, b.device.Report(context.Background(), "warmth", "celsius", 21.568, nil))
	acknowledged(t, b.report(t, 3, 6))
	signals := b.atHub.all("signal")[4:]
	if len(signals) != 4 {
		t.Fatalf("%d signals", len(signals))
	}
	if s := signalOf(t, signals[0].message); s.sender != "warmth" || s.data != 21.57 {
		t.Errorf("%+v", s)
	}
	for i, m := range signals[1:] {
		if s := signalOf(t, m.message); s.data != int64(3+i) {
			t.Errorf("%+v", s)
		}
	}
	b.device.Reset(false)
	unknownLoss(t, b.atHub.wait(t, "signal", 9), "light")
	unknownLoss(t, b.atHub.wait(t, "signal", 10), "warmth")
}

// TestLossOfRefusedSender: a loss that the hub refuses with its sender is told when the hub has taken the sender.
func TestLossOfRefusedSender(t *testing.T) {
	b := newBench(t, func(o *Options, _ *DeviceOptions) { o.Retry = 10 * time.Millisecond })
	var mu sync.Mutex
	refusals, taken, losses := 0, false, 0
	b.atHub.handle = func(_ carrier.ClientID, m *carrier.Message, respond func(carrier.Reply)) {
		mu.Lock()
		defer mu.Unlock()
		params := m.Params.String()
		if m.Method == "add_sender" && strings.Contains(params, "light") {
			taken = refusals == 0
			refusals = max(refusals-1, 0)
		}
		switch {
		case strings.Contains(params, "light") && !taken:
			respond(carrier.Failed(errors.New("the name is taken")))
			return
		case strings.Contains(params, gapEvent):
			losses++
		}
		respond(carrier.Done(nil))
	}
	b.start(t)
	acknowledged(t, b.report(t, 0, 1))
	mu.Lock()
	refusals = 2
	mu.Unlock()
	b.device.Reset(false)
	b.atHub.wait(t, "add_sender", 6) // light is refused, warmth is taken, and light again, twice
	acknowledged(t, b.report(t, 1, 2))
	mu.Lock()
	defer mu.Unlock()
	if losses != 1 {
		t.Errorf("the loss was told %d times", losses)
	}
}

// TestKeptReset: what a device has kept over a reset arrives once and in order, and no loss is told; not even when it
// was not acknowledged before, or waited in its ring.
func TestKeptReset(t *testing.T) {
	b := newBench(t, func(_ *Options, d *DeviceOptions) { d.Window, d.Batch = 2, 1 })
	release, held := make(chan struct{}), make(chan struct{}, 100)
	b.atHub.handle = func(_ carrier.ClientID, m *carrier.Message, respond func(carrier.Reply)) {
		if m.Method == "signal" {
			held <- struct{}{}
			<-release
		}
		respond(carrier.Done(nil))
	}
	b.start(t)
	ended := b.report(t, 0, 10) // the handler has the first one, the hub the second, the device all of them
	<-held
	b.device.Reset(true)
	b.atDevice.wait(t, "connected", 2)
	b.device.Reset(true)
	b.atDevice.wait(t, "connected", 3)
	close(release)
	acknowledged(t, ended)
	b.atHub.wait(t, "connected", 2)
	if gone := b.atHub.wait(t, "disconnected", 1); carrier.Reason(gone.cause) != "reset" {
		t.Errorf("cause %v", gone.cause)
	}
	b.counted(t, 10)
	if r, err := call(t, b.hub, b.hub.lastClient(), "request", carrier.Object{{Key: "sender", Value: "light"},
		{Key: "method", Value: "led"}}); err != nil || r.Err() != nil {
		t.Errorf("a request after the resets: %v, %v", r, err)
	}
}

func (s *Server) lastClient() carrier.ClientID {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.lastID
}

// TestKeptIsSaid: a device says that it has kept its readings only if the hub has heard of every reset before that kept
// nothing.
func TestKeptIsSaid(t *testing.T) {
	d, err := NewDevice(nil, DeviceOptions{})
	must(t, err)
	for i, c := range []struct{ welcome, kept, said bool }{
		{false, true, false}, // never heard of
		{true, true, true},
		{false, true, true},
		{false, false, false},
		{false, true, false},
		{true, true, true},
	} {
		d.line.welcomed = c.welcome
		boot := d.line.hello.boot
		d.Reset(c.kept)
		if d.line.kept != c.said || d.line.hello.boot == boot {
			t.Errorf("%d: after a reset that keeps: %t, the device says %t", i, c.kept, d.line.kept)
		}
	}
}

// TestErasOfClock: the readings from before a reset that they have survived are stamped with the clock as it was then,
// though it stood still during the reset; those after it with a new one.
func TestErasOfClock(t *testing.T) {
	start := time.Unix(1e9, 0)
	var ps peers
	h := hello{uid: []byte{1}, boot: 1, ticks: 1<<32 - 2000, ticksPerSecond: 1000}
	p := ps.meet(start, h)
	sample := func(now time.Time, ticks uint32) { p.clock.sample(ticks, now.Add(-2*time.Millisecond), now) }
	sample(start, h.ticks)
	const stop = 10 * time.Second
	type point struct {
		ticks uint32
		at    time.Time
	}
	var points []point
	now, ticks := start, h.ticks
	for era := range uint32(maxEras) {
		for range 3 {
			now, ticks = now.Add(time.Second), ticks+1000
			points = append(points, point{ticks - 500, now.Add(-500 * time.Millisecond)})
		}
		now = now.Add(stop)
		h.boot, h.kept, h.ticks = era+2, true, ticks
		if ps.meet(now, h) != p {
			t.Fatal("the peer is another one")
		}
		sample(now, ticks)
	}
	points = append(points, point{ticks + 1, now.Add(time.Millisecond)})
	now = now.Add(time.Second)
	for _, want := range points {
		// Whether it was before the reset nobody can tell of what was taken since the newest sample.
		if got, u := p.taken(want.ticks, now); got.Sub(want.at).Abs() > 40*time.Millisecond || u > stop+40*time.Millisecond {
			t.Errorf("ticks %d are %v, sure to %v, want %v", want.ticks, got, u, want.at)
		}
	}
	if len(p.former) != maxEras {
		t.Errorf("%d eras", len(p.former))
	}
	// When the ticks have come half around, those of the clock now are no longer taken for those of before.
	late := now.Add(25 * 24 * time.Hour)
	sample(late, ticks+25*24*3600*1000)
	if got, _ := p.taken(ticks+25*24*3600*1000-1000, late); got.Sub(late.Add(-time.Second)).Abs() > 10*time.Millisecond {
		t.Errorf("after 25 days a reading of a second ago is stamped %v", late.Sub(got))
	}
	// Another dictionary means other numbers: what was kept cannot be read.
	h.boot, h.dictionary = 99, 5
	if ps.meet(late, h) == p {
		t.Error("the peer goes on with another dictionary")
	}
}
