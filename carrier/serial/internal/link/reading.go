package link

import (
	"errors"
	"fmt"
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
	Err         error         // why the value cannot be taken; nil: it can
	Time        time.Time     // when it was taken
	Uncertainty time.Duration // how far time may be off
}

// Readings reads the payload of an EVT frame that arrived at a time. With an error there are no readings. If it is
// [ErrComesAgain], the frame is not to be answered; else those of the next frame need a time mark.
func (d *Device) Readings(arrived time.Time, a Arrival, dict *wire.Dictionary) ([]Reading, error) {
	before := d.timeline
	d.timeline = wire.Timeline{Torn: true}
	if dict == nil {
		return nil, ErrNoDictionary
	}
	packed, at, err := wire.ParseReadings(a.Payload, dict, before)
	switch {
	case errors.Is(err, wire.ErrNoTicks):
		d.resync(a.In)
		return nil, fmt.Errorf("%w: %w", ErrComesAgain, err)
	case err != nil && d.Link.Doubt(a.In):
		d.timeline = before
		d.Wake() // to ask for it
		return nil, fmt.Errorf("%w: %w", ErrComesAgain, err)
	case err != nil:
		return nil, err
	}
	taken, believed := make([]Reading, len(packed)), false
	for i, r := range packed {
		if r.Number >= len(dict.Events) {
			continue
		}
		if err := wire.CheckValue(r.Value); err != nil {
			if !believed && d.Link.Doubt(a.In) {
				d.timeline = before
				d.Wake()
				return nil, fmt.Errorf("%w: %w", ErrComesAgain, err)
			}
			taken[i].Err, believed = err, true
		}
	}
	d.timeline = at
	for i, r := range packed {
		t := &taken[i]
		t.Event, t.Value = r.Number, r.Value
		t.Time, t.Uncertainty = d.takenAt(r.Ticks, arrived)
		if n := r.Number - len(dict.Events); n >= 0 {
			t.Event, t.Lost = n, r.Lost()
		}
		d.taken = takenTime{arrived.Round(0).Add(t.Time.Sub(arrived)), t.Uncertainty}
	}
	return taken, nil
}
