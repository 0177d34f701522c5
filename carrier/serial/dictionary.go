package serial

import (
	"fmt"
	"hash/crc32"

	"sighub/carrier"
)

// A Sender is one of a device's senders, as its dictionary lists it.
type Sender struct {
	Name   string
	Events []Event

	// Requests are the methods that the sender answers; nil if it answers none.
	Requests []string
}

// An Event is an event of a device's sender.
type Event struct {
	Name string
	Unit string // of the event's data, as in "lx" or "°C"; may be empty
}

const (
	maxDictionary = 16 << 10 // bytes
	maxEntries    = 4096     // senders, events or requests
)

// A dictionary gives the names of a device's senders, events and requests small numbers: events count from 0
// over the whole dictionary, requests from 1.
type dictionary struct {
	senders  []Sender
	events   []eventName
	requests []requestName
}

type eventName struct{ sender, event string }

type requestName struct{ sender, method string }

func newDictionary(senders []Sender) *dictionary {
	d := &dictionary{senders: senders}
	for _, s := range senders {
		for _, e := range s.Events {
			d.events = append(d.events, eventName{s.Name, e.Name})
		}
		for _, r := range s.Requests {
			d.requests = append(d.requests, requestName{s.Name, r})
		}
	}
	return d
}

// request returns the number of a sender's request, 0 if the dictionary has none of that name.
func (d *dictionary) request(r requestName) uint64 {
	for i, have := range d.requests {
		if have == r {
			return uint64(i) + 1
		}
	}
	return 0
}

// event returns the number of a sender's event.
func (d *dictionary) event(e eventName) (int, bool) {
	for i, have := range d.events {
		if have == e {
			return i, true
		}
	}
	return 0, false
}

// hash names the bytes of a dictionary in HELLO; 0 stands for none.
func hash(packed []byte) uint32 {
	if len(packed) == 0 {
		return 0
	}
	return crc32.ChecksumIEEE(packed)
}

// pack returns the dictionary as the hub fetches it; nothing for one without senders.
func (d *dictionary) pack() []byte {
	if len(d.senders) == 0 {
		return nil
	}
	array := func(dst []byte, n int) []byte { return carrier.AppendCBORHead(dst, carrier.CBORArray, uint64(n)) }
	b := array(nil, len(d.senders))
	for _, s := range d.senders {
		b = appendText(array(b, 3), s.Name)
		b = array(b, len(s.Events))
		for _, e := range s.Events {
			b = appendText(appendText(array(b, 2), e.Name), e.Unit)
		}
		if s.Requests == nil {
			b = append(b, cborNull)
			continue
		}
		b = array(b, len(s.Requests))
		for _, r := range s.Requests {
			b = appendText(b, r)
		}
	}
	return b
}

// parseDictionary reads a dictionary. A sender's array may be longer, for later versions.
func parseDictionary(packed []byte) (*dictionary, error) {
	if len(packed) > maxDictionary {
		return nil, fmt.Errorf("%w: a dictionary of %d bytes, more than %d", carrier.ErrTooLarge, len(packed), maxDictionary)
	}
	in := items{rest: packed}
	var senders []Sender
	for range in.array("the dictionary", maxEntries) {
		fields := in.array("a sender", maxEntries)
		if in.err == nil && fields < 2 {
			in.fail(fmt.Errorf("a sender has %d items instead of a name, events and requests", fields))
		}
		s := Sender{Name: in.text("a sender's name", maxDictionary)}
		for range in.array("the events", maxEntries) {
			s.Events = append(s.Events, in.event())
			if in.err != nil {
				break
			}
		}
		if fields > 2 && !in.null() {
			s.Requests = []string{}
			for range in.array("the requests", maxEntries) {
				s.Requests = append(s.Requests, in.text("a request's name", maxDictionary))
				if in.err != nil {
					break
				}
			}
		}
		for range fields - 3 {
			in.raw("a sender's further items")
		}
		if in.err != nil {
			return nil, in.err
		}
		senders = append(senders, s)
	}
	if in.more() {
		in.fail(fmt.Errorf("%d bytes follow the dictionary", len(in.rest)))
	}
	if in.err != nil {
		return nil, in.err
	}
	return newDictionary(senders), nil
}

// event reads [name, unit], or a name alone.
func (i *items) event() Event {
	if i.more() && i.rest[0]>>5 == carrier.CBORString {
		return Event{Name: i.text("an event's name", maxDictionary)}
	}
	n := i.array("an event", maxEntries)
	if i.err == nil && n < 1 {
		i.fail(fmt.Errorf("an event has no name"))
	}
	e := Event{Name: i.text("an event's name", maxDictionary)}
	if n > 1 {
		e.Unit = i.text("an event's unit", maxDictionary)
	}
	for range n - 2 {
		i.raw("an event's further items")
	}
	return e
}
