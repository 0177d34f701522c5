package kernel

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"syscall"

	"sighub/sensors"
)

// A sensor is a device whose files are open. Reading a file again from its start makes the kernel measure again.
type sensor struct {
	device *device
	values []file
	faults []file // for the values that have one
	text   [maxText]byte
}

type file struct{ *os.File }

func open(d *device) (*sensor, error) {
	s := &sensor{device: d}
	for _, c := range d.channels {
		var value, fault file
		var err error
		value.File, err = os.Open(filepath.Join(d.dir, c.file))
		if err == nil && c.fault != "" {
			fault.File, err = os.Open(filepath.Join(d.dir, c.fault))
		}
		s.values, s.faults = append(s.values, value), append(s.faults, fault)
		if err != nil {
			_ = s.Close() // nothing was written
			return nil, fmt.Errorf("kernel: %s %s: %w", d.kind, d.name, err)
		}
	}
	return s, nil
}

func (s *sensor) Quantities() []sensors.Quantity { return quantities(s.device.channels) }

// Read reads all values. A value that the device does not have at the moment, such as the temperature of a network card that is
// down, is NaN. Values that fail are in a PartialError. It is another error if there is no value at all.
func (s *sensor) Read(ctx context.Context, values []float64) error {
	if len(values) < len(s.values) {
		return fmt.Errorf("kernel: %s %s: Read needs room for %[4]d values, not %[3]d", s.device.kind, s.device.name, len(values), len(s.values))
	}
	var last error
	var failed sensors.PartialError
	some := false
	for i := range s.values {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		v, err := s.value(i)
		switch {
		case err == nil:
			some = true
		case errors.Is(err, syscall.ENODATA):
			last, v = err, math.NaN()
		default:
			if failed == nil {
				failed = make(sensors.PartialError, len(s.values))
			}
			last, v = err, math.NaN()
			failed[i] = fmt.Errorf("%s: %w", s, err)
		}
		values[i] = v
	}
	switch {
	case !some:
		return fmt.Errorf("%s: %w", s, last)
	case failed != nil:
		return failed
	}
	return nil
}

// String names the device in errors.
func (s *sensor) String() string { return "kernel: " + s.device.kind + " " + s.device.name }

var errFault = errors.New("the device says that the value is not valid")

func (s *sensor) value(i int) (float64, error) {
	c := &s.device.channels[i]
	if s.faults[i].File != nil {
		text, err := s.faults[i].read(s.text[:])
		if err != nil {
			return 0, err
		}
		if n, err := parseNumber(text); err != nil || n != 0 {
			return 0, errFault
		}
	}
	text, err := s.values[i].read(s.text[:])
	if err != nil {
		return 0, err
	}
	n, err := c.parse(text)
	if err != nil {
		return 0, fmt.Errorf("%s contains %.60q: %w", s.values[i].Name(), text, err)
	}
	value := (n + c.offset) * c.scale
	if c.humid {
		value = nearest(value)
	}
	if math.IsInf(value, 0) {
		return 0, fmt.Errorf("%s contains %.60q, which is infinite after scaling", s.values[i].Name(), text)
	}
	return value, nil
}

// read reads the file from its start.
func (f file) read(into []byte) ([]byte, error) {
	n, err := f.ReadAt(into, 0)
	if err == nil || errors.Is(err, io.EOF) {
		return into[:n], nil
	}
	return nil, err
}

func (s *sensor) Close() error {
	var err error
	for _, f := range append(s.values, s.faults...) {
		if f.File != nil {
			err = errors.Join(err, f.Close())
		}
	}
	s.values, s.faults = nil, nil
	return err
}
