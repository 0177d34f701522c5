package sensors

import (
	"context"
	"errors"
	"fmt"
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
