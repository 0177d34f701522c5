//go:build linux || darwin

package serial

import (
	"context"
	"errors"
	"fmt"
	"math"
	"reflect"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"sighub/carrier"
	"sighub/carrier/serial/device"
	"sighub/carrier/serial/internal/wire"
)

// TestRefusedSender: a sender that the hub refuses is offered again, and the device stays.
func TestRefusedSender(t *testing.T) {
	b := newBench(t, func(o *Options, _ *device.Options) { o.Retry = 10 * time.Millisecond })
	var mu sync.Mutex
	refusals := 3
	b.atHub.handle = func(_ carrier.ClientID, m *carrier.Message, respond func(carrier.Reply)) {
		mu.Lock()
		defer mu.Unlock()
		if m.Method == "add_sender" && strings.Contains(m.Params.String(), "warmth") && refusals > 0 {
			refusals--
			respond(carrier.Failed(errors.New("the name warmth is taken: use the option naming")))
			return
		}
		respond(carrier.Done(nil))
	}
	b.start(t)
	b.atHub.wait(t, "add_sender", 5)
	acknowledged(t, b.report(t, 0, 1))
	if n := strings.Count(b.log.String(), "the name warmth is taken"); n != 1 {
		t.Errorf("the refusal was logged %d times:\n%s", n, b.log.String())
	}
}

// TestRefusedReadings: a reading that the hub refuses ends with the hub's error and leaves its room to the next one, which
// goes on.
func TestRefusedReadings(t *testing.T) {
	b := newBench(t, func(_ *Options, d *device.Options) { d.Batch, d.Ring = 1, 1 })
	b.atHub.handle = func(_ carrier.ClientID, m *carrier.Message, respond func(carrier.Reply)) {
		if m.Method == "signal" && signalOf(t, m).data == int64(1) {
			respond(carrier.Failed(errors.New("no such sender")))
			return
		}
		respond(carrier.Done(nil))
	}
	b.start(t)
	ended := b.report(t, 0, 3)
	var errs []string
	for range 3 {
		errs = append(errs, fmt.Sprint(<-ended))
	}
	if want := []string{"<nil>", "no such sender", "<nil>"}; !reflect.DeepEqual(errs, want) {
		t.Errorf("%q, want %q", errs, want)
	}
}

// TestOverflow: what the ring has no room for while the hub is away is told as a gap.
func TestOverflow(t *testing.T) {
	b := newBench(t, func(_ *Options, d *device.Options) { d.Ring, d.Overflow = 4, device.OverflowCount })
	lost := 0
	for n := range 10 {
		must(t, b.device.ReportAt(context.Background(), int64(100*n), "light", "lux", n, func(err error) {
			if errors.Is(err, device.ErrOverflow) {
				lost++
			}
		}))
	}
	b.start(t)
	b.atHub.wait(t, "signal", 5)
	got := b.atHub.all("signal")
	gap := signalOf(t, got[0].message)
	var loss struct {
		Count       int
		First, Last time.Time
		Event       string
	}
	must(t, carrier.ValueOf(gap.data).Decode(&loss))
	if gap.sender != "light" || gap.event != gapEvent || loss.Count != 6 || loss.Event != "lux" || loss.Last.IsZero() || !loss.First.Equal(loss.Last) {
		t.Errorf("the gap is told as %+v", gap)
	}
	for i, m := range got[1:] {
		if s := signalOf(t, m.message); s.data != int64(6+i) {
			t.Errorf("reading %+v", s)
		}
	}
	if s := b.device.Stats(); lost != 6 || s.Lost != 6 {
		t.Errorf("%d were told to be lost, %d counted", lost, s.Lost)
	}

	full, err := device.New(b.pty.Open, device.Options{Senders: lightSenders, Ring: 1})
	must(t, err)
	must(t, full.Report(context.Background(), "light", "lux", 1, nil))
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if err := full.Report(ctx, "light", "lux", 2, nil); !errors.Is(err, device.ErrOverflow) || !errors.Is(err, context.Canceled) {
		t.Errorf("a full ring: %v", err)
	}
}

// TestGapData: what is told of lost readings can be read by names, whatever the codec of the listener.
func TestGapData(t *testing.T) {
	at := time.Unix(1e9, 5).UTC()
	for _, codec := range []carrier.Codec{carrier.JSON, carrier.CBOR, carrier.CBORText} {
		for _, want := range []struct {
			count uint64
			event string
		}{{3, "lux"}, {0, ""}, {math.MaxUint64, "event"}} {
			raw, err := newGapData(want.count, at, at.Add(time.Second), want.event, "").AppendTo(nil, codec)
			must(t, err)
			var got struct {
				Count       *uint64
				First, Last time.Time
				Event       string
			}
			must(t, carrier.RawValue(codec, raw).Decode(&got))
			if (got.Count == nil) != (want.count == 0) || got.Count != nil && *got.Count != min(want.count, math.MaxInt64) ||
				got.Event != want.event || !got.First.Equal(at) || !got.Last.Equal(at.Add(time.Second)) {
				t.Errorf("%s: %s", codec.Name(), raw)
			}
		}
	}
}

func BenchmarkReadings(b *testing.B) {
	for _, batch := range []int{1, 8, 64} {
		b.Run(fmt.Sprintf("batch=%d", batch), func(b *testing.B) {
			l := newBench(b, func(o *Options, d *device.Options) {
				d.Batch, d.Window, o.Logger = batch, wire.MaxWindow, nil
			})
			l.stopHub = serve(b, l.hub, discard{connected: make(chan struct{}, 10)})
			serve(b, l.device, discard{connected: make(chan struct{}, 10)})
			b.ReportAllocs()
			done := make(chan error, 1)
			n := 0
			for b.Loop() {
				var last func(error)
				if n++; n == 1 {
					last = func(err error) { done <- err }
				}
				must(b, l.device.Report(context.Background(), "light", "lux", n&1023, last))
			}
			b.ReportMetric(float64(n)/b.Elapsed().Seconds(), "readings/s")
		})
	}
}

// discard is a handler that says yes.
type discard struct{ connected chan struct{} }

func (d discard) ClientConnected(carrier.Client) { d.connected <- struct{}{} }
func (discard) HandleMessage(_ carrier.ClientID, _ *carrier.Message, respond func(carrier.Reply)) {
	respond(carrier.Reply{})
}
func (discard) ClientDisconnected(carrier.ClientID, error) {}
func (discard) AllClientsDisconnected(error)               {}

// TestAnswersBeforeTheEnd: a reading that was handed on when the hub is told to end is acknowledged before the port
// is closed, and one that comes after that is not taken: so neither is lost or doubled by the next hub.
func TestAnswersBeforeTheEnd(t *testing.T) {
	b := newBench(t, nil)
	taken, answer := make(chan struct{}), make(chan struct{})
	b.atHub.handle = func(_ carrier.ClientID, m *carrier.Message, respond func(carrier.Reply)) {
		if m.Method != "signal" {
			respond(carrier.Done(nil))
			return
		}
		close(taken) // a second signal would panic
		<-answer
		respond(carrier.Done(nil))
	}
	b.start(t)
	first := b.report(t, 0, 1)
	<-taken
	var stopping sync.WaitGroup
	stopping.Go(b.stopHub)
	for closing := false; !closing; { // finish is called by the writer, which tells nobody
		b.hub.mu.Lock()
		closing = b.hub.lines[0].end.Closing
		b.hub.mu.Unlock()
		runtime.Gosched()
	}
	second := b.report(t, 1, 2)
	close(answer)
	acknowledged(t, first)
	stopping.Wait()
	select {
	case err := <-second:
		t.Errorf("the second reading has ended: %v", err)
	default:
	}
}
