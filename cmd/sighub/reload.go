package main

import (
	"context"
	"log/slog"
	"os"
	"os/signal"
	"slices"
	"strings"
	"sync"
	"syscall"

	"sighub/internal/config"
	"sighub/internal/guard"
	"sighub/internal/loglimit"
	"sighub/internal/service"
)

// A reloader reads the configuration again on SIGHUP, and applies what can be changed while the hub runs: the level of the log, and the
// rules of who may do what. It tells what else has changed, and never ends the hub.
type reloader struct {
	command *runCommand
	guard   *guard.Guard
	told    *service.Service
	log     *loglimit.Log
	begun   *config.Config // what the hub began with, which is in use until the next start
	level   string         // the level of the log in use
}

// catchHangups makes SIGHUP arrive at a channel instead of ending the process, until stop is called.
func catchHangups() (hangups <-chan os.Signal, stop func()) {
	c := make(chan os.Signal, 1) // several at once are as good as one
	signal.Notify(c, syscall.SIGHUP)
	return c, func() { signal.Stop(c) }
}

// during reloads at each hangup while f runs.
func (r *reloader) during(ctx context.Context, hangups <-chan os.Signal, f func(context.Context) error) error {
	watching, end := context.WithCancel(ctx)
	var watch sync.WaitGroup
	defer watch.Wait()
	defer end()
	watch.Go(func() {
		for {
			select {
			case <-hangups:
				r.told.Reload(func() { r.reload(watching) })
			case <-watching.Done():
				return
			}
		}
	})
	return f(ctx)
}

// maxToldMistakes is how many mistakes in a file are logged.
const maxToldMistakes = 10

func (r *reloader) reload(ctx context.Context) {
	r.guard.Reload("SIGHUP")
	if r.command.Config == "" || r.command.Config == config.Stdin {
		r.log.Info("SIGHUP: there is no configuration file to read again")
		return
	}
	now, err := r.command.config(ctx, nil)
	if err != nil {
		list := parts(err)
		for _, mistake := range list[:min(len(list), maxToldMistakes)] {
			r.log.Error("SIGHUP: the configuration cannot be used, and the hub goes on with the one it has", "error", mistake, "mistakes", len(list))
		}
		return
	}
	changes := r.begun.Changes(now)
	changes = slices.DeleteFunc(changes, func(key string) bool { return key == "log.level" })
	if now.Log.Level != r.level {
		r.level = now.Log.Level
		r.changeLevel(ctx)
	}
	if len(changes) > 0 {
		r.log.Warn("SIGHUP: what else has changed takes effect when the hub is started again", "changed", strings.Join(changes, ", "))
		return
	}
	r.log.Info("SIGHUP: the configuration was read again")
}

// changeLevel changes the level of the log, and says so while warnings are logged: before, or else after.
func (r *reloader) changeLevel(ctx context.Context) {
	before := r.log.Enabled(ctx, slog.LevelWarn)
	if !before {
		r.log.SetLevel(r.level)
	}
	r.log.Warn("SIGHUP: the level of the log is changed", "level", r.level)
	r.log.SetLevel(r.level)
}
