package service

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"sighub/carrier"
	"sighub/hub"
	"sighub/hub/verb"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// A manager hears what systemd would.
type manager struct {
	mu    sync.Mutex
	heard []string // by message: its lines, with spaces between them
	lives int
	fails error
}

func (m *manager) tell(lines ...string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	for i, line := range lines {
		if strings.HasPrefix(line, "MONOTONIC_USEC=") {
			lines[i] = "MONOTONIC_USEC"
		}
		if line == "WATCHDOG=1" {
			m.lives++
		}
	}
	m.heard = append(m.heard, strings.Join(lines, " "))
	return m.fails
}

func (m *manager) all() []string {
	m.mu.Lock()
	defer m.mu.Unlock()
	return slices.Clone(m.heard)
}

// signs returns how often the hub was said to be alive since the last call.
func (m *manager) signs() (n int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	n, m.lives = m.lives, 0
	return n
}

func serves() string { return "devices: 2" }

// run serves a router, with a Service, until stop is called.
func run(t *testing.T, m *manager, watchdog time.Duration, serve func(ctx context.Context, r *hub.ServerRouter, s *Service) error) (s *Service, stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	router := hub.NewServerRouter(hub.ServerOptions{})
	s = newService(m.tell, watchdog, slog.New(slog.DiscardHandler))
	var running sync.WaitGroup
	running.Go(func() {
		err := s.During(ctx, router.Router, serves, func(ctx context.Context) error { return serve(ctx, router, s) })
		if err != nil {
			t.Error(err)
		}
	})
	return s, func() { cancel(); running.Wait() }
}

func serve(ctx context.Context, r *hub.ServerRouter, s *Service) error {
	return r.Serve(ctx, s.Carriers()...)
}

func TestLife(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := new(manager)
		s, stop := run(t, m, 30*time.Second, serve)
		time.Sleep(time.Second)
		s.Reload(func() { _ = m.tell("reads") })
		time.Sleep(10 * time.Second)
		stop()
		want := []string{
			"READY=1 WATCHDOG=1 STATUS=devices: 2", "RELOADING=1 MONOTONIC_USEC", "reads", "READY=1",
			"WATCHDOG=1 STATUS=devices: 2", "STOPPING=1 STATUS=shutting down",
		}
		if heard := m.all(); !slices.Equal(heard, want) {
			t.Errorf("%q, want %q", heard, want)
		}
	})
}

// nobodyMay denies everything to everybody.
type nobodyMay struct{}

func (nobodyMay) May(string, verb.Verb, string, string) (bool, string) { return false, "" }
func (nobodyMay) Class(string) uint16                                  { return 0 }
func (nobodyMay) Hears(string, string) []uint64                        { return nil }
func (nobodyMay) Known(string) bool                                    { return false }

// TestUnderPolicy: no policy keeps the hub from asking itself whether it is alive.
func TestUnderPolicy(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := new(manager)
		_, stop := run(t, m, 30*time.Second, func(ctx context.Context, r *hub.ServerRouter, s *Service) error {
			r.SetPolicy(nobodyMay{})
			return serve(ctx, r, s)
		})
		time.Sleep(time.Minute)
		if m.signs() < 2 {
			t.Errorf("it is not alive: %q", m.all())
		}
		stop()
	})
}

func TestPace(t *testing.T) {
	for _, test := range []struct{ watchdog, every time.Duration }{
		{3 * time.Second, time.Second}, {30 * time.Second, 10 * time.Second}, {time.Hour, 10 * time.Second},
	} {
		synctest.Test(t, func(t *testing.T) {
			m := new(manager)
			_, stop := run(t, m, test.watchdog, serve)
			time.Sleep(time.Minute - time.Millisecond)
			if n := m.signs(); n != int(time.Minute/test.every) {
				t.Errorf("watchdog %v: %d signs of life a minute", test.watchdog, n)
			}
			stop()
		})
	}
}

// TestWithoutWatchdog: who does not watch still hears when the hub is ready, and how it is.
func TestWithoutWatchdog(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := new(manager)
		_, stop := run(t, m, 0, serve)
		time.Sleep(15 * time.Second)
		stop()
		if want := []string{"READY=1 STATUS=devices: 2", "STATUS=devices: 2", "STOPPING=1 STATUS=shutting down"}; !slices.Equal(m.all(), want) {
			t.Errorf("%q", m.all())
		}
	})
}

// TestNotServed: a hub that runs and does not serve its clients is neither ready nor alive, and a reload does not change that.
func TestNotServed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := new(manager)
		begin := make(chan struct{})
		s, stop := run(t, m, 30*time.Second, func(ctx context.Context, r *hub.ServerRouter, s *Service) error {
			<-begin
			return serve(ctx, r, s)
		})
		time.Sleep(time.Minute)
		reloaded := false
		s.Reload(func() { reloaded = true })
		if heard := m.all(); len(heard) > 0 || !reloaded {
			t.Errorf("%q", heard)
		}
		close(begin)
		time.Sleep(time.Minute)
		if heard := m.all(); len(heard) < 4 || !strings.HasPrefix(heard[0], "READY=1") {
			t.Errorf("%q", heard)
		}
		stop()
	})
}

// A stuck carrier calls the hub's handler no more once it is stuck, as one whose client's queue stands still.
type stuck struct {
	carrier.Carrier
	handler *stuckHandler
}

type stuckHandler struct {
	carrier.Handler
	mu     sync.Mutex
	holds  bool
	waited []func()
}

func (c *stuck) Serve(ctx context.Context, h carrier.Handler) error {
	c.handler.Handler = h
	return c.Carrier.Serve(ctx, c.handler)
}

func (h *stuckHandler) HandleMessage(id carrier.ClientID, m *carrier.Message, respond func(carrier.Reply)) {
	h.mu.Lock()
	defer h.mu.Unlock()
	pass := func() { h.Handler.HandleMessage(id, m, respond) }
	if h.holds {
		h.waited = append(h.waited, pass)
		return
	}
	pass()
}

func (h *stuckHandler) hold(holds bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.holds = holds
	for _, pass := range h.waited {
		pass()
	}
	h.waited = nil
}

// TestClientsNotAnswered: while the hub answers no client, it is not alive; if it does so again, it is.
func TestClientsNotAnswered(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := new(manager)
		h := new(stuckHandler)
		_, stop := run(t, m, 30*time.Second, func(ctx context.Context, r *hub.ServerRouter, s *Service) error {
			return r.Serve(ctx, &stuck{s.Carriers()[0], h})
		})
		time.Sleep(time.Minute + time.Second)
		if m.signs() < 5 {
			t.Error("not alive")
		}
		h.hold(true)
		time.Sleep(time.Minute)
		if n := m.signs(); n > 0 {
			t.Errorf("%d signs of life of a hub that answers nobody", n)
		}
		h.hold(false)
		time.Sleep(time.Minute)
		if m.signs() < 4 {
			t.Error("not alive again")
		}
		stop()
	})
}

// A hangingRouter answers while its lock is free: a channel that has room for one.
type hangingRouter struct {
	*hub.Router
	lock chan struct{}
}

func (r *hangingRouter) Request(ctx context.Context, sender, method string, params any) (carrier.Value, error) {
	r.lock <- struct{}{}
	defer func() { <-r.lock }()
	return r.Router.Request(ctx, sender, method, params)
}

// TestRouterHangs: a Router that hangs is not alive, although clients are still answered what needs no lock.
func TestRouterHangs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := new(manager)
		router := hub.NewServerRouter(hub.ServerOptions{})
		hanging := &hangingRouter{router.Router, make(chan struct{}, 1)}
		s := newService(m.tell, 30*time.Second, slog.New(slog.DiscardHandler))
		ctx, cancel := context.WithCancel(t.Context())
		var running sync.WaitGroup
		running.Go(func() {
			err := s.During(ctx, hanging, serves, func(ctx context.Context) error { return router.Serve(ctx, s.Carriers()...) })
			if err != nil {
				t.Error(err)
			}
		})
		time.Sleep(time.Minute + time.Second)
		if m.signs() < 5 {
			t.Error("not alive")
		}
		hanging.lock <- struct{}{}
		time.Sleep(time.Minute)
		if n := m.signs(); n > 0 {
			t.Errorf("%d signs of life of a Router that hangs", n)
		}
		<-hanging.lock
		cancel()
		running.Wait()
	})
}

func TestFailure(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := &manager{fails: errors.New("nobody hears")}
		s := newService(m.tell, time.Minute, slog.New(slog.DiscardHandler))
		router := hub.NewServerRouter(hub.ServerOptions{})
		failed := errors.New("failed")
		err := s.During(t.Context(), router.Router, serves, func(context.Context) error { return failed })
		if !errors.Is(err, failed) {
			t.Error(err)
		}
		if heard := m.all(); !slices.Equal(heard, []string{"STOPPING=1 STATUS=shutting down"}) {
			t.Errorf("%q", heard)
		}
	})
}

func TestNobody(t *testing.T) {
	s := New(nil, nil)
	if list := s.Carriers(nil); len(list) != 1 {
		t.Error(list)
	}
	reloaded := false
	s.Reload(func() { reloaded = true })
	if err := s.During(t.Context(), nil, nil, func(context.Context) error { return nil }); err != nil || !reloaded {
		t.Error(err, reloaded)
	}
}
