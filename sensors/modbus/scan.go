package modbus

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"sighub/carrier/serial/port"
	"sighub/sensors/modbus/frame"
	"sighub/sensors/modbus/profile"
)

// A Scan looks for units on a bus that no hub serves. It asks each for its first holding register, and writes nothing.
type Scan struct {
	// Open opens the port with these settings.
	Open func(ctx context.Context, s port.Settings) (port.Port, error)
	TCP  bool // the port is a connection
	// First and Last are the numbers of the units to be asked. Default 1 to 247.
	First, Last int
	// Settings are tried one after another, until there are units that answer. Default [UsualSettings], and with TCP none.
	Settings []port.Settings
	// Timeout is how long an answer may take to begin. Default 150 ms, and 1 s with TCP.
	Timeout time.Duration
	// Library has the profiles that are tried.
	Library profile.Library
	// Progress is called before settings are tried, and Found with each unit.
	Progress func(s port.Settings)
	Found    func(Found)
}

// A Found is a unit that a [Scan] has found.
type Found struct {
	Settings port.Settings
	ID       int
	Refusal  string   // what it says to the first request, if it refuses that
	Damaged  bool     // what it says cannot be read: the settings may be wrong, or several units have this number
	Profiles []string // that fit
}

// UsualSettings are those that most devices have: at first those of cheap ones, then those that the specification wants.
func UsualSettings() (list []port.Settings) {
	for _, s := range []struct {
		baud   int
		parity port.Parity
	}{
		{9600, port.NoParity}, {19200, port.EvenParity}, {9600, port.EvenParity}, {19200, port.NoParity}, {2400, port.NoParity},
		{4800, port.NoParity}, {38400, port.NoParity}, {115200, port.NoParity}, {57600, port.NoParity},
	} {
		list = append(list, port.Settings{Baud: s.baud, Parity: s.parity, Fresh: true})
	}
	return list
}

// Run scans until it is done or ctx is. The error is that of Open, or says that the port was lost.
func (s *Scan) Run(ctx context.Context) error {
	settings := s.Settings
	if s.TCP {
		settings = []port.Settings{{}}
	} else if len(settings) == 0 {
		settings = UsualSettings()
	}
	for _, one := range settings {
		if s.Progress != nil {
			s.Progress(one)
		}
		found, err := s.try(ctx, one)
		if err != nil || found || ctx.Err() != nil {
			return err
		}
	}
	return nil
}

// try scans with some settings, and reports whether a unit has answered.
func (s *Scan) try(ctx context.Context, settings port.Settings) (found bool, err error) {
	p, err := s.Open(ctx, settings)
	if err != nil {
		return false, err
	}
	o := Options{TCP: s.TCP, Settings: settings, Timeout: s.Timeout}
	if o.Timeout == 0 {
		o.Timeout = 150 * time.Millisecond
		if s.TCP {
			o.Timeout = time.Second
		}
	}
	b, in := o.bus(p, func(error) {})
	var reading sync.WaitGroup
	reading.Go(func() { _ = in.fill(p) })
	stop := context.AfterFunc(ctx, func() { _ = p.Close() })
	defer reading.Wait()
	defer func() { _ = p.Close() }()
	defer stop()
	for id := cmp.Or(s.First, 1); id <= cmp.Or(s.Last, frame.MaxUnit); id++ {
		f, ok, err := s.probe(ctx, b, id)
		if ctx.Err() != nil {
			return found, nil
		}
		if err != nil {
			return found, fmt.Errorf("the port was lost: %w", err)
		}
		if ok {
			f.Settings = settings
			s.Found(f)
		}
		found = found || ok && !f.Damaged
	}
	return found, nil
}

// probe asks a unit. It reports whether there is one.
func (s *Scan) probe(ctx context.Context, b *bus, id int) (f Found, ok bool, err error) {
	f.ID = id
	_, err = b.ask(ctx, byte(id), &frame.Request{Function: frame.ReadHolding, Count: 1})
	refused, _ := errors.AsType[*frame.ExceptionError](err)
	switch {
	case refused != nil && refused.Unreached(), errors.Is(err, errSilent), errors.Is(err, errNoise):
		return f, false, nil
	case errors.Is(err, errDamaged):
		f.Damaged = true
		return f, true, nil
	case refused != nil:
		f.Refusal = refused.Code.String()
	case err != nil:
		return f, false, err
	}
	names, profiles := s.Library.All()
	words, most := make([]int, len(profiles)), 0
	for i, p := range profiles {
		if words[i], err = s.fits(ctx, b, id, p); err != nil {
			return f, true, err
		}
		most = max(most, words[i])
	}
	for i, n := range words {
		if 2*n > most { // one that fits on half as many words fits by chance: any number may be a temperature
			f.Profiles = append(f.Profiles, names[i])
		}
	}
	return f, true, nil
}

// fits returns on how many words a unit has what a profile says is typical; 0: it has not.
func (s *Scan) fits(ctx context.Context, b *bus, id int, p *profile.Profile) (words int, err error) {
	for _, event := range p.Identify {
		r := p.Find(event)
		q := r.Request()
		a, err := b.ask(ctx, byte(id), &q)
		if w, ok := errors.AsType[*waitError](err); ok {
			select {
			case <-time.After(time.Until(w.until)):
			case <-ctx.Done():
			}
			a, err = b.ask(ctx, byte(id), &q)
		}
		if _, refused := errors.AsType[*frame.ExceptionError](err); refused || errors.Is(err, errSilent) || errors.Is(err, errDamaged) {
			return 0, nil
		}
		if err != nil {
			return 0, err
		}
		if _, err := r.Value(a.data); err != nil {
			return 0, nil //nolint:nilerr // such a value is none of this kind of device
		}
		words += r.Words()
	}
	return words, nil
}
