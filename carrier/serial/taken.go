package serial

import (
	"time"

	"sighub/carrier"
)

// errNoDictionary answers readings of a device that gave no names for them.
var errNoDictionary = &carrier.StatusError{Status: carrier.StatusMalformed,
	Exception: "the reading's event is not in the device's dictionary"}

// A reading is what one of an EVT frame's readings says, with the time at which it was taken.
type reading struct {
	event       int           // in the dictionary
	lost        uint64        // it says that so many readings of the event are lost; 0: it has a value
	value       []byte        // as on the line, not scaled
	time        time.Time     // when it was taken
	uncertainty time.Duration // how far time may be off
}

// readings reads an EVT frame that arrived at a time: all of it or, with an error, nothing. The ticks of a frame that
// cannot be read are missing in the timeline, so that the readings behind it need a time mark; without one the error is
// errTorn.
func (p *peer) readings(arrived time.Time, payload []byte, d *dictionary) ([]reading, error) {
	at := p.at
	p.at = timeline{torn: true}
	if d == nil {
		return nil, errNoDictionary
	}
	packed, at, err := parseReadings(payload, d, at)
	if err != nil {
		return nil, err
	}
	p.at = at
	taken := make([]reading, len(packed))
	for i, r := range packed {
		t := &taken[i]
		t.event, t.value = r.number, r.value
		t.time, t.uncertainty = p.taken(r.ticks, arrived)
		if n := r.number - len(d.events); n >= 0 {
			t.event, t.lost = n, r.lost()
		}
	}
	return taken, nil
}
