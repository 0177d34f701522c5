package sensors

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"math"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

const second = time.Second

// TestPeriod: a sensor connects with its first reading, is read at its times, and disconnects at the end.
func TestPeriod(t *testing.T) {
	bubble(t, "10 s", func(t *testing.T) {
		s, f := newStory(), newFake()
		n := 20.0
		f.read = func(values []float64) error { n += 0.25; values[0] = n; return nil }
		run(t, s, []Source{{Sender: "air", Open: f.open}}, PollerOptions{}, func() {
			time.Sleep(25 * second)
			s.expect(t, "0 air + [temp] [Cel]", "0 air temp 20.25 Cel", "10 air temp 20.5 Cel", "20 air temp 20.75 Cel")
		})
		s.expect(t, "25 air - shutdown")
		if f.opened.Load() != 1 || f.closed.Load() != 1 {
			t.Errorf("opened %d times, closed %d times", f.opened.Load(), f.closed.Load())
		}
	})
}

// TestGoneAndBack: the whole life of a sensor that is unplugged: it is left connected over some failures, then gone, with
// its reason, tried again in longer and longer intervals, and back with its first reading.
func TestGoneAndBack(t *testing.T) {
	bubble(t, "unplugged", func(t *testing.T) {
		s, f := newStory(), newFake()
		var failing atomic.Bool
		f.read = func(values []float64) error {
			if failing.Load() {
				return errNoAnswer
			}
			values[0] = 7
			return nil
		}
		sources := []Source{{Sender: "air", Open: f.open, Period: second,
			Outputs: []Output{{Quantity: "temp", Event: "warmth", Unit: "K", Change: 1}}}}
		run(t, s, sources, PollerOptions{Failures: 3, RetryMin: 2 * second, RetryMax: 5 * second}, func() {
			time.Sleep(second / 2)
			s.expect(t, "0 air + [warmth] [K]", "0 air warmth 7 K")
			failing.Store(true)
			time.Sleep(2 * second) // it fails at 1 and 2 s
			failing.Store(false)
			time.Sleep(second)
			s.expect(t) // and not at 3 s: nothing has happened
			failing.Store(true)
			time.Sleep(3 * second)
			s.expect(t, "6 air - failed: no answer") // 4, 5 and 6 s
			time.Sleep(2 * second)                   // to 8.5 s; tried at 8 s
			failing.Store(false)
			f.refuse(errNoAnswer)
			time.Sleep(4 * second) // tried at 12 s
			s.expect(t)
			if f.opened.Load() != 2 || f.closed.Load() != 2 {
				t.Errorf("opened %d times, closed %d times", f.opened.Load(), f.closed.Load())
			}
			f.refuse(nil)
			time.Sleep(5 * second) // tried at 17 s
			s.expect(t, "17 air + [warmth] [K]", "17 air warmth 7 K")
			failing.Store(true)
			time.Sleep(3 * second)
			s.expect(t, "20 air - failed: no answer")
			failing.Store(false)
			time.Sleep(2 * second)
			s.expect(t, "22 air + [warmth] [K]", "22 air warmth 7 K") // the shortest interval again
		})
		s.expect(t, "22.5 air - shutdown")
	})
}

// TestNeverThere: a sensor that was never there is tried again and again, and has no sender.
func TestNeverThere(t *testing.T) {
	bubble(t, "absent", func(t *testing.T) {
		s, f := newStory(), newFake()
		f.refuse(errNoAnswer)
		run(t, s, []Source{{Sender: "air", Open: f.open}}, PollerOptions{}, func() {
			time.Sleep(2 * 60 * second)
			s.expect(t)
			f.refuse(nil)
			time.Sleep(60 * second)
			if told := s.told(); len(told) < 2 || !strings.HasSuffix(told[0], "air + [temp] [Cel]") {
				t.Errorf("told %q", told)
			}
		})
	})
	bubble(t, "what it does not measure", func(t *testing.T) {
		s, f := newStory(), newFake()
		run(t, s, []Source{{Sender: "air", Open: f.open, Outputs: []Output{{Quantity: "lux"}}}}, PollerOptions{}, func() {
			time.Sleep(10 * second)
			s.expect(t)
			if f.opened.Load() < 2 || f.closed.Load() != f.opened.Load() {
				t.Errorf("opened %d times, closed %d times", f.opened.Load(), f.closed.Load())
			}
		})
	})
}

// TestHang: a bus that hangs takes its own sensors with it and no others, and they are back when it goes on.
func TestHang(t *testing.T) {
	bubble(t, "hang", func(t *testing.T) {
		s := newStory()
		hung, fine, other := newFake(), newFake(), newFake()
		var hang atomic.Bool
		release := make(chan struct{})
		hung.read = func(values []float64) error {
			if hang.Load() {
				<-release // as an ioctl that does not return, whatever its context says
			}
			values[0] = 1
			return nil
		}
		sources := []Source{
			{Sender: "hung", Bus: "i2c-1", Open: hung.open, Period: second},
			{Sender: "fine", Bus: "i2c-1", Open: fine.open, Period: 10 * second,
				Outputs: []Output{{Quantity: "temp", Change: 5}}}, // its first value is reported anyway, each time
			{Sender: "other", Bus: "i2c-2", Open: other.open, Period: 10 * second},
		}
		run(t, s, sources, PollerOptions{Hang: 5 * second, RetryMin: second}, func() {
			time.Sleep(second / 2)
			synctest.Wait()
			if told := s.told(); len(told) != 6 {
				t.Errorf("told %q", told)
			}
			hang.Store(true)
			time.Sleep(25 * second)
			s.expect(t, "6 hung - timeout", "6 fine - timeout", "10 other temp 1 Cel", "20 other temp 1 Cel")
			hang.Store(false)
			close(release) // at 25.5 s
			time.Sleep(2 * second)
			s.expect(t, "25.5 fine + [temp] [Cel]", "25.5 fine temp 1 Cel", "26.5 hung + [temp] [Cel]", "26.5 hung temp 1 Cel",
				"27.5 hung temp 1 Cel")
		})
	})
	bubble(t, "while it opens", func(t *testing.T) {
		s, f := newStory(), newFake()
		open := func(ctx context.Context) (Sensor, error) {
			if f.opened.Load() == 0 {
				time.Sleep(20 * second)
			}
			return f.open(ctx)
		}
		run(t, s, []Source{{Sender: "air", Open: open}}, PollerOptions{Hang: 5 * second}, func() {
			time.Sleep(25 * second)
			s.expect(t, "21 air + [temp] [Cel]", "21 air temp 1 Cel") // what hung is closed, and opened once more
		})
	})
	bubble(t, "at the end", func(t *testing.T) {
		s, f := newStory(), newFake()
		release := make(chan struct{})
		f.read = func([]float64) error { <-release; return errNoAnswer }
		sources := []Source{{Sender: "one", Bus: "i2c-1", Open: f.open}, {Sender: "two", Open: newFake().open}}
		p, err := NewPoller(s, sources, PollerOptions{Hang: 5 * second})
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() { done <- p.Run(ctx) }()
		time.Sleep(second)
		cancel()
		if err := <-done; err == nil || !strings.Contains(err.Error(), "bus i2c-1") || strings.Contains(err.Error(), "two") {
			t.Errorf("the error is %v", err)
		}
		close(release)
	})
}

// TestBuses: sensors on the same bus never overlap, those on different ones do, and no sensor waits for another bus.
func TestBuses(t *testing.T) {
	bubble(t, "six sensors", func(t *testing.T) {
		s := newStory()
		var sources []Source
		var overlaps [2]bool
		for bus := range 2 {
			busy := new(sync.Mutex)
			for n := range 3 {
				f := newFake()
				f.takes, f.busy, f.overlap = 300*time.Millisecond, busy, &overlaps[bus]
				sources = append(sources, Source{Sender: string(rune('a'+bus)) + string(rune('0'+n)), Bus: string(rune('a' + bus)),
					Open: f.open, Period: second})
			}
		}
		run(t, s, sources, PollerOptions{}, func() {
			time.Sleep(9999 * time.Millisecond)
			synctest.Wait()
			if told := s.told(); len(told) != 6+6*10 { // 3 times 0.3 s for each bus: at the same time, all in time
				t.Errorf("told %d things: %q", len(told), told)
			}
		})
		if overlaps != [2]bool{} {
			t.Error("two sensors on one bus were read at the same time")
		}
	})
}

// TestTooSlow: a bus that cannot keep up leaves readings out, evenly, and does not run after them.
func TestTooSlow(t *testing.T) {
	bubble(t, "slow", func(t *testing.T) {
		s, f := newStory(), newFake()
		f.takes = 2500 * time.Millisecond
		run(t, s, []Source{{Sender: "air", Open: f.open, Period: second}}, PollerOptions{}, func() {
			time.Sleep(9 * second)
			s.expect(t, "2.5 air + [temp] [Cel]", "2.5 air temp 1 Cel", "5.5 air temp 1 Cel", "8.5 air temp 1 Cel")
		})
	})
}

// TestJitter: readings are put off within bounds, differently, and that does not add up.
func TestJitter(t *testing.T) {
	bubble(t, "jitter", func(t *testing.T) {
		s, f := newStory(), newFake()
		start := time.Now()
		late := make(map[time.Duration]bool)
		n := 0
		f.read = func(values []float64) error {
			off := time.Since(start) - time.Duration(n)*10*second
			if off < 0 || off >= 4*second {
				t.Errorf("reading %d is %s late", n, off)
			}
			late[off] = true
			n++
			return nil
		}
		run(t, s, []Source{{Sender: "air", Open: f.open, Jitter: 4 * second}}, PollerOptions{}, func() { time.Sleep(1000 * second) })
		if n != 100 || len(late) < 50 {
			t.Errorf("%d readings, %d different", n, len(late))
		}
	})
	bubble(t, "as long as the period", func(t *testing.T) {
		s, f := newStory(), newFake()
		n := 0
		f.read = func(values []float64) error { n++; return nil }
		run(t, s, []Source{{Sender: "air", Open: f.open, Jitter: time.Hour}}, PollerOptions{}, func() { time.Sleep(1000 * second) })
		if n < 99 || n > 101 {
			t.Errorf("%d readings in 100 periods", n)
		}
	})
}

// TestRefused: a hub that does not take a sender, because another has its name, is asked again with each reading.
func TestRefused(t *testing.T) {
	bubble(t, "refused", func(t *testing.T) {
		s, f := newStory(), newFake()
		s.refuse = errors.New("taken")
		run(t, s, []Source{{Sender: "air", Open: f.open}}, PollerOptions{}, func() {
			time.Sleep(15 * second)
			s.expect(t)
			s.mu.Lock()
			s.refuse = nil
			s.mu.Unlock()
			time.Sleep(10 * second)
			s.expect(t, "20 air + [temp] [Cel]", "20 air temp 1 Cel")
			s.mu.Lock()
			s.deaf = errors.New("too busy") // what a hub does not take is lost, and no reason to do anything
			s.mu.Unlock()
			time.Sleep(10 * second)
			s.expect(t)
			s.mu.Lock()
			s.deaf = nil
			s.mu.Unlock()
			time.Sleep(10 * second)
			s.expect(t, "40 air temp 1 Cel")
		})
		if f.opened.Load() != 1 {
			t.Errorf("opened %d times", f.opened.Load())
		}
	})
}

// TestNothingMeasured: a value that is none is not reported, and no failure.
func TestNothingMeasured(t *testing.T) {
	bubble(t, "NaN", func(t *testing.T) {
		s, f := newStory(), newFake()
		f.measures = append(warmth[:1:1], Quantity{Name: "humidity", Unit: Humidity})
		f.read = func(values []float64) error { values[0], values[1] = math.NaN(), 55.123456; return nil }
		run(t, s, []Source{{Sender: "air", Open: f.open}}, PollerOptions{}, func() {
			time.Sleep(second)
			s.expect(t, "0 air + [temp humidity] [Cel %RH]", "0 air humidity 55.123456 %RH")
		})
	})
}

// TestMistakes: sources that make no sense are refused, with which one and why.
func TestMistakes(t *testing.T) {
	open := newFake().open
	for says, sources := range map[string][]Source{
		`two sensors are called "a"`:          {{Sender: "a", Open: open}, {Sender: "a", Open: open}},
		"must have a name":                    {{Open: open}},
		"it must have an Open function":       {{Sender: "a"}},
		"negative":                            {{Sender: "a", Open: open, Period: -1}},
		"the period must not be 1µs":          {{Sender: "a", Open: open, Period: time.Microsecond}},
		"the jitter must not be negative":     {{Sender: "a", Open: open, Jitter: -1}},
		"samples must be 1 to 1000, not -1":   {{Sender: "a", Open: open, Samples: -1}},
		"samples must be 1 to 1000, not 1001": {{Sender: "a", Open: open, Samples: 1001}},
		`two quantities are called "t"`: {{Sender: "a", Open: open,
			Outputs: []Output{{Quantity: "x", Event: "t"}, {Quantity: "t"}}}},
		`event "#connect" is reserved for the hub`: {{Sender: "a", Open: open, Outputs: []Output{{Quantity: "x", Event: "#connect"}}}},
		"the change and ":                          {{Sender: "a", Open: open, Outputs: []Output{{Quantity: "x", Change: -1}}}},
		"the intervals must not be negative":       {{Sender: "a", Open: open, Outputs: []Output{{Quantity: "x", MaxInterval: -1}}}},
		"shorter than the minimum":                 {{Sender: "a", Open: open, Outputs: []Output{{Quantity: "x", MinInterval: 2, MaxInterval: 1}}}},
	} {
		if _, err := NewPoller(newStory(), sources, PollerOptions{}); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("the error is %v, want %q in it", err, says)
		}
	}
}

// TestNoSensors: a poller without sensors runs until it is told to end.
func TestNoSensors(t *testing.T) {
	bubble(t, "none", func(t *testing.T) {
		s := newStory()
		run(t, s, nil, PollerOptions{}, func() { time.Sleep(second) })
		s.expect(t)
	})
}

// TestSlow: a bus that is too slow for its sensors is told of, once; one that only takes its time to open is not.
func TestSlow(t *testing.T) {
	for _, test := range []struct {
		name           string
		opening, takes time.Duration
		warnings       int
	}{{"opening", 3 * second, 0, 0}, {"reading", 0, 3 * second, 1}} {
		bubble(t, test.name, func(t *testing.T) {
			var log bytes.Buffer
			f := newFake()
			f.takes = test.takes
			open := func(ctx context.Context) (Sensor, error) {
				time.Sleep(test.opening)
				return f.open(ctx)
			}
			o := PollerOptions{Logger: slog.New(slog.NewTextHandler(&log, nil))}
			run(t, newStory(), []Source{{Sender: "air", Open: open, Period: second}}, o, func() { time.Sleep(20 * second) })
			if n := strings.Count(log.String(), "readings are left out"); n != test.warnings {
				t.Errorf("told %d times:\n%s", n, &log)
			}
		})
	}
}
