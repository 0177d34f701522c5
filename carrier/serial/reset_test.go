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
	"sighub/carrier/serial/device"
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
	b := newBench(t, func(o *Options, _ *device.Options) { o.Retry = 10 * time.Millisecond })
	var mu sync.Mutex
	refusals, taken, losses, told := 0, false, 0, make(chan struct{}, 10)
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
			told <- struct{}{}
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
	within(t, "the loss", func() { <-told }) // which the hub may take after the reading
	mu.Lock()
	defer mu.Unlock()
	if losses != 1 {
		t.Errorf("the loss was told %d times", losses)
	}
}

// TestKeptReset: what a device has kept over a reset arrives once and in order, and no loss is told; not even when it
// was not acknowledged before, or waited in its ring.
func TestKeptReset(t *testing.T) {
	b := newBench(t, func(_ *Options, d *device.Options) { d.Window, d.Batch = 2, 1 })
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

func (s *Server) lastClient() (last carrier.ClientID) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, c := range s.clients.All() {
		last = max(last, c.id)
	}
	return last
}
