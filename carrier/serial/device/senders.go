package device

import "sighub/carrier/serial/internal/wire"

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

// pack returns the senders as a dictionary holds them.
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

// Stats counts a device's traffic.
type Stats struct {
	Sent         uint64 // readings sent, each once
	Acknowledged uint64 // readings that the hub has acknowledged
	Refused      uint64 // readings that the hub has answered with an error
	Lost         uint64 // readings dropped because the ring was full
	Resent       uint64 // frames sent again
	BadFrames    uint64 // frames that arrived damaged
	Echoes       uint64 // own frames that arrived: the line returns what is sent
}
