package device

import "sighub/carrier/serial/internal/wire"

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

	// Unit is that of the event's data, as SenML (RFC 8428) writes it: "lx", "Cel". It may be empty.
	Unit string

	// Exponent, from -18 to 18, lets integers stand for decimal fractions on the line: there, the integer n means
	// n times ten to this power. With -2, the reading 21.57 travels as 2157. 0: numbers travel as they are.
	Exponent int
}

// pack returns senders as a dictionary holds them.
func pack(senders []Sender) []wire.Sender {
	packed := make([]wire.Sender, len(senders))
	for i, s := range senders {
		packed[i] = wire.Sender{Name: s.Name, Requests: s.Requests}
		for _, e := range s.Events {
			packed[i].Events = append(packed[i].Events, wire.Event(e))
		}
	}
	return packed
}
