package pins_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"
	"periph.io/x/conn/v3/gpio"
	"periph.io/x/conn/v3/gpio/gpiotest"

	"sighub/hub"
	"sighub/sensors/pins"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func newPin(level gpio.Level) *gpiotest.Pin {
	return &gpiotest.Pin{N: "GPIO17", Num: 17, L: level, EdgesChan: make(chan gpio.Level)}
}

// A session is a Watcher that runs, in virtual time.
type session struct {
	t      *testing.T
	start  time.Time
	router *hub.Router
	log    bytes.Buffer
	stop   func()

	mu    sync.Mutex
	heard []string
}

func watch(t *testing.T, p pins.Pin) *session {
	t.Helper()
	s := &session{t: t, start: time.Now(), router: hub.NewRouter(hub.Options{})}
	if _, err := s.router.AddListener(p.Sender, "", s.hear); err != nil {
		t.Fatal(err)
	}
	w, err := pins.NewWatcher(s.router, []pins.Pin{p}, pins.Options{Logger: slog.New(slog.NewTextHandler(&s.log, nil))})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() { defer close(done); w.Run(ctx) }()
	s.stop = func() { cancel(); <-done }
	synctest.Wait()
	return s
}

func (s *session) hear(ev hub.Event) {
	text := ev.Data.String()
	if ev.Name == hub.Connect || ev.Name == hub.Disconnect {
		var c hub.Connection
		if err := ev.Data.Decode(&c); err != nil {
			s.t.Error(err)
		}
		text = c.Reason
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.heard = append(s.heard, strings.TrimSpace(fmt.Sprintf("%s %s %s", ev.Time.Sub(s.start), ev.Name, text)))
}

// told compares what was heard since it was asked last.
func (s *session) told(want ...string) {
	s.t.Helper()
	synctest.Wait()
	s.mu.Lock()
	defer s.mu.Unlock()
	if !slices.Equal(s.heard, want) {
		s.t.Errorf("heard %q, want %q", s.heard, want)
	}
	s.heard = nil
}

func open(p gpio.PinIn) func() (gpio.PinIn, error) {
	return func() (gpio.PinIn, error) { return p, nil }
}

// edge gives the pin a level at a time after the start.
func (s *session) edge(p *gpiotest.Pin, at time.Duration, l gpio.Level) {
	time.Sleep(at - time.Since(s.start))
	p.EdgesChan <- l
}

func ms(n int) time.Duration { return time.Duration(n) * time.Millisecond }

func in(t *testing.T, name string, f func(t *testing.T)) {
	t.Helper()
	t.Run(name, func(t *testing.T) { synctest.Test(t, f) })
}

// TestDebounce: a door that bounces is one event, at its first edge; a glitch is none.
func TestDebounce(t *testing.T) {
	in(t, "door", func(t *testing.T) {
		p := newPin(gpio.High)
		s := watch(t, pins.Pin{Sender: "door", Event: "open", Open: open(p), Pull: gpio.PullUp})
		s.told("0s #connect", "0s open true")
		for i, l := range []gpio.Level{gpio.Low, gpio.High, gpio.Low, gpio.High, gpio.Low} {
			s.edge(p, ms(1000+11*i), l)
		}
		time.Sleep(time.Second)
		s.told("1s open false")
		s.edge(p, ms(3000), gpio.High)
		s.edge(p, ms(3012), gpio.Low)
		time.Sleep(time.Second)
		s.told()
		s.edge(p, ms(5000), gpio.High)
		time.Sleep(time.Second)
		s.told("5s open true")
		s.stop()
		s.told("6.02s #disconnect shutdown")
		if p.P != gpio.PullUp {
			t.Errorf("its resistor is %s", p.P)
		}
	})
}

// TestActiveLow: a button to ground says true when it is pressed; a change without an edge is seen a moment later.
func TestActiveLow(t *testing.T) {
	in(t, "button", func(t *testing.T) {
		p := newPin(gpio.High)
		s := watch(t, pins.Pin{Sender: "bell", Event: "#ring", Open: open(p), Pull: gpio.PullUp, ActiveLow: true,
			Debounce: ms(50)})
		s.told("0s #connect", "0s #ring false")
		time.Sleep(ms(450))
		_ = p.Out(gpio.Low)
		time.Sleep(time.Second)
		s.told("600ms #ring true")
		s.stop()
		s.told("1.65s #disconnect shutdown")
	})
}

// TestRestless: a pin that never comes to rest is reported too, and does not keep Run from ending.
func TestRestless(t *testing.T) {
	in(t, "comparator", func(t *testing.T) {
		p := newPin(gpio.Low)
		s := watch(t, pins.Pin{Sender: "night", Event: "dark", Open: open(p), Debounce: ms(10)})
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan struct{})
		go func() {
			defer close(done)
			for l := gpio.High; ctx.Err() == nil; l = !l {
				select {
				case p.EdgesChan <- l:
				case <-ctx.Done():
				}
				time.Sleep(ms(7))
			}
		}()
		time.Sleep(10 * time.Second)
		synctest.Wait()
		s.mu.Lock()
		if n := len(s.heard); n < 5 || n > 50 {
			t.Errorf("%d events: %q", n, s.heard)
		}
		s.mu.Unlock()
		s.stop()
		cancel()
		<-done
	})
}

// A broken is a pin that fails in some way.
type broken struct {
	*gpiotest.Pin
	refuse atomic.Bool
	deaf   atomic.Bool
}

func (b *broken) In(pull gpio.Pull, edge gpio.Edge) error {
	if b.refuse.Load() {
		return errors.New("line is busy")
	}
	return b.Pin.In(pull, edge)
}

func (b *broken) WaitForEdge(d time.Duration) bool { return !b.deaf.Load() && b.Pin.WaitForEdge(d) }

// TestRetry: what cannot be used is tried again, and told once.
func TestRetry(t *testing.T) {
	in(t, "refused", func(t *testing.T) {
		p := &broken{Pin: newPin(gpio.Low)}
		p.refuse.Store(true)
		var absent atomic.Bool
		absent.Store(true)
		s := watch(t, pins.Pin{Sender: "door", Event: "open", Open: func() (gpio.PinIn, error) {
			if absent.Load() {
				return nil, errors.New("no such pin")
			}
			return p, nil
		}})
		time.Sleep(ms(2900)) // tried after 0 and 1 s
		absent.Store(false)
		time.Sleep(ms(1000)) // after 3 s
		p.refuse.Store(false)
		time.Sleep(ms(3500)) // after 7 s
		s.told("7s #connect", "7s open false")
		p.deaf.Store(true)
		time.Sleep(ms(1500)) // it is waited for until 7.6 s, and found out; and at once after 8.6 s
		s.told("7.6s #disconnect failed: the pin cannot wait for edges any more", "8.6s #connect", "8.6s open false",
			"8.6s #disconnect failed: the pin cannot wait for edges any more")
		s.stop()
		if n := strings.Count(s.log.String(), "WARN"); n != 3 {
			t.Errorf("%d warnings:\n%s", n, &s.log)
		}
	})
}

func TestRefused(t *testing.T) {
	good := pins.Pin{Sender: "door", Event: "open", Open: open(newPin(gpio.Low))}
	for want, change := range map[string]func(*pins.Pin){
		"a sender and an event":               func(p *pins.Pin) { p.Event = "" },
		"reserved for the hub":                func(p *pins.Pin) { p.Event = hub.Connect },
		"debounce must be at most 1s, not 2s": func(p *pins.Pin) { p.Debounce = 2 * time.Second },
		"it must have an Open function":       func(p *pins.Pin) { p.Open = nil },
		"another pin":                         func(p *pins.Pin) { p.Event = "shut" },
	} {
		bad := good
		bad.Sender = "gate"
		change(&bad)
		if want == "another pin" {
			bad.Sender = good.Sender
		}
		if _, err := pins.NewWatcher(hub.NewRouter(hub.Options{}), []pins.Pin{good, bad}, pins.Options{}); err == nil ||
			!strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", want, err)
		}
	}
}
