package sensors

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"sighub/hub"
)

// TestOnRouter: on a hub, a sensor is a sender like any other: its units are in #connect, its readings are bare numbers
// with their time, #disconnect has the reason.
func TestOnRouter(t *testing.T) {
	bubble(t, "hub", func(t *testing.T) {
		router := hub.NewServerRouter(hub.ServerOptions{})
		start := time.Now()
		var heard []string
		if _, err := router.AddListener("air", "", func(ev hub.Event) {
			var c hub.Connection
			var n float64
			text := fmt.Sprintf("%s %s", ev.Time.Sub(start), ev.Name)
			switch ev.Name {
			case hub.Connect, hub.Disconnect:
				if err := ev.Data.Decode(&c); err != nil {
					t.Error(err)
				}
				text += fmt.Sprint(" ", c.Units, c.Reason)
			default:
				if err := ev.Data.Decode(&n); err != nil {
					t.Error(err)
				}
				text += fmt.Sprintf(" %s=%v give or take %s", ev.Data, n, ev.Uncertainty)
			}
			heard = append(heard, text)
		}); err != nil {
			t.Fatal(err)
		}
		f := newFake()
		f.measures = append(warmth[:1:1], Quantity{Name: "lux", Unit: Lux, Age: 100 * time.Millisecond})
		f.takes = 20 * time.Millisecond
		var failing atomic.Bool
		f.read = func(values []float64) error {
			values[0], values[1] = 21.5, 54
			if failing.Load() {
				return errors.New("i2c: no acknowledgement")
			}
			return nil
		}
		p, err := NewPoller(OnRouter(router.Router), []Source{{Sender: "air", Open: f.open, Period: second}}, PollerOptions{Failures: 1})
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() { done <- p.Run(ctx) }()
		time.Sleep(second / 2)
		failing.Store(true)
		time.Sleep(second)
		failing.Store(false)
		time.Sleep(second)
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
		synctest.Wait()
		want := []string{
			"20ms #connect map[lux:lx temp:Cel]",
			"10ms temp 21.5=21.5 give or take 10ms", "-40ms lux 54=54 give or take 60ms",
			"1.02s #disconnect map[lux:lx temp:Cel]failed: i2c: no acknowledgement",
			"2.04s #connect map[lux:lx temp:Cel]",
			"2.03s temp 21.5=21.5 give or take 10ms", "1.98s lux 54=54 give or take 60ms",
			"2.5s #disconnect map[lux:lx temp:Cel]shutdown",
		}
		if fmt.Sprintf("%q", heard) != fmt.Sprintf("%q", want) {
			t.Errorf("heard\n%q\nwant\n%q", heard, want)
		}
		if _, err := OnRouter(router.Router).Connect(t.Context(), "", []string{"temp"}, []string{Celsius}); !errors.Is(err, hub.ErrName) {
			t.Errorf("a sender without a name: %v", err)
		}
		if _, err := OnRouter(router.Router).Connect(t.Context(), "air", []string{hub.Connect}, []string{""}); !errors.Is(err, hub.ErrNoEvent) {
			t.Errorf("an event of the hub's own: %v", err)
		}
	})
}

// TestLosses: listeners are told of readings that failed while the sensor was connected: when there is a value again, and of a
// value that is missing on its own the first, the tenth time and so on.
func TestLosses(t *testing.T) {
	bubble(t, "losses", func(t *testing.T) {
		router := hub.NewRouter(hub.Options{})
		var mu sync.Mutex
		var told []string
		start := time.Now()
		if _, err := router.AddListener("air", hub.Gap, func(ev hub.Event) {
			var l Loss
			if err := ev.Data.Decode(&l); err != nil {
				t.Error(err)
			}
			mu.Lock()
			defer mu.Unlock()
			told = append(told, fmt.Sprintf("%g: %d %s %g to %g %s", time.Since(start).Seconds(), l.Count, l.Event,
				l.First.Sub(start).Seconds(), l.Last.Sub(start).Seconds(), l.Cause))
		}); err != nil {
			t.Fatal(err)
		}
		f := newFake()
		f.measures = []Quantity{{Name: "a", Max: 10, Separate: true}, {Name: "b"}}
		n := -1
		f.read = func(values []float64) error {
			n++
			values[0], values[1] = 5, 5
			switch {
			case n == 2 || n == 3:
				return errNoAnswer
			case n >= 10 && n < 25:
				values[0] = 11
			}
			return nil
		}
		p, err := NewPoller(OnRouter(router), []Source{{Sender: "air", Open: f.open, Period: second}}, PollerOptions{})
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() { done <- p.Run(ctx) }()
		time.Sleep(30500 * time.Millisecond)
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
		want := []string{"4: 2 a 2 to 3 failed", "4: 2 b 2 to 3 failed", "10: 1 a 10 to 10 failed", "19: 9 a 11 to 19 failed",
			"25: 5 a 20 to 24 failed"}
		if fmt.Sprint(told) != fmt.Sprint(want) {
			t.Errorf("told\n%q, want\n%q", told, want)
		}
	})
}
