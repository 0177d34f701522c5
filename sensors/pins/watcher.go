package pins

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"periph.io/x/conn/v3/gpio"

	"sighub/hub"
)

// Options are those of a Watcher. The zero value is ready to use.
type Options struct {
	// Logger logs when a pin cannot be used, and why. Nil: nothing is logged.
	Logger *slog.Logger
	// RetryMin and RetryMax bound the time until a pin that cannot be used is tried again. It doubles with each failure: from
	// 1 s to 1 min by default.
	RetryMin, RetryMax time.Duration
}

// A Pin describes a digital input.
type Pin struct {
	// Sender and Event report the level.
	Sender, Event string
	// Open returns the pin. It is called again after a failure.
	Open func() (gpio.PinIn, error)
	// Pull is the pull resistor of the pin: by default none. gpio.PullNoChange leaves it as it is.
	Pull gpio.Pull
	// ActiveLow means that the event's data is true while the pin is low, as with a button to ground.
	ActiveLow bool
	// Debounce is how long the level must be stable to count: 20 ms by default, at most 1 s.
	Debounce time.Duration
}

// Check returns an error if the pin is not valid, and sets defaults.
func (p *Pin) Check() error {
	switch {
	case p.Sender == "" || p.Event == "":
		return errors.New("the pin must have a sender and an event")
	case p.Event == hub.Connect || p.Event == hub.Disconnect || p.Event == hub.Gap:
		return fmt.Errorf("event %q is reserved for the hub: choose another name", p.Event)
	case p.Debounce < 0 || p.Debounce > maxDebounce:
		return fmt.Errorf("debounce must be at most %[2]s, not %[1]s", p.Debounce, maxDebounce)
	}
	p.Debounce = cmp.Or(p.Debounce, defaultDebounce)
	return nil
}

const (
	defaultDebounce = 20 * time.Millisecond
	maxDebounce     = time.Second
)

// A Watcher makes pins senders of a hub.
type Watcher struct {
	pins []*watched
}

// NewWatcher returns a Watcher for these pins. It does nothing until Run. It is an error if Check fails for one, or if two have
// the same sender.
func NewWatcher(r *hub.Router, pins []Pin, o Options) (*Watcher, error) {
	o.Logger = cmp.Or(o.Logger, slog.New(slog.DiscardHandler))
	o.RetryMin = cmp.Or(max(o.RetryMin, 0), time.Second)
	o.RetryMax = max(o.RetryMin, cmp.Or(max(o.RetryMax, 0), time.Minute))
	w := new(Watcher)
	names := make(map[string]bool, len(pins))
	for _, p := range pins {
		err := p.Check()
		switch {
		case err != nil:
		case p.Open == nil:
			err = errors.New("it must have an Open function")
		case names[p.Sender]:
			err = errors.New("another pin has the same sender: give each its own")
		}
		if err != nil {
			return nil, fmt.Errorf("pins: pin %q: %w", p.Sender, err)
		}
		names[p.Sender] = true
		w.pins = append(w.pins, &watched{Pin: p, router: r, opts: &o, log: o.Logger.With("sender", p.Sender)})
	}
	return w, nil
}

// Run watches the pins until ctx is done, and then disconnects them, which takes up to 200 ms.
func (w *Watcher) Run(ctx context.Context) {
	var all sync.WaitGroup
	for _, p := range w.pins {
		all.Go(func() { p.run(ctx) })
	}
	all.Wait()
}
