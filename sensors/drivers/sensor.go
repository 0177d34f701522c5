package drivers

import (
	"context"
	"fmt"
	"time"

	"sighub/sensors"
)

// A chip is what differs between drivers. Its errors need not name the device.
type chip interface {
	quantities() []sensors.Quantity
	// setup checks that this is the right device, and prepares it for measure from whatever state it is in.
	setup(ctx context.Context) error
	// measure takes one reading.
	measure(ctx context.Context, values []float64) error
	// rest puts the device into the state that needs the least power.
	rest() error
}

// A sensor is a sensors.Sensor with a chip.
type sensor struct {
	chip     chip
	label    string // names the device in errors
	measures []sensors.Quantity
	ready    bool // set up, and has not failed since
}

func (s *sensor) Quantities() []sensors.Quantity { return s.measures }

func (s *sensor) Read(ctx context.Context, values []float64) error {
	if len(values) < len(s.measures) {
		return fmt.Errorf("drivers: %s: Read needs room for %[3]d values, not %[2]d", s.label, len(values), len(s.measures))
	}
	if !s.ready {
		if err := s.setup(ctx); err != nil {
			return err
		}
	}
	if err := s.chip.measure(ctx, values); err != nil {
		s.ready = false
		return fmt.Errorf("drivers: %s: %w", s.label, err)
	}
	return nil
}

func (s *sensor) setup(ctx context.Context) error {
	if err := s.chip.setup(ctx); err != nil {
		return fmt.Errorf("drivers: %s: setting it up failed: %w", s.label, err)
	}
	s.ready = true
	return nil
}

func (s *sensor) Close() error {
	if !s.ready {
		return nil // it does not answer
	}
	s.ready = false
	if err := s.chip.rest(); err != nil {
		return fmt.Errorf("drivers: %s: putting it to rest failed: %w", s.label, err)
	}
	return nil
}

func (s *sensor) String() string { return s.label }

// A pause is a wait that a context can end. It allocates only once.
type pause struct{ timer *time.Timer }

func (p *pause) wait(ctx context.Context, d time.Duration) error {
	if p.timer == nil {
		p.timer = time.NewTimer(d)
	} else {
		p.timer.Reset(d)
	}
	select {
	case <-p.timer.C:
		return nil
	case <-ctx.Done():
		p.timer.Stop()
		return context.Cause(ctx)
	}
}
