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
	// Logger is told when a pin cannot be used, and why. Nil: nobody is told.
	Logger *slog.Logger
	// RetryMin and RetryMax bound the time after which a pin that cannot be used is tried again, which doubles with each
	// try in vain: from 1 s to 1 min by default.
	RetryMin, RetryMax time.Duration
}

// A Pin is a digital input that is made a sender.
type Pin struct {
	// Sender and Event are what reports it.
	Sender, Event string
	// Open returns the pin. It is called again after it failed.
	Open func() (gpio.PinIn, error)
	// Pull is which of its resistors the pin is to have. The zero value is no resistor; gpio.PullNoChange leaves it.
	Pull gpio.Pull
	// ActiveLow says that the event's data is true while the pin is low, as that of a button to ground.
	ActiveLow bool
	// Debounce is how long the pin must have been quiet for its level to count: 20 ms by default, 1 s at the most.
	Debounce time.Duration
}

// Check refuses what makes no sense, and sets what was left out.
func (p *Pin) Check() error {
	switch {
	case p.Sender == "" || p.Event == "":
		return errors.New("it needs a sender and an event")
	case p.Event == hub.Connect || p.Event == hub.Disconnect || p.Event == hub.Gap:
		return fmt.Errorf("event %q is the hub's own: choose another name", p.Event)
	case p.Debounce < 0 || p.Debounce > maxDebounce:
		return fmt.Errorf("debounce %s: it can be up to %s", p.Debounce, maxDebounce)
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

// NewWatcher returns a Watcher for these pins, which does nothing before Run. It fails for those that make no sense or
// would be the same sender.
func NewWatcher(r *hub.Router, pins []Pin, o Options) (*Watcher, error) {
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	o.RetryMin = cmp.Or(max(o.RetryMin, 0), time.Second)
	o.RetryMax = max(o.RetryMin, cmp.Or(max(o.RetryMax, 0), time.Minute))
	w := new(Watcher)
	names := make(map[string]bool, len(pins))
	for _, p := range pins {
		err := p.Check()
		switch {
		case err != nil:
		case p.Open == nil:
			err = errors.New("nothing opens it")
		case names[p.Sender]:
			err = errors.New("another pin has this name: give each sender a name of its own")
		}
		if err != nil {
			return nil, fmt.Errorf("pins: pin %q: %w", p.Sender, err)
		}
		names[p.Sender] = true
		w.pins = append(w.pins, &watched{Pin: p, router: r, opts: &o, log: o.Logger.With("sender", p.Sender)})
	}
	return w, nil
}

// Run watches the pins until ctx is done, and then disconnects them. A pin notices that within a moment.
func (w *Watcher) Run(ctx context.Context) {
	var all sync.WaitGroup
	for _, p := range w.pins {
		all.Go(func() { p.run(ctx) })
	}
	all.Wait()
}
