package sensors

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"time"

	"sighub/hub"
)

// PollerOptions are those of a Poller. The zero value is ready to use.
type PollerOptions struct {
	// Logger logs when a sensor comes and goes, and why. Nil: nothing is logged.
	Logger *slog.Logger
	// Failures is the number of failed readings in a row after which a sensor counts as gone: 3 by default.
	Failures int
	// RetryMin and RetryMax bound the time until a sensor that is gone is opened again. It doubles with each failure: from 1 s
	// to 1 min by default.
	RetryMin, RetryMax time.Duration
	// Hang is how long a bus may take for one reading, or to open or close a sensor: 10 s by default. If it takes longer, all
	// its sensors count as gone until it continues.
	Hang time.Duration
}

// A Source describes a sensor for a Poller.
type Source struct {
	// Sender is the name of its sender.
	Sender string
	// Bus names the bus that it shares with other sensors. Sensors on the same bus are read one after another, others
	// concurrently. Empty: it shares none.
	Bus string
	// Open opens the sensor. After a sensor has failed it is closed, and Open is called again until it succeeds.
	Open func(ctx context.Context) (Sensor, error)
	// Outputs are what it reports. Empty: every quantity as it is.
	Outputs []Output

	// Period is the time between readings: 10 s by default, and at least 1 ms. A reading whose time passes while the bus is
	// busy is left out.
	Period time.Duration
	// Jitter delays each reading by a random time up to this one, so that many hubs do not report all at once. The delays do
	// not add up. Jitter is at most the Period.
	Jitter time.Duration
	// Samples is how many times the sensor is read for one reading, which is the median: 1 by default, at most 1000.
	Samples int
}

// An Output describes how a Source reports a quantity.
type Output struct {
	Quantity string // the name of the quantity
	Event    string // by default the quantity's name
	Unit     string // by default the quantity's unit

	// The reported value is the measured one, times Factor, plus Offset. A Factor of 0 means 1.
	Factor, Offset float64

	// Change is the smallest change from the value reported before that is reported; 0: every value is reported.
	Change float64
	// MinInterval is the shortest time between two values that are reported. MinInterval and MaxInterval are measured to
	// the nearest reading.
	MinInterval time.Duration
	// MaxInterval is the time after which a value is reported even if it has not changed; 0: never.
	MaxInterval time.Duration
}

// A Poller reads sensors periodically and makes them senders of a hub.
type Poller struct {
	hub   Hub
	opts  PollerOptions
	log   *slog.Logger
	buses []*bus
}

const (
	defaultPeriod = 10 * time.Second
	minPeriod     = time.Millisecond
	maxSamples    = 1000
)

// NewPoller returns a Poller for these sources. It does nothing until Run. It is an error if two sources have the same sender,
// or if Check fails for one.
func NewPoller(h Hub, sources []Source, o PollerOptions) (*Poller, error) {
	o.Failures = cmp.Or(max(o.Failures, 0), 3)
	o.RetryMin = cmp.Or(max(o.RetryMin, 0), time.Second)
	if o.RetryMax < o.RetryMin {
		o.RetryMax = max(o.RetryMin, time.Minute)
	}
	o.Hang = cmp.Or(max(o.Hang, 0), 10*time.Second)
	p := &Poller{hub: h, opts: o, log: cmp.Or(o.Logger, slog.New(slog.DiscardHandler))}
	names := make(map[string]bool, len(sources))
	for _, s := range sources {
		if names[s.Sender] {
			return nil, fmt.Errorf("sensors: two sensors are called %q: give each its own sender", s.Sender)
		}
		names[s.Sender] = true
		if err := s.Check(); err != nil {
			return nil, fmt.Errorf("sensors: sensor %q: %w", s.Sender, err)
		}
		if s.Open == nil {
			return nil, fmt.Errorf("sensors: sensor %q: it must have an Open function", s.Sender)
		}
		b := p.bus(s.Bus)
		b.pollers = append(b.pollers, newPolled(b, s))
	}
	return p, nil
}

// Check returns an error if the source is not valid, and sets defaults. NewPoller calls it, too. A program may call it
// before it sets Open.
func (s *Source) Check() error {
	switch {
	case s.Sender == "":
		return errors.New("the sender must have a name")
	case s.Period < 0 || s.Jitter < 0:
		return errors.New("the period and the jitter must not be negative")
	case s.Period > 0 && s.Period < minPeriod:
		return fmt.Errorf("the period must not be %s: the shortest is %s", s.Period, minPeriod)
	case s.Samples < 0 || s.Samples > maxSamples:
		return fmt.Errorf("samples must be 1 to %[2]d, not %[1]d", s.Samples, maxSamples)
	}
	s.Period = cmp.Or(s.Period, defaultPeriod)
	s.Jitter = min(s.Jitter, s.Period)
	s.Samples = max(s.Samples, 1)
	s.Outputs = slices.Clone(s.Outputs)
	events := make(map[string]bool, len(s.Outputs))
	for i := range s.Outputs {
		o := &s.Outputs[i]
		o.Event = cmp.Or(o.Event, o.Quantity)
		o.Factor = cmp.Or(o.Factor, 1)
		switch {
		case events[o.Event]:
			return fmt.Errorf("two quantities are called %q: give each its own event", o.Event)
		case o.Event == hub.Connect || o.Event == hub.Disconnect || o.Event == hub.Gap:
			return fmt.Errorf("event %q is reserved for the hub: choose another name", o.Event)
		case !(o.Change >= 0) || o.MinInterval < 0 || o.MaxInterval < 0:
			return fmt.Errorf("event %q: the change and the intervals must not be negative", o.Event)
		case o.MaxInterval > 0 && o.MaxInterval < o.MinInterval:
			return fmt.Errorf("event %q: the maximum interval must not be shorter than the minimum", o.Event)
		}
		events[o.Event] = true
	}
	return nil
}

// bus returns the bus of that name. It makes a new one for a name that is not known yet, and always for an empty name.
func (p *Poller) bus(name string) *bus {
	for _, b := range p.buses {
		if name != "" && b.name == name {
			return b
		}
	}
	b := &bus{poller: p, name: name}
	p.buses = append(p.buses, b)
	return b
}

// Run reads the sensors until ctx is done, and then disconnects them. It returns an error only if a bus still hangs then, and
// names it: the goroutine that waits for it cannot be stopped.
func (p *Poller) Run(ctx context.Context) error {
	done := make(chan *bus, len(p.buses))
	for _, b := range p.buses {
		go func() {
			b.run(ctx)
			done <- b
		}()
	}
	<-ctx.Done()
	hanging := slices.Clone(p.buses)
	timeout := time.NewTimer(p.opts.Hang)
	defer timeout.Stop()
	for range p.buses {
		select {
		case b := <-done:
			hanging = slices.DeleteFunc(hanging, func(h *bus) bool { return h == b })
		case <-timeout.C:
			var names []string
			for _, b := range hanging {
				names = append(names, b.String())
			}
			return fmt.Errorf("sensors: still waiting for %s, which does not answer", strings.Join(names, ", "))
		}
	}
	return nil
}
