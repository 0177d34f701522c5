package drivers

import (
	"context"
	"fmt"
	"time"

	"sighub/sensors"
)

// A chip is what differs from driver to driver. Its errors need not say which device they are about.
type chip interface {
	quantities() []sensors.Quantity
	// setup makes sure that the device is what it should be, and brings it into the state that measure needs, whatever
	// state it was in.
	setup(ctx context.Context) error
	// measure takes one reading.
	measure(ctx context.Context, values []float64) error
	// rest brings the device into the state in which it needs least power.
	rest() error
}

// A sensor is a chip as a sensors.Sensor.
type sensor struct {
	chip     chip
	label    string // which device it is
	measures []sensors.Quantity
	ready    bool // it was set up and has not failed since
}

func (s *sensor) Quantities() []sensors.Quantity { return s.measures }

func (s *sensor) Read(ctx context.Context, values []float64) error {
	if len(values) < len(s.measures) {
		return fmt.Errorf("drivers: %s: room for %d values of %d", s.label, len(values), len(s.measures))
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
		return fmt.Errorf("drivers: %s: it cannot be set up: %w", s.label, err)
	}
	s.ready = true
	return nil
}

func (s *sensor) Close() error {
	if !s.ready {
		return nil // what does not answer does not listen either
	}
	s.ready = false
	if err := s.chip.rest(); err != nil {
		return fmt.Errorf("drivers: %s: it cannot be sent to rest: %w", s.label, err)
	}
	return nil
}

func (s *sensor) String() string { return s.label }

// A pause is a wait that can be ended, and that allocates only once.
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
