package sensors

import (
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
	// Logger is told when a sensor comes and goes, and why. Nil: nobody is told.
	Logger *slog.Logger
	// Failures is after how many failed readings in a row a sensor is taken to be gone: 3 by default.
	Failures int
	// RetryMin and RetryMax bound the time after which a sensor that is gone is opened again, which doubles with each
	// try in vain: from 1 s to 1 min by default.
	RetryMin, RetryMax time.Duration
	// Hang is how long a bus may take for one reading, or to open or close a sensor. When it takes longer, all
	// sensors on it are taken to be gone until it goes on: 10 s by default.
	Hang time.Duration
}

// A Source is a sensor that a Poller makes a sender.
type Source struct {
	// Sender is its name.
	Sender string
	// Bus names what it shares with others: sensors on the same bus are read one after another, all others at the same
	// time. Empty: it shares nothing.
	Bus string
	// Open opens the sensor. It is called again, after the sensor was closed, to find out whether one that was gone is
	// back.
	Open func(ctx context.Context) (Sensor, error)
	// Outputs are what it reports: every quantity as it is, if there are none.
	Outputs []Output

	// Period is how often it is read: every 10 s by default, every millisecond at
	// the most. A reading whose time has passed while the bus was busy
	// is left out.
	Period time.Duration
	// Jitter puts each reading off by a random time up to this one, so that many hubs do not all report at once. It
	// does not add up, and is not longer than the Period.
	Jitter time.Duration
	// Samples is how many readings, one right after another, are taken for each that is reported, which is their
	// median: 1 by default, at most 1000.
	Samples int
}

// An Output is what a Source reports of one of its quantities.
type Output struct {
	Quantity string // its name
	Event    string // by default the quantity's name
	Unit     string // by default the quantity's unit

	// The value is what was measured, times Factor, plus Offset. A Factor of 0 is 1.
	Factor, Offset float64

	// Change is how far a value must be from the one reported before to be reported; 0: each is.
	Change float64
	// MinInterval is how much time there must be between two values that are reported. Both intervals end with the
	// reading that is nearest to their end.
	MinInterval time.Duration
	// MaxInterval is after how long a value is reported however little it has changed; 0: never.
	MaxInterval time.Duration
}

// A Poller reads sensors at their times and makes them senders of a hub.
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

// NewPoller returns a Poller for these sources, which does nothing before Run. It fails if two of them have the same
// name, and for what makes no sense.
func NewPoller(h Hub, sources []Source, o PollerOptions) (*Poller, error) {
	if o.Failures <= 0 {
		o.Failures = 3
	}
	if o.RetryMin <= 0 {
		o.RetryMin = time.Second
	}
	if o.RetryMax < o.RetryMin {
		o.RetryMax = max(o.RetryMin, time.Minute)
	}
	if o.Hang <= 0 {
		o.Hang = 10 * time.Second
	}
	p := &Poller{hub: h, opts: o, log: o.Logger}
	if p.log == nil {
		p.log = slog.New(slog.DiscardHandler)
	}
	names := make(map[string]bool, len(sources))
	for _, s := range sources {
		if names[s.Sender] {
			return nil, fmt.Errorf("sensors: two sensors are called %q: give each sender a name of its own", s.Sender)
		}
		names[s.Sender] = true
		if err := s.Check(); err != nil {
			return nil, fmt.Errorf("sensors: sensor %q: %w", s.Sender, err)
		}
		if s.Open == nil {
			return nil, fmt.Errorf("sensors: sensor %q: nothing opens it", s.Sender)
		}
		b := p.bus(s.Bus)
		b.pollers = append(b.pollers, newPolled(b, s))
	}
	return p, nil
}

// Check refuses what makes no sense, and sets what was left out. NewPoller does it, too; it is for those who want to
// know before they can say what opens the sensor.
func (s *Source) Check() error {
	switch {
	case s.Sender == "":
		return errors.New("its sender has no name")
	case s.Period < 0 || s.Jitter < 0:
		return errors.New("its period or its jitter is negative")
	case s.Period > 0 && s.Period < minPeriod:
		return fmt.Errorf("its period is %s: it can be %s or more", s.Period, minPeriod)
	case s.Samples < 0 || s.Samples > maxSamples:
		return fmt.Errorf("%d samples for a reading: 1 to %d are possible", s.Samples, maxSamples)
	}
	if s.Period == 0 {
		s.Period = defaultPeriod
	}
	s.Jitter = min(s.Jitter, s.Period)
	s.Samples = max(s.Samples, 1)
	s.Outputs = slices.Clone(s.Outputs)
	events := make(map[string]bool, len(s.Outputs))
	for i := range s.Outputs {
		o := &s.Outputs[i]
		if o.Event == "" {
			o.Event = o.Quantity
		}
		if o.Factor == 0 {
			o.Factor = 1
		}
		switch {
		case events[o.Event]:
			return fmt.Errorf("two quantities are called %q: give each event a name of its own", o.Event)
		case o.Event == hub.Connect || o.Event == hub.Disconnect || o.Event == hub.Gap:
			return fmt.Errorf("event %q is the hub's own: choose another name", o.Event)
		case !(o.Change >= 0) || o.MinInterval < 0 || o.MaxInterval < 0:
			return fmt.Errorf("event %q: its change or an interval is negative", o.Event)
		case o.MaxInterval > 0 && o.MaxInterval < o.MinInterval:
			return fmt.Errorf("event %q: its maximum interval is shorter than its minimum", o.Event)
		}
		events[o.Event] = true
	}
	return nil
}

// bus returns the bus of that name, a new one if need be; each call without a name returns one of its own.
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

// Run reads the sensors until ctx is done, and then disconnects them. It returns nil, or an error that names the
// buses that hang: nothing can end what waits for those.
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
