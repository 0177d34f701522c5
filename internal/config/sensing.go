package config

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/goccy/go-yaml/ast"

	"sighub/internal/yamlfile"
)

// AddSensors applies what the command line says about sensors. Each argument is auto, none, which removes all others, or the
// name of a file, whose sensors, pins and thresholds are added.
func (c *Config) AddSensors(ctx context.Context, args []string) error {
	var errs []error
	for _, text := range args {
		switch text {
		case NoSensors:
			if len(args) > 1 {
				errs = append(errs, errors.New("--sensors none means no sensor at all: remove it, or remove the others"))
				continue
			}
			c.Sensing = Sensing{}
		case AutoSensors:
			c.Sensing.Auto = true
		default:
			more, err := loadSensing(ctx, text)
			if err == nil {
				err = c.Sensing.add(text, more)
			}
			for _, err := range each(err) {
				errs = append(errs, fmt.Errorf("--sensors %w", err))
			}
		}
	}
	return errors.Join(errs...)
}

// each takes apart an error that joins others: each keeps a line of its own.
func each(err error) []error {
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		return joined.Unwrap()
	}
	if err == nil {
		return nil
	}
	return []error{err}
}

func loadSensing(ctx context.Context, file string) (*Sensing, error) {
	data, err := read(ctx, file, "--sensors", nil)
	if err != nil {
		return nil, err
	}
	d := newDecoder(file)
	s := new(Sensing)
	if root := d.Parse(data); root != nil {
		d.Mapping(root, "a file of sensors", d.sensing(s)...)
		d.checkWatched(s)
	}
	if err := d.Faults(); err != nil {
		return nil, err
	}
	return s, nil
}

func (d *decoder) sensing(s *Sensing) []yamlfile.Field {
	return []yamlfile.Field{
		yamlfile.Key("sensors", func(n ast.Node) { d.sensors(n, s) }),
		yamlfile.Key("pins", func(n ast.Node) { d.pins(n, s) }),
		yamlfile.Key("thresholds", func(n ast.Node) { d.thresholds(n, s) }),
	}
}

// add adds what another file says. Neither has anything twice.
func (s *Sensing) add(file string, more *Sensing) error {
	have := s.unique()
	for _, what := range more.unique() {
		if slices.Contains(have, what) {
			return fmt.Errorf("%s: %s is also in another file: remove one of them", file, what)
		}
	}
	s.Auto = s.Auto || more.Auto
	s.Sensors = append(s.Sensors, more.Sensors...)
	s.Pins = append(s.Pins, more.Pins...)
	s.Thresholds = append(s.Thresholds, more.Thresholds...)
	for _, t := range s.Thresholds { // some watch what another file has
		if err := s.checkWatched(t.Sender, t.Event); err != nil {
			return fmt.Errorf("%s: a threshold watches what is not there: %w", file, err)
		}
	}
	return nil
}

// unique lists what may appear only once.
func (s *Sensing) unique() []string {
	var list []string
	for i := range s.Sensors {
		list = append(list, s.Sensors[i].Place(), senderMark+s.Sensors[i].Sender)
	}
	for _, p := range s.Pins {
		list = append(list, PinPlace(p.Pin), senderMark+p.Sender)
	}
	for _, t := range s.Thresholds {
		list = append(list, senderMark+t.As)
	}
	return list
}

// Empty reports whether the gateway senses nothing itself.
func (s *Sensing) Empty() bool { return !s.Auto && len(s.Sensors)+len(s.Pins)+len(s.Thresholds) == 0 }

// summary describes what is sensed in a few words; it returns "" if there is nothing.
func (s *Sensing) summary() string {
	var parts []string
	var names []string
	if s.Auto {
		names = append(names, AutoSensors)
	}
	for _, sensor := range s.Sensors {
		names = append(names, sensor.Sender)
	}
	if len(names) > 0 {
		parts = append(parts, "sensors: "+strings.Join(names, ", "))
	}
	if n := len(s.Pins); n > 0 {
		parts = append(parts, plural(n, "pin", "pins"))
	}
	if n := len(s.Thresholds); n > 0 {
		parts = append(parts, plural(n, "threshold", "thresholds"))
	}
	if len(parts) == 0 {
		return ""
	}
	return ", " + strings.Join(parts, ", ")
}
