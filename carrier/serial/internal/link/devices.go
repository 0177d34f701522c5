package link

import (
	"time"

	"sighub/carrier/serial/internal/wire"
)

// maxAbsent is how many devices that are not connected a hub remembers the numbers of.
const maxAbsent = 256

// A Device is what the hub knows of a device for as long as that runs: its numbers, its clock, its readings' timeline. It
// outlives sessions, and resets that the device's memory survives, so that nothing is doubled and no request runs twice
// when a line is pulled and put back.
type Device struct {
	ID            string
	Hello         wire.Hello
	Link          Link
	session       uint16 // the latest
	unheardHellos int    // how often HELLO was said again in it, and nothing else
	Clock         clock
	earlier       []era // before the resets that the device's memory survived, oldest first
	at            wire.Timeline
	resyncing     bool // see stray
	repeats       int  // how often the first stray frame came again
	renumber      bool // it is to be told to number anew
	end           *HubEnd
	used          uint64 // the larger, the more recently
}

// An era is a time of a device that ended with a reset or a sleep: its clock may have stood still then.
type era struct {
	clock clock
	ticks uint32    // of the first HELLO that was heard after it
	heard time.Time // that HELLO
}

const (
	slowHello = 3.0        // seconds that a HELLO may be on its way where the machine is busy
	maxEras   = 4          // readings of more than so many resets ago have a time that is too late
	eraTicks  = 2000000000 // after which ticks modulo 2^32 would be taken for those before the reset
)

// Wake wakes the writer of the line on which the device is.
func (p *Device) Wake() {
	if p.end != nil {
		p.end.Wake()
	}
}

// numbered tells whether the device's numbering has begun.
func (p *Device) numbered() bool { return p.Link.Stats.received > 0 }

// survive goes on with a device that was started anew and has kept its readings, their numbers and its ticks. It knows
// nothing of the hub's frames.
func (p *Device) survive(now time.Time, h wire.Hello) {
	if p.Clock.Known() {
		p.Clock.still = max(p.Clock.late(h.Ticks, now), 0)
	}
	p.beginEra(now, h)
	p.Link.out = unanswered{}
}

func (p *Device) beginEra(now time.Time, h wire.Hello) {
	if len(p.earlier) == maxEras {
		p.earlier = append(p.earlier[:0], p.earlier[1:]...)
	}
	p.earlier = append(p.earlier, era{clock: p.Clock, ticks: h.Ticks, heard: now})
	p.Clock = newClock(h.TicksPerSecond)
}

// compare holds the clock against a HELLO that has come between two times, before a PING can tell: readings may come
// first. A clock that is known is not told by the guess that a HELLO is.
func (p *Device) compare(sent, now time.Time, h wire.Hello) {
	late := 0.0
	if p.Clock.Known() {
		late = p.Clock.late(h.Ticks, now)
	}
	guess := len(p.Clock.samples) == 1 // no PING was answered since
	still := max(late, 0)
	switch {
	case late < 0 && guess && p.awake(now, h):
		return
	case late < 0: // it was set, or a HELLO of long ago was believed
		p.Clock = newClock(h.TicksPerSecond)
	case late > slowHello: // it stood still, as in a chip that sleeps, and reports when it wakes
		p.Clock.still, p.Clock.slept = late, true
		p.beginEra(now, h)
	case guess:
		still = max(still, p.Clock.still)
	}
	if !p.Clock.Known() {
		p.Clock.sample(h.Ticks, sent, now)
	}
	p.Clock.still = still
}

// awake tells whether what was taken for sleep was none: the HELLO before this one was only long on its way.
func (p *Device) awake(now time.Time, h wire.Hello) bool {
	n := len(p.earlier) - 1
	if n < 0 || !p.earlier[n].clock.slept {
		return false
	}
	c := p.earlier[n].clock
	late := c.late(h.Ticks, now)
	if late < 0 || late > slowHello {
		return false
	}
	c.still, c.slept = late, false
	p.Clock, p.earlier = c, p.earlier[:n]
	return true
}

// taken returns when a reading was taken whose frame arrived at a time, and how far that may be off.
func (p *Device) taken(ticks uint32, arrived time.Time) (time.Time, time.Duration) {
	for len(p.earlier) > 0 && arrived.Sub(p.earlier[0].heard).Seconds()*p.Clock.rate > eraTicks {
		p.earlier = append(p.earlier[:0], p.earlier[1:]...)
	}
	c := &p.Clock
	for i := len(p.earlier) - 1; i >= 0 && int32(ticks-p.earlier[i].ticks) < 0; i-- {
		c, arrived = &p.earlier[i].clock, earliest(arrived, p.earlier[i].heard)
	}
	return c.Time(c.extend(ticks, arrived), arrived)
}

// Devices are the devices that a hub knows, by their identity.
type Devices struct {
	byID map[string]*Device
	uses uint64
	hub  byte // that the hub's sessions begin with; 0 before the first
}

// meet returns the peer that says this hello. It is a new one if the device was not known, or was started anew and has
// forgotten everything.
func (ps *Devices) meet(now time.Time, h wire.Hello) *Device {
	p := ps.byID[h.ID()]
	switch {
	case p == nil:
		p = ps.enter(h)
	case p.Hello.Boot == h.Boot:
	case h.Kept && h.Dictionary == p.Hello.Dictionary:
		p.survive(now, h)
	default:
		former := p.session
		p = ps.enter(h)
		p.session = former
	}
	p.Hello = h
	ps.use(p)
	return p
}

func (ps *Devices) enter(h wire.Hello) *Device {
	p := &Device{ID: h.ID(), Clock: newClock(h.TicksPerSecond)}
	if ps.byID == nil {
		ps.byID = make(map[string]*Device)
	}
	ps.byID[p.ID] = p
	return p
}

func (ps *Devices) use(p *Device) {
	ps.uses++
	p.used = ps.uses
}

// left notes that a peer has gone. If too many are absent it forgets the one that was used longest ago, and returns it.
func (ps *Devices) left(p *Device) (forgotten *Device) {
	ps.use(p)
	absent := 0
	var oldest *Device
	for _, p := range ps.byID {
		if p.end == nil {
			absent++
			if oldest == nil || p.used < oldest.used {
				oldest = p
			}
		}
	}
	if absent <= maxAbsent {
		return nil
	}
	delete(ps.byID, oldest.ID)
	return oldest
}
