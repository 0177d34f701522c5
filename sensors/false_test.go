package sensors

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"math"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// TestFalseReadings: no value that a sensor cannot have measured becomes an event, however it comes about, and the reason
// names the sensor, the value and the range.
func TestFalseReadings(t *testing.T) {
	for _, v := range []float64{-40.01, 85.01, 127.94, -274, math.Inf(1), math.Inf(-1), 1e300} {
		bubble(t, strconv.FormatFloat(v, 'g', -1, 64), func(t *testing.T) {
			s, f := newStory(), newFake()
			var bad atomic.Bool
			f.read = func(values []float64) error {
				if values[0] = 21; bad.Load() {
					values[0] = v
				}
				return nil
			}
			run(t, s, []Source{{Sender: "air", Open: f.named("thermometer 7"), Period: second}}, PollerOptions{}, func() {
				time.Sleep(second / 2)
				s.expect(t, "0 air + [temp] [Cel]", "0 air temp 21 Cel")
				bad.Store(true)
				time.Sleep(3 * second)
				told := s.told()
				if len(told) != 1 || !strings.HasPrefix(told[0], "3 air - failed: thermometer 7: sensors: false reading: temp is ") {
					t.Fatalf("told %q", told)
				}
				if !math.IsInf(v, 0) && !strings.HasSuffix(told[0], ", but can only be -40 to 85 Cel") {
					t.Errorf("told %q", told)
				}
			})
		})
	}
}

// TestFalseAmongOthers: what makes one value false may have made the others false, unless they are measured apart.
func TestFalseAmongOthers(t *testing.T) {
	for _, separate := range []bool{false, true} {
		bubble(t, fmt.Sprint("separate: ", separate), func(t *testing.T) {
			s, f := newStory(), newFake()
			f.measures = []Quantity{{Name: "temp", Min: -40, Max: 85, Separate: separate},
				{Name: "humidity", Max: 100, Separate: separate}}
			n := 0
			f.read = func(values []float64) error {
				values[0], values[1] = 20, 50
				if n++; n > 1 {
					values[1] = 104
				}
				return nil
			}
			var log bytes.Buffer
			p, err := NewPoller(s, []Source{{Sender: "air", Open: f.open, Period: second}},
				PollerOptions{Logger: slog.New(slog.NewTextHandler(&log, nil))})
			if err != nil {
				t.Fatal(err)
			}
			ctx, cancel := context.WithCancel(t.Context())
			done := make(chan error, 1)
			go func() { done <- p.Run(ctx) }()
			time.Sleep(2500 * time.Millisecond) // the second and the third reading have a false humidity
			want := []string{"0 air + [temp humidity] [ ]", "0 air temp 20", "0 air humidity 50"}
			tally := Tally{"air", 1, 2, 0}
			if separate {
				want = append(want, "1 air temp 20", "2 air temp 20")
				tally = Tally{"air", 3, 0, 2}
			}
			s.expect(t, want...)
			if got := p.Tallies(); len(got) != 1 || got[0] != tally {
				t.Errorf("counted %+v, want %+v", got, tally)
			}
			cancel()
			if err := <-done; err != nil {
				t.Error(err)
			}
			if n := strings.Count(log.String(), "humidity is 104, but can only be 0 to 100"); n != 1 {
				t.Errorf("logged %d times:\n%s", n, &log)
			}
		})
	}
}

// TestPartialError: a value that failed is left out alone; if none is left, the reading has failed.
func TestPartialError(t *testing.T) {
	bubble(t, "partial", func(t *testing.T) {
		s, f := newStory(), newFake()
		f.measures = []Quantity{{Name: "a"}, {Name: "b"}, {Name: "c"}}
		var rest atomic.Bool
		f.read = func(values []float64) error {
			values[0], values[1], values[2] = 1, 2, 3
			if rest.Load() {
				return PartialError{nil, errNoAnswer, errNoAnswer}
			}
			return fmt.Errorf("wrapped: %w", PartialError{nil, errNoAnswer})
		}
		sources := []Source{{Sender: "air", Open: f.open, Period: second, Outputs: []Output{{Quantity: "b"}, {Quantity: "c"}}}}
		run(t, s, sources, PollerOptions{}, func() {
			time.Sleep(second / 2)
			s.expect(t, "0 air + [b c] [ ]", "0 air c 3")
			rest.Store(true)
			time.Sleep(3 * second)
			s.expect(t, "3 air - failed: no answer")
		})
	})
}

// TestInfiniteCalibration: a calibration that makes a value infinite makes a failed reading.
func TestInfiniteCalibration(t *testing.T) {
	bubble(t, "calibration", func(t *testing.T) {
		s, f := newStory(), newFake()
		sources := []Source{{Sender: "air", Open: f.open, Outputs: []Output{{Quantity: "temp", Factor: math.MaxFloat64, Offset: math.MaxFloat64}}}}
		run(t, s, sources, PollerOptions{}, func() { time.Sleep(60 * second) })
		s.expect(t)
	})
}

// TestRarely: of a million failures, seven are shown.
func TestRarely(t *testing.T) {
	shown := 0
	for n := range uint64(1_000_000) {
		if rarely(n+1) == slog.LevelWarn {
			shown++
		}
	}
	if shown != 7 {
		t.Errorf("%d are shown", shown)
	}
}

// TestStill: a value with noise that does not change for an hour is told once, and again only after it has changed.
func TestStill(t *testing.T) {
	for _, test := range []struct {
		noisy  bool
		period time.Duration
		span   time.Duration
		want   int
	}{{true, second, 59 * time.Minute, 0}, {true, second, 5 * time.Hour, 1}, {true, time.Minute, 90 * time.Minute, 0},
		{true, time.Minute, 110 * time.Minute, 1}, {false, second, 5 * time.Hour, 0}} {
		bubble(t, fmt.Sprintf("%t, %s", test.noisy, test.span), func(t *testing.T) {
			var log bytes.Buffer
			f := newFake()
			f.measures = []Quantity{{Name: "pressure", Noisy: test.noisy}}
			p := PollerOptions{Logger: slog.New(slog.NewTextHandler(&log, nil))}
			run(t, newStory(), []Source{{Sender: "air", Open: f.open, Period: test.period}}, p, func() { time.Sleep(test.span) })
			if n := strings.Count(log.String(), "has not changed for an hour"); n != test.want {
				t.Errorf("told %d times, want %d", n, test.want)
			}
		})
	}
	var s still
	now := epoch
	told := 0
	for n := range 10_000 { // it changes every two hours
		if s.watch(float64(n/720), now) {
			told++
		}
		now = now.Add(10 * second)
	}
	if told != 14 {
		t.Errorf("told %d times", told)
	}
}

// named returns an open whose sensor has this name.
func (f *fake) named(name string) func(context.Context) (Sensor, error) {
	return func(ctx context.Context) (Sensor, error) {
		s, err := f.open(ctx)
		return namedSensor{s, name}, err
	}
}

type namedSensor struct {
	Sensor
	name string
}

func (s namedSensor) String() string { return s.name }
