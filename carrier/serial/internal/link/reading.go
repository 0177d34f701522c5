package link

import (
	"time"

	"sighub/carrier"
	"sighub/carrier/serial/internal/wire"
)

// ErrNoDictionary answers the readings of a device that has no dictionary.
var ErrNoDictionary = &carrier.StatusError{Status: carrier.StatusMalformed,
	Exception: "the reading's event is not in the device's dictionary"}

// A Reading is one of an EVT frame's readings, with the time at which it was taken.
type Reading struct {
	Event       int           // in the dictionary
	Lost        uint64        // how many readings of the event were lost; 0: none, and there is a value
	Value       []byte        // as on the line: see [wire.Scale]
	Time        time.Time     // when it was taken
	Uncertainty time.Duration // how far time may be off
}

// Readings reads the payload of an EVT frame that arrived at a time. With an error there are no readings; those of the next
// frame then need a time mark, without which the error is [wire.ErrNoTicks].
func (d *Device) Readings(arrived time.Time, payload []byte, dict *wire.Dictionary) ([]Reading, error) {
	at := d.timeline
	d.timeline = wire.Timeline{Torn: true}
	if dict == nil {
		return nil, ErrNoDictionary
	}
	packed, at, err := wire.ParseReadings(payload, dict, at)
	if err != nil {
		return nil, err
	}
	d.timeline = at
	taken := make([]Reading, len(packed))
	for i, r := range packed {
		t := &taken[i]
		t.Event, t.Value = r.Number, r.Value
		t.Time, t.Uncertainty = d.takenAt(r.Ticks, arrived)
		if n := r.Number - len(dict.Events); n >= 0 {
			t.Event, t.Lost = n, r.Lost()
		}
	}
	return taken, nil
}
