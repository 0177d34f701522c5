package link

import (
	"time"

	"sighub/carrier"
	"sighub/carrier/serial/internal/wire"
)

// ErrNoDictionary answers readings of a device that gave no names for them.
var ErrNoDictionary = &carrier.StatusError{Status: carrier.StatusMalformed,
	Exception: "the reading's event is not in the device's dictionary"}

// A Reading is what one of an EVT frame's readings says, with the time at which it was taken.
type Reading struct {
	Event       int           // in the dictionary
	Lost        uint64        // it says that so many readings of the event are lost; 0: it has a value
	Value       []byte        // as on the line, not scaled
	Time        time.Time     // when it was taken
	Uncertainty time.Duration // how far time may be off
}

// Readings reads an EVT frame that arrived at a time: all of it or, with an error, nothing. The ticks of a frame that
// cannot be read are missing in the timeline, so that the Readings behind it need a time mark; without one the error is
// ErrNoTicks.
func (p *Device) Readings(arrived time.Time, payload []byte, d *wire.Dictionary) ([]Reading, error) {
	at := p.at
	p.at = wire.Timeline{Torn: true}
	if d == nil {
		return nil, ErrNoDictionary
	}
	packed, at, err := wire.ParseReadings(payload, d, at)
	if err != nil {
		return nil, err
	}
	p.at = at
	taken := make([]Reading, len(packed))
	for i, r := range packed {
		t := &taken[i]
		t.Event, t.Value = r.Number, r.Value
		t.Time, t.Uncertainty = p.taken(r.Ticks, arrived)
		if n := r.Number - len(d.Events); n >= 0 {
			t.Event, t.Lost = n, r.Lost()
		}
	}
	return taken, nil
}
