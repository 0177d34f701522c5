package wire

import (
	"cmp"
	"fmt"
	"hash/fnv"
	"slices"
	"strconv"

	"sighub/internal/safetext"
)

// A Sender is one of a device's senders.
type Sender struct {
	Name   string
	Events []Event

	// Requests are the methods of the sender's requests; nil if it answers none.
	Requests []string
}

// An Event is one of a sender's events.
type Event struct {
	Name string

	// Unit is the unit of the event's data, as SenML (RFC 8428) writes it: "lx", "Cel". It may be empty.
	Unit string

	// Exponent, from -18 to 18, makes decimal fractions travel as integers: on the line, the integer n stands for n times
	// ten to this power. With -2, the reading 21.57 travels as 2157. With 0, numbers travel as they are.
	Exponent int
}

// Limits of a dictionary.
const (
	MaxDictionary = 16 << 10 // bytes
	maxEntries    = 4096
	MaxExponent   = 18
)

// A packed dictionary is text: each entry is one of these bytes and the text up to the next byte below firstText. So a
// device's source can hold it as a string literal.
const (
	entrySender   = 0x01
	entryEvent    = 0x02 // of the latest sender
	entryUnit     = 0x03 // of the latest event
	entryExponent = 0x04 // of the latest event, in decimal
	entryRequest  = 0x05 // of the latest sender
	firstText     = 0x20 // the bytes between are for later versions
)

// A Dictionary numbers the names of a device: its events from 0 over all senders, its requests from 1. What cannot be used
// has a number, too, but is not among the senders.
type Dictionary struct {
	Senders  []Sender
	Events   []knownEvent
	Requests []RequestName
	Problem  error // what cannot be used, and why; nil: all can
}

type knownEvent struct {
	EventName
	Exponent int
}

// An EventName names an event of a device.
type EventName struct{ Sender, Event string }

// A RequestName names a request of a device.
type RequestName struct{ Sender, Method string }

// NewDictionary returns the dictionary of these senders, which [CheckSenders] must accept.
func NewDictionary(senders []Sender) *Dictionary {
	d := &Dictionary{Senders: senders}
	for _, s := range senders {
		for _, e := range s.Events {
			d.Events = append(d.Events, knownEvent{EventName{s.Name, e.Name}, e.Exponent})
		}
		for _, r := range s.Requests {
			d.Requests = append(d.Requests, RequestName{s.Name, r})
		}
	}
	return d
}

// RequestNumber returns the number of a request, or 0 if the dictionary does not have it.
func (d *Dictionary) RequestNumber(r RequestName) uint64 {
	return uint64(slices.Index(d.Requests, r) + 1)
}

// EventNumber returns the number of an event, or -1 if the dictionary does not have it.
func (d *Dictionary) EventNumber(e EventName) int {
	return slices.IndexFunc(d.Events, func(have knownEvent) bool { return have.EventName == e })
}

// HashDictionary returns the hash by which HELLO names a packed dictionary; 0 for an empty one.
func HashDictionary(packed []byte) uint32 {
	if len(packed) == 0 {
		return 0
	}
	h := fnv.New32a()
	_, _ = h.Write(packed) // never fails
	return h.Sum32()
}

// Pack returns the dictionary as the hub fetches it; empty if there are no senders.
func (d *Dictionary) Pack() (packed []byte) {
	entry := func(kind byte, text string) { packed = append(append(packed, kind), text...) }
	for _, s := range d.Senders {
		entry(entrySender, s.Name)
		for _, e := range s.Events {
			entry(entryEvent, e.Name)
			if e.Unit != "" {
				entry(entryUnit, e.Unit)
			}
			if e.Exponent != 0 {
				entry(entryExponent, strconv.Itoa(e.Exponent))
			}
		}
		for _, r := range s.Requests {
			entry(entryRequest, r)
		}
	}
	return packed
}

// checkText returns an error if text cannot be an entry of a dictionary. It is as strict as the hub, which refuses a sender whole.
func checkText(what, text string) error {
	if text == "" {
		return fmt.Errorf("%s must not be empty", what)
	}
	if err := safetext.CheckName(text); err != nil {
		return fmt.Errorf("%s must be plain text, not %q: %w", what, text, err)
	}
	return nil
}

// CheckSenders returns an error if no dictionary can hold these senders.
func CheckSenders(senders []Sender) (err error) {
	names := make(map[string]bool)
	for _, s := range senders {
		err = cmp.Or(err, checkText("a sender's name", s.Name))
		if names[s.Name] {
			err = cmp.Or(err, fmt.Errorf("two senders have the name %q: rename one", s.Name))
		}
		names[s.Name] = true
		for _, e := range s.Events {
			err = cmp.Or(err, checkText("an event's name", e.Name))
			if e.Unit != "" {
				err = cmp.Or(err, checkText("a unit", e.Unit))
			}
			if e.Exponent < -MaxExponent || e.Exponent > MaxExponent {
				err = cmp.Or(err, fmt.Errorf("the exponent of %s must be from -%d to %d, not %d",
					e.Name, MaxExponent, MaxExponent, e.Exponent))
			}
		}
		for _, r := range s.Requests {
			err = cmp.Or(err, checkText("a request's name", r))
		}
	}
	return err
}
