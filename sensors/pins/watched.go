package pins

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"periph.io/x/conn/v3/gpio"

	"sighub/hub"
)

// A watched is a Pin in a Watcher: a goroutine that waits for edges.
type watched struct {
	Pin
	router *hub.Router
	opts   *Options
	log    *slog.Logger

	told bool // the present failure was logged
}

const (
	// look is the longest wait for an edge. After it, the level is checked in case the kernel has missed an edge, and ctx: so
	// Run ends that much later, or later by the debounce time.
	look = 200 * time.Millisecond
	// restless is after how many debounce times without a stable level the level counts nevertheless, so that a pin that
	// never stops changing is reported too.
	restless = 50
)

var errBroken = errors.New("the pin cannot wait for edges any more")

// run watches the pin until ctx is done, and tries again after it failed.
func (w *watched) run(ctx context.Context) {
	wait := w.opts.RetryMin
	for ctx.Err() == nil {
		connected, err := w.watch(ctx)
		if ctx.Err() != nil {
			return
		}
		if connected {
			wait = w.opts.RetryMin
		}
		if w.told {
			w.log.Debug("a pin still cannot be used", "error", err)
		} else {
			w.log.Warn("a pin cannot be used: trying again until it can", "error", err)
		}
		w.told = true
		select {
		case <-time.After(wait):
		case <-ctx.Done():
		}
		wait = min(2*wait, w.opts.RetryMax)
	}
}

// watch opens the pin, connects its sender and reports, until ctx is done or something fails.
func (w *watched) watch(ctx context.Context) (connected bool, err error) {
	pin, err := w.Open()
	if err != nil {
		return false, err
	}
	if err := pin.In(w.Pull, gpio.BothEdges); err != nil {
		return false, err
	}
	defer func() { _ = pin.Halt() }() // nothing else is to be undone
	sender, err := w.router.AddSender(w.Sender, hub.SenderOptions{Events: []string{w.Event}})
	if err != nil {
		return false, err
	}
	signal, err := sender.Signal(w.Event)
	if err != nil {
		sender.Remove()
		return false, err
	}
	w.told = false
	w.log.Info("watching a pin", "event", w.Event)
	err = w.follow(ctx, pin, signal)
	if ctx.Err() != nil {
		sender.RemoveBecause("shutdown")
	} else {
		sender.RemoveBecause("failed: " + err.Error())
	}
	return true, err
}

// follow reports the level and each change.
func (w *watched) follow(ctx context.Context, pin gpio.PinIn, signal *hub.Signal) error {
	level := pin.Read()
	if err := w.report(ctx, signal, level, time.Now()); err != nil {
		return err
	}
	for ctx.Err() == nil {
		start := time.Now()
		edge := pin.WaitForEdge(look)
		at := time.Now()
		if !edge && at.Sub(start) < look/2 {
			return errBroken // or this loop would never wait
		}
		if !edge && pin.Read() == level {
			continue
		}
		for bounces := true; bounces; {
			bounces = pin.WaitForEdge(w.Debounce) && time.Since(at) < restless*w.Debounce && ctx.Err() == nil
		}
		now := pin.Read()
		if now == level {
			continue
		}
		level = now
		if err := w.report(ctx, signal, level, at); err != nil {
			return err
		}
	}
	return ctx.Err()
}

func (w *watched) report(ctx context.Context, signal *hub.Signal, level gpio.Level, at time.Time) error {
	return signal.TriggerAt(ctx, level != gpio.Level(w.ActiveLow), at, 0)
}
