package service

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"sighub/carrier"
	"sighub/carrier/local"
	"sighub/hub"
	"sighub/internal/systemd"
)

// clientName is what the hub's own client is called.
const clientName = "watchdog"

// often is how often the hub is asked whether it is alive, at least, and its status is told.
const often = 10 * time.Second

// A Router is a [hub.Router], as far as it is asked whether it is alive.
type Router interface {
	Request(ctx context.Context, sender, method string, params any) (carrier.Value, error)
}

// A Service tells systemd how the hub is. A nil Service tells nothing.
type Service struct {
	tell     func(lines ...string) error
	interval time.Duration // between two signs of life
	watched  bool          // somebody waits for them
	log      *slog.Logger
	ready    atomic.Bool // systemd was told that the hub serves

	carrier *local.Hub
	client  *hub.ClientRouter
}

// New returns a Service that tells n, or nil if n is nil.
func New(n *systemd.Notifier, log *slog.Logger) *Service {
	if n == nil {
		return nil
	}
	return newService(n.Notify, n.Watchdog(), log)
}

func newService(tell func(...string) error, watchdog time.Duration, log *slog.Logger) *Service {
	s := &Service{tell: tell, interval: often, watched: watchdog > 0, log: log, carrier: local.NewHub(local.Options{Identity: carrier.OwnIdentity})}
	if s.watched {
		s.interval = min(often, watchdog/3) // one may be late, and one may fail
	}
	s.client = hub.NewClientRouter(hub.ClientOptions{RequestTimeout: s.interval})
	return s
}

// Carriers adds the carrier through which the hub is asked whether it is alive to those that the hub serves.
func (s *Service) Carriers(others ...carrier.Carrier) []carrier.Carrier {
	if s == nil {
		return others
	}
	return append(others, s.carrier)
}

// During calls serve, which serves the router with [Service.Carriers] until ctx is done, and tells systemd meanwhile how it is: that
// it serves, once it has answered a request; that it is alive; that it stops. Status is a few plain words on what the hub does.
func (s *Service) During(ctx context.Context, router Router, status func() string, serve func(context.Context) error) error {
	if s == nil {
		return serve(ctx)
	}
	var telling sync.WaitGroup
	defer telling.Wait()
	watching, end := context.WithCancel(ctx)
	defer end()
	telling.Go(func() {
		if err := s.client.Serve(watching, s.carrier.NewPeer(clientName)); err != nil {
			s.log.Error("the hub cannot ask itself whether it is alive", "error", err)
		}
	})
	telling.Go(func() { s.watch(watching, router, status) })
	return serve(ctx)
}

// watch asks the hub again and again whether it is alive, and passes the answer on.
func (s *Service) watch(ctx context.Context, router Router, status func() string) {
	defer s.say(systemd.Stopping, systemd.Status("shutting down"))
	tick := time.NewTicker(s.interval)
	defer tick.Stop()
	for {
		err := s.ask(ctx, router)
		switch {
		case ctx.Err() != nil:
			return
		case err != nil && s.watched:
			s.log.Error("the hub does not answer its own request, and will be started again if that goes on", "error", err)
		case err != nil:
			s.log.Error("the hub does not answer its own request", "error", err)
		default:
			s.say(s.life(status())...)
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// life returns the lines that say that the hub is alive, and the first time that it is ready.
func (s *Service) life(status string) (lines []string) {
	if s.ready.CompareAndSwap(false, true) {
		lines = append(lines, systemd.Ready)
	}
	if s.watched {
		lines = append(lines, systemd.Alive)
	}
	return append(lines, systemd.Status(status))
}

// ask returns nil if the hub has answered a request of a client, and its Router one of the process.
func (s *Service) ask(ctx context.Context, router Router) error {
	ctx, cancel := context.WithTimeout(ctx, s.interval)
	defer cancel()
	if _, err := s.client.Call(ctx, "get_version", nil); err != nil {
		return err
	}
	if _, err := router.Request(ctx, "", clientName, nil); !errors.Is(err, hub.ErrNoSender) { // no sender has this name
		return fmt.Errorf("a request to nobody was answered: %w", err)
	}
	return nil
}

// Reload calls f, which reads the configuration again, and tells when that begins and ends.
func (s *Service) Reload(f func()) {
	if s == nil || !s.ready.Load() {
		f()
		return
	}
	s.say(systemd.Reloading, systemd.Began())
	f()
	s.say(systemd.Ready)
}

// say tells systemd, and logs it if that fails: there is nothing else to do about it.
func (s *Service) say(lines ...string) {
	if err := s.tell(lines...); err != nil {
		s.log.Warn("systemd does not hear how the hub is, and may start it again", "error", err)
	}
}
