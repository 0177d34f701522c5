package gateway

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"sync"
	"time"

	"sighub/hub"
	"sighub/internal/config"
	"sighub/sensors"
	"sighub/sensors/kernel"
)

// lookAgain is how often auto looks for sensors of the kernel that have come since. It takes some milliseconds.
const lookAgain = 30 * time.Second

// A later makes the kernel's sensors senders that come after the start: a disk that is plugged in, a module that is loaded. Those that go
// and come back are the matter of the poller that has them.
type later struct {
	config *config.Sensing
	kernel kernel.Options
	known  []kernel.Found // that are polled, or that the configuration or a name leaves out
	router *hub.Router
	log    *slog.Logger
}

// run looks for sensors, and reads those that are new, until ctx is done.
func (l *later) run(ctx context.Context) error {
	var all sync.WaitGroup
	var mu sync.Mutex
	var failed error
	tick := time.NewTicker(lookAgain)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			all.Wait()
			return failed
		case <-tick.C:
		}
		list := l.arrived()
		if len(list) == 0 {
			continue
		}
		poller, err := sensors.NewPoller(sensors.OnRouter(l.router), list, sensors.PollerOptions{Logger: l.log})
		if err != nil {
			l.log.Error("sensors of the kernel that have come cannot be read", "error", err)
			continue
		}
		all.Go(func() {
			err := poller.Run(ctx)
			mu.Lock()
			defer mu.Unlock()
			failed = errors.Join(failed, err)
		})
	}
}

// arrived returns the sensors to read that have come since the last look.
func (l *later) arrived() []sensors.Source {
	found := kernel.Scan(l.kernel)
	var unpolled []kernel.Found
	for i := range found {
		if !slices.ContainsFunc(l.known, func(k kernel.Found) bool { return k.Same(&found[i]) }) {
			unpolled = append(unpolled, found[i])
		}
	}
	l.known = append(l.known, unpolled...)
	list := autoSources(l.config, found, unpolled, l.log)
	for _, s := range list {
		l.log.Info("a sensor of the kernel has come", "sender", s.Sender)
	}
	return list
}
