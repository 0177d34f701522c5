// Package gateway makes the sensors of the gateway itself senders of its hub, as a configuration describes them: devices on its
// buses, the kernel's sensors, pins, and thresholds. It opens the buses and the pins, and closes them.
package gateway

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"

	"periph.io/x/conn/v3/gpio"

	"sighub/hub"
	"sighub/internal/config"
	"sighub/sensors"
	"sighub/sensors/kernel"
	"sighub/sensors/pins"
	"sighub/sensors/threshold"
)

// A Gateway makes the gateway's own sensors, pins and thresholds senders of its hub.
type Gateway struct {
	poller     *sensors.Poller
	later      *later // nil without auto
	pins       *pins.Watcher
	thresholds *threshold.Watcher
	senders    []string
}

// Senders returns the names of the gateway's senders.
func (g *Gateway) Senders() []string { return g.senders }

// New returns the Gateway that c, a checked configuration, describes. It looks for the kernel's sensors in sys, usually
// /sys. It opens nothing before [Gateway.During].
func New(c *config.Sensing, router *hub.Router, sys string, log *slog.Logger) (*Gateway, error) {
	g := new(Gateway)
	var err error
	list, found := sources(c, kernel.Options{Root: sys, Logger: log}, log)
	if g.poller, err = sensors.NewPoller(sensors.OnRouter(router), list, sensors.PollerOptions{Logger: log}); err != nil {
		return nil, err
	}
	for _, s := range list {
		g.senders = append(g.senders, s.Sender)
	}
	if c.Auto {
		g.later = &later{config: c, kernel: kernel.Options{Root: sys, Logger: log}, known: found, router: router, log: log}
	}
	var watched []pins.Pin
	for _, p := range c.Pins {
		g.senders = append(g.senders, p.Sender)
		watched = append(watched, pins.Pin{
			Sender: p.Sender, Event: p.Event, Pull: pulls[p.Pull], ActiveLow: p.ActiveLow, Debounce: p.Debounce,
			Open: func() (gpio.PinIn, error) { return openPin(p.Pin) },
		})
	}
	if g.pins, err = pins.NewWatcher(router, watched, pins.Options{Logger: log}); err != nil {
		return nil, err
	}
	for _, t := range c.Thresholds {
		if t.Check() == nil { // it sets the default name
			g.senders = append(g.senders, t.As)
		}
	}
	g.thresholds, err = threshold.Watch(router, c.Thresholds, threshold.Options{Logger: log})
	return g, err
}

// During senses while serve runs, and stops when it returns.
func (g *Gateway) During(ctx context.Context, serve func(context.Context) error) error {
	defer g.thresholds.Close()
	sensing, stop := context.WithCancel(ctx)
	defer stop()
	var all sync.WaitGroup
	var failed error
	all.Go(func() { failed = g.poller.Run(sensing) })
	all.Go(func() { g.pins.Run(sensing) })
	var failedLater error
	if g.later != nil {
		all.Go(func() { failedLater = g.later.run(sensing) })
	}
	err := serve(ctx)
	stop()
	all.Wait()
	return errors.Join(err, failed, failedLater)
}

// sources returns the sensors to poll: those that the configuration names and, with auto, the other sensors of the kernel. It also
// returns all of the kernel's that it has found.
func sources(c *config.Sensing, o kernel.Options, log *slog.Logger) (list []sensors.Source, found []kernel.Found) {
	if c.Auto || slices.ContainsFunc(c.Sensors, func(s config.Sensor) bool { return s.Kernel != "" }) {
		found = kernel.Scan(o)
	}
	shared := newBuses()
	for i := range c.Sensors {
		s := &c.Sensors[i]
		source := s.Source()
		source.Open = func(ctx context.Context) (sensors.Sensor, error) { return shared.openSensor(ctx, s) }
		if s.Kernel != "" {
			source.Open = func(ctx context.Context) (sensors.Sensor, error) { return openKernel(ctx, s.Kernel, o) }
			if f, ok := named(found, s.Kernel); ok {
				source.Bus = f.Bus
				warnOfNumber(log, s, f)
			}
		}
		list = append(list, source)
	}
	if c.Auto {
		list = append(list, autoSources(c, found, found, log)...)
		if len(found) == 0 {
			log.Warn("the kernel knows no sensor on this machine: auto finds nothing yet")
		}
	}
	return list, found
}

// autoSources returns those of the kernel's sensors to poll of which the configuration says nothing; unpolled are those of
// found that are not polled yet.
func autoSources(c *config.Sensing, found, unpolled []kernel.Found, log *slog.Logger) []sensors.Source {
	taken := func(name string) bool {
		return slices.ContainsFunc(c.Sensors, func(s config.Sensor) bool { return s.Sender == name }) ||
			slices.ContainsFunc(c.Pins, func(p config.Pin) bool { return p.Sender == name })
	}
	var list []sensors.Source
	for _, f := range unpolled {
		switch {
		case slices.ContainsFunc(c.Sensors, func(s config.Sensor) bool { return means(found, s.Kernel, f) }):
		case taken(f.Name):
			log.Warn("a sensor of the kernel is left out, because another sender has its name: give it another one with kernel and sender",
				"kernel", f.Name)
		default:
			list = append(list, sensors.Source{Sender: f.Name, Bus: f.Bus, Open: f.Open})
		}
	}
	return list
}

// named returns the sensor that has this name, or this number if none has the name.
func named(found []kernel.Found, name string) (numbered kernel.Found, ok bool) {
	for _, f := range found {
		switch is, counted := f.Is(name); {
		case is && !counted:
			return f, true
		case is:
			numbered, ok = f, true
		}
	}
	return numbered, ok
}

// means reports whether name is one of f among those that were found.
func means(found []kernel.Found, name string, f kernel.Found) bool {
	other, ok := named(found, name)
	return ok && other.Name == f.Name
}

// warnOfNumber warns if the configuration names a sensor by a number that may mean another one after the next start.
func warnOfNumber(log *slog.Logger, s *config.Sensor, f kernel.Found) {
	switch _, counted := f.Is(s.Kernel); {
	case counted && f.Counted:
		log.Warn("a sensor of the kernel is named by a number that may change with the next start: the kernel has nothing else that "+
			"tells it apart from others of its kind", "kernel", s.Kernel)
	case counted:
		log.Warn("a sensor of the kernel is named by a number that may change with the next start: use its name instead",
			"kernel", s.Kernel, "name", f.Name)
	}
}

// openKernel opens the kernel's sensor of that name. Its place may have changed since the last time.
func openKernel(ctx context.Context, name string, o kernel.Options) (sensors.Sensor, error) {
	found := kernel.Scan(o)
	names := make([]string, len(found))
	if f, ok := named(found, name); ok {
		return f.Open(ctx)
	}
	for i, f := range found {
		names[i] = f.Name
	}
	if len(names) == 0 {
		return nil, fmt.Errorf("the kernel has no sensor called %s, and no others", name)
	}
	return nil, fmt.Errorf("the kernel has no sensor called %s, only %s", name, strings.Join(names, ", "))
}
