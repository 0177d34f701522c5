package config

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/goccy/go-yaml/ast"
)

// Warnings returns what the file says that is no mistake, and that is not likely to work.
func (c *Config) Warnings() []*Error { return c.warnings }

// Warn returns a warning about a part of the configuration, with its line in the file: a [Sensor.Place], [PinPlace],
// [AddressPlace], [PortPlace], [StatePlace] or [JournalPlace].
func (c *Config) Warn(place, format string, args ...any) *Error {
	e := &Error{File: c.file, Line: c.lines[place], Message: fmt.Sprintf(format, args...)}
	if e.Line > 0 {
		e.Column = 1
	}
	return e
}

// StatePlace is the place of state in a file.
const StatePlace = "state"

// TLSPlace is the place of tls in a file.
const TLSPlace = "tls"

// JournalPlace is the place of journal in a file.
const JournalPlace = "journal"

// PinPlace returns the place of a pin in a file.
func PinPlace(pin string) string { return "pin " + pin }

// AddressPlace returns the place of an address in a file.
func AddressPlace(addr string) string { return "address " + addr }

// PortPlace returns the place of a serial port in a file.
func PortPlace(port string) string { return "port " + port }

// A watch is a threshold in a file.
type watch struct {
	at     ast.Node
	sender string
	event  string
}

// checkWatched checks that the senders of the file itself have the events that its thresholds watch.
func (d *decoder) checkWatched(s *Sensing) {
	for _, w := range d.watched {
		if err := s.checkWatched(w.sender, w.event); err != nil {
			d.Fail(w.at, "%s", err)
		}
	}
}

// checkWatched returns an error if a sender of the gateway itself will never have an event.
func (s *Sensing) checkWatched(sender, event string) error {
	events := s.eventsOf(sender)
	if len(events) == 0 || slices.Contains(events, event) {
		return nil
	}
	return fmt.Errorf("%s has no event %s, only %s: write event: %s", sender, event, strings.Join(events, ", "), events[0])
}

// eventsOf returns the events of a sender of the gateway itself; none if they are not known, or if it is somebody else's.
func (s *Sensing) eventsOf(sender string) (events []string) {
	for i := range s.Sensors {
		if sensor := &s.Sensors[i]; sensor.Sender == sender {
			for _, o := range sensor.Outputs {
				events = append(events, cmp.Or(o.Event, o.Quantity))
			}
			if len(events) == 0 {
				events = sensor.quantities
			}
		}
	}
	for _, p := range s.Pins {
		if p.Sender == sender {
			events = append(events, p.Event)
		}
	}
	for _, t := range s.Thresholds {
		if t.As == sender {
			events = append(events, t.Report)
		}
	}
	return events
}
