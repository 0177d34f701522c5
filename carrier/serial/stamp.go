package serial

import (
	"math"
	"time"

	"sighub/carrier"
)

// gapEvent is reported, by the hub itself, for readings that a device took and could not keep.
const gapEvent = "#gap"

// errNoDictionary answers readings of a device that gave no names for them.
var errNoDictionary = &carrier.StatusError{Status: carrier.StatusMalformed,
	Exception: "the reading's event is not in the device's dictionary"}

// A stampedReading is a reading as it is handed on: with its names, and the time it was taken.
type stampedReading struct {
	eventName
	data        carrier.Value
	time        time.Time
	uncertainty time.Duration
}

// readings reads an EVT frame that arrived at a time: all of it or, with an error, nothing. The ticks of a frame that
// cannot be read are missing in the timeline, so that the readings behind it need a time mark; without one the error is
// errTorn.
func (p *peer) readings(arrived time.Time, payload []byte, d *dictionary) ([]stampedReading, error) {
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
	stamped := make([]stampedReading, len(packed))
	for i, r := range packed {
		s := &stamped[i]
		s.time, s.uncertainty = p.taken(r.ticks, arrived)
		if n := r.number - len(d.events); n >= 0 {
			e := d.events[n]
			s.eventName = eventName{e.sender, gapEvent}
			s.data = newGapData(r.lost(), p.past.before(s.sender, s.time), s.time, e.event)
			continue
		}
		e := d.events[r.number]
		s.eventName, s.data = e.eventName, scale(r.value, e.exponent)
		p.past.reported(s.sender, s.time)
	}
	return stamped, nil
}

// A gapData is what listeners read of lost readings. It is no [carrier.Object]: data has names for keys in every codec.
type gapData struct {
	Count *int64 `json:"count"` // nil: nobody knows, perhaps none
	First string `json:"first"` // they were taken after this
	Last  string `json:"last"`  // and not after this
	Event string `json:"event,omitempty"`
}

// newGapData tells of so many lost readings of an event, 0 meaning that nobody knows; an empty event stands for any.
func newGapData(count uint64, first, last time.Time, event string) carrier.Value {
	g := gapData{First: first.UTC().Format(time.RFC3339Nano), Last: last.UTC().Format(time.RFC3339Nano), Event: event}
	if count > 0 {
		g.Count = new(int64(min(count, math.MaxInt64)))
	}
	return carrier.ValueOf(g)
}
