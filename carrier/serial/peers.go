package serial

import (
	"time"

	"sighub/carrier"
)

// absentPeers is how many devices that are not connected a hub remembers the numbers of.
const absentPeers = 256

// A peer is what the hub knows of a device for as long as that runs: its numbers, its clock, its dictionary. It
// outlives sessions, so that nothing is doubled and no request runs twice when a line is pulled and put back.
type peer struct {
	id      string
	hello   hello
	link    link
	session uint16 // the latest
	clock   clock
	last    int64 // ticks of the latest reading in this numbering
	started bool  // there was one
	line    *hubLine
	untold  []event // frames taken in a session that ended before the handler was told of the device
	used    uint64  // the larger, the more recently
}

// A stampedReading is a reading with the time it was taken.
type stampedReading struct {
	event       int
	value       []byte
	time        time.Time
	uncertainty time.Duration
	tick        time.Duration // what one of the device's ticks lasts
}

// readings reads an EVT frame: all of it or, with an error, nothing.
func (p *peer) readings(now time.Time, payload []byte) ([]stampedReading, error) {
	packed, err := parseReadings(payload)
	if err != nil {
		return nil, err
	}
	stamped := make([]stampedReading, len(packed))
	for i, r := range packed {
		if p.started {
			p.last += r.delta
		} else {
			p.last, p.started = p.clock.extend(uint32(r.delta), now), true
		}
		s := stampedReading{event: r.event, value: r.value, tick: time.Duration(float64(time.Second) / p.clock.rate)}
		s.time, s.uncertainty = p.clock.time(p.last, now)
		stamped[i] = s
	}
	return stamped, nil
}

// numbered tells whether the device's numbering has begun.
func (p *peer) numbered() bool { return p.link.stats.received > 0 }

// peers are the devices that a hub knows, by their identity.
type peers struct {
	byID map[string]*peer
	uses uint64
}

// meet returns the peer that says this hello. It is a new one if the device was not known, or was started anew.
func (ps *peers) meet(h hello) *peer {
	p := ps.byID[h.id()]
	if p == nil || p.hello.boot != h.boot {
		p = &peer{id: h.id(), clock: newClock(h.ticksPerSecond)}
		if ps.byID == nil {
			ps.byID = make(map[string]*peer)
		}
		ps.byID[p.id] = p
	}
	p.hello = h
	ps.uses++
	p.used = ps.uses
	return p
}

// tidy forgets the absent peers that were used longest ago, if there are too many.
func (ps *peers) tidy() {
	absent := 0
	var oldest *peer
	for _, p := range ps.byID {
		if p.line == nil {
			absent++
			if oldest == nil || p.used < oldest.used {
				oldest = p
			}
		}
	}
	if absent > absentPeers {
		delete(ps.byID, oldest.id)
	}
}

// errNoDictionary answers readings of a device that gave no names for them.
var errNoDictionary = &carrier.StatusError{Status: carrier.StatusMalformed,
	Exception: "the reading's event is not in the device's dictionary"}
