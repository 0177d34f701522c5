package sensors

import (
	"context"
	"math"
	"testing"
	"time"

	"sighub/hub"
)

// A silent is a Hub that does nothing, so that what is measured is the poller's.
type silent struct{ reports int }

func (s *silent) Connect(context.Context, string, []string, []string) (Sender, error) { return s, nil }

func (s *silent) Report(context.Context, int, Reading) error { s.reports++; return nil }

func (s *silent) Disconnect(string) {}

// polledOn returns a sensor with two quantities, five samples and a jitter, in the middle of its life.
func polledOn(tb testing.TB, h Hub) *polled {
	tb.Helper()
	f := newFake()
	f.measures = append(warmth[:1:1], Quantity{Name: "lux", Unit: Lux, Resolution: 0.1})
	n := 0
	f.read = func(values []float64) error {
		n++
		values[0], values[1] = 20+float64(n%7), math.Sqrt(float64(n))
		return nil
	}
	p, err := NewPoller(h, []Source{{Sender: "air", Open: f.open, Period: time.Hour, Jitter: time.Second, Samples: 5,
		Outputs: []Output{{Quantity: "temp", Change: 1e-9}, {Quantity: "lux", Factor: 1.1}}}}, PollerOptions{})
	if err != nil {
		tb.Fatal(err)
	}
	b := p.buses[0]
	b.watchdog = time.AfterFunc(time.Hour, b.bark)
	tb.Cleanup(func() { b.watchdog.Stop() })
	s := b.pollers[0]
	s.plan(time.Now())
	return s
}

// TestNoAllocation: in the middle of its life, a sensor is read and reported without allocation.
func TestNoAllocation(t *testing.T) {
	h := new(silent)
	s := polledOn(t, h)
	if n := testing.AllocsPerRun(1000, func() { s.turn(t.Context()) }); n != 0 {
		t.Errorf("a reading allocates %v times", n)
	}
	if h.reports < 1000 {
		t.Errorf("only %d reports", h.reports)
	}
}

// TestCost: 50 sensors at 10 readings a second take less than a twentieth of one core, with a hub and a listener.
func TestCost(t *testing.T) {
	router := hub.NewRouter(hub.Options{})
	heard := 0
	if _, err := router.AddListener("", "", func(hub.Event) { heard++ }); err != nil {
		t.Fatal(err)
	}
	s := polledOn(t, OnRouter(router))
	// The quickest of some seconds' worth of readings: what the others took longer, other programs had the core.
	const seconds, perSecond = 20, 50 * 10
	quickest := time.Hour
	for range seconds {
		start := time.Now()
		for range perSecond {
			s.turn(t.Context())
		}
		quickest = min(quickest, time.Since(start))
	}
	t.Logf("%s in a second, %d events", quickest, heard)
	if quickest > time.Second/20 {
		t.Errorf("50 sensors at 10 Hz take %s of a second", quickest)
	}
	if heard < seconds*perSecond {
		t.Errorf("only %d events", heard)
	}
	s.disconnect("removed")
}

func BenchmarkReading(b *testing.B) {
	s := polledOn(b, new(silent))
	b.ReportAllocs()
	for b.Loop() {
		s.turn(b.Context())
	}
}

// BenchmarkReadingOnRouter has the hub's part in it, which boxes each number.
func BenchmarkReadingOnRouter(b *testing.B) {
	router := hub.NewRouter(hub.Options{})
	if _, err := router.AddListener("", "", func(hub.Event) {}); err != nil {
		b.Fatal(err)
	}
	s := polledOn(b, OnRouter(router))
	b.ReportAllocs()
	for b.Loop() {
		s.turn(b.Context())
	}
}
