package wire

import (
	"errors"
	"fmt"
	"slices"
	"strconv"

	"sighub/carrier"
)

// ParseDictionary reads a packed dictionary. An entry that cannot be used takes nothing else with it: see Problem. The error
// says why the whole cannot be read, or that it has no sender.
func ParseDictionary(packed []byte) (*Dictionary, error) {
	if len(packed) > MaxDictionary {
		return nil, fmt.Errorf("%w: the dictionary must have at most %d bytes, not %d", carrier.ErrTooLarge, MaxDictionary, len(packed))
	}
	var e entries
	for n, rest := 0, string(packed); len(rest) > 0; n++ {
		kind, end := rest[0], 1
		for end < len(rest) && rest[end] >= firstText {
			end++
		}
		switch {
		case n == maxEntries:
			return nil, fmt.Errorf("%w: the dictionary must have at most %d entries", carrier.ErrTooLarge, maxEntries)
		case kind == 0 || kind >= firstText:
			return nil, fmt.Errorf("%w: entry %d of the dictionary must not begin with byte %02x", carrier.ErrMalformed, n, kind)
		}
		if err := e.add(kind, rest[1:end]); err != nil {
			e.problem(fmt.Errorf("entry %d: %w", n, err))
		}
		rest = rest[end:]
	}
	if e.problems > 0 {
		e.d.Problem = fmt.Errorf("%w: the device's dictionary: %w", carrier.ErrMalformed, e.first)
		if more := e.problems - 1; more > 0 {
			e.d.Problem = fmt.Errorf("%w; and %d entries more that cannot be used", e.d.Problem, more)
		}
	}
	if len(e.d.Senders) == 0 {
		if e.problems > 0 {
			return nil, e.d.Problem
		}
		return nil, fmt.Errorf("%w: the dictionary must have a sender", carrier.ErrMalformed)
	}
	return &e.d, nil
}

// entries become a dictionary one by one.
type entries struct {
	d        Dictionary
	begun    bool   // there was a sender
	name     string // of the latest one
	sender   bool   // it can be used
	event    place  // of the latest event in that sender
	problems int
	first    error
}

// A place reports whether something is there, and whether it can be used.
type place int

const (
	nowhere place = iota
	unusable
	usable
)

func (e *entries) problem(err error) {
	if e.problems++; e.first == nil {
		e.first = err
	}
}

func (e *entries) latest() *Sender { return &e.d.Senders[len(e.d.Senders)-1] }

// add adds an entry. The error says why it cannot be used.
func (e *entries) add(kind byte, text string) error {
	switch kind {
	case entrySender:
		return e.addSender(text)
	case entryEvent:
		return e.addEvent(text)
	case entryRequest:
		return e.addRequest(text)
	case entryUnit, entryExponent:
		switch {
		case e.event == nowhere:
			return fmt.Errorf("%q must follow an event", text)
		case e.event == unusable:
			return nil
		}
		events := e.latest().Events
		ev := &events[len(events)-1]
		if kind == entryExponent {
			return e.setExponent(ev, text)
		}
		if text == "" { // as C macros write it that take a unit
			return nil
		}
		if err := checkText("a unit", text); err != nil {
			return err
		}
		ev.Unit = text
	}
	return nil // an entry of a later version
}

func (e *entries) addSender(name string) error {
	err := checkText("a sender's name", name)
	e.begun, e.name, e.sender, e.event = true, name, err == nil, nowhere
	if e.sender {
		e.d.Senders = append(e.d.Senders, Sender{Name: name})
	}
	return err
}

func (e *entries) addEvent(name string) error {
	e.d.Events = append(e.d.Events, knownEvent{EventName: EventName{e.name, name}})
	e.event = unusable
	switch err := checkText("an event's name", name); {
	case !e.begun:
		return errors.New("an event must follow a sender")
	case err != nil:
		return err
	case e.sender:
		e.event = usable
		e.latest().Events = append(e.latest().Events, Event{Name: name})
	}
	return nil // the problem is its sender
}

func (e *entries) addRequest(name string) error {
	e.d.Requests = append(e.d.Requests, RequestName{e.name, name})
	switch err := checkText("a request's name", name); {
	case !e.begun:
		return errors.New("a request must follow a sender")
	case err != nil:
		return err
	case e.sender:
		e.latest().Requests = append(e.latest().Requests, name)
	}
	return nil
}

// setExponent sets the exponent of the latest event. Without it nobody knows what that event's readings mean, so that none
// can be taken.
func (e *entries) setExponent(ev *Event, text string) error {
	n, err := strconv.Atoi(text)
	if err != nil || n < -MaxExponent || n > MaxExponent {
		s := e.latest()
		name := ev.Name
		s.Events = slices.Delete(s.Events, len(s.Events)-1, len(s.Events))
		if len(s.Events) == 0 {
			s.Events = nil
		}
		e.event = unusable
		return fmt.Errorf("the exponent of %q must be an integer from -%d to %d, not %q", name, MaxExponent, MaxExponent, text)
	}
	ev.Exponent = n
	e.d.Events[len(e.d.Events)-1].Exponent = n
	return nil
}
