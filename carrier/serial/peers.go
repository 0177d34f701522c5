package serial

import "time"

// absentPeers is how many devices that are not connected a hub remembers the numbers of.
const absentPeers = 256

// A peer is what the hub knows of a device for as long as that runs: its numbers, its clock, its readings' timeline. It
// outlives sessions, and resets that the device's memory survives, so that nothing is doubled and no request runs twice
// when a line is pulled and put back.
type peer struct {
	id      string
	hello   hello
	link    link
	session uint16 // the latest
	unheard int    // how often HELLO was said again in it, and nothing else
	clock   clock
	former  []era // before the resets that the device's memory survived, oldest first
	at      timeline
	astray  bool // see stray
	shown   int  // how often the first stray frame came again
	anew    bool // it is to be told to number anew
	line    *hubLine
	used    uint64 // the larger, the more recently
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

// wake wakes the writer of the line on which the device is.
func (p *peer) wake() {
	if p.line != nil {
		p.line.wake()
	}
}

// numbered tells whether the device's numbering has begun.
func (p *peer) numbered() bool { return p.link.stats.received > 0 }

// survive goes on with a device that was started anew and has kept its readings, their numbers and its ticks. It knows
// nothing of the hub's frames.
func (p *peer) survive(now time.Time, h hello) {
	if p.clock.known() {
		p.clock.still = max(p.clock.late(h.ticks, now), 0)
	}
	p.beginEra(now, h)
	p.link.out = outbox{}
}

func (p *peer) beginEra(now time.Time, h hello) {
	if len(p.former) == maxEras {
		p.former = append(p.former[:0], p.former[1:]...)
	}
	p.former = append(p.former, era{clock: p.clock, ticks: h.ticks, heard: now})
	p.clock = newClock(h.ticksPerSecond)
}

// compare holds the clock against a HELLO that has come between two times, before a PING can tell: readings may come
// first. A clock that is known is not told by the guess that a HELLO is.
func (p *peer) compare(sent, now time.Time, h hello) {
	late := 0.0
	if p.clock.known() {
		late = p.clock.late(h.ticks, now)
	}
	guess := len(p.clock.samples) == 1 // no PING was answered since
	still := max(late, 0)
	switch {
	case late < 0 && guess && p.awake(now, h):
		return
	case late < 0: // it was set, or a HELLO of long ago was believed
		p.clock = newClock(h.ticksPerSecond)
	case late > slowHello: // it stood still, as in a chip that sleeps, and reports when it wakes
		p.clock.still, p.clock.slept = late, true
		p.beginEra(now, h)
	case guess:
		still = max(still, p.clock.still)
	}
	if !p.clock.known() {
		p.clock.sample(h.ticks, sent, now)
	}
	p.clock.still = still
}

// awake tells whether what was taken for sleep was none: the HELLO before this one was only long on its way.
func (p *peer) awake(now time.Time, h hello) bool {
	n := len(p.former) - 1
	if n < 0 || !p.former[n].clock.slept {
		return false
	}
	c := p.former[n].clock
	late := c.late(h.ticks, now)
	if late < 0 || late > slowHello {
		return false
	}
	c.still, c.slept = late, false
	p.clock, p.former = c, p.former[:n]
	return true
}

// taken returns when a reading was taken whose frame arrived at a time, and how far that may be off.
func (p *peer) taken(ticks uint32, arrived time.Time) (time.Time, time.Duration) {
	for len(p.former) > 0 && arrived.Sub(p.former[0].heard).Seconds()*p.clock.rate > eraTicks {
		p.former = append(p.former[:0], p.former[1:]...)
	}
	c := &p.clock
	for i := len(p.former) - 1; i >= 0 && int32(ticks-p.former[i].ticks) < 0; i-- {
		c, arrived = &p.former[i].clock, earliest(arrived, p.former[i].heard)
	}
	return c.time(c.extend(ticks, arrived), arrived)
}

// peers are the devices that a hub knows, by their identity.
type peers struct {
	byID map[string]*peer
	uses uint64
	hub  byte // that the hub's sessions begin with; 0 before the first
}

// meet returns the peer that says this hello. It is a new one if the device was not known, or was started anew and has
// forgotten everything.
func (ps *peers) meet(now time.Time, h hello) *peer {
	p := ps.byID[h.id()]
	switch {
	case p == nil:
		p = ps.enter(h)
	case p.hello.boot == h.boot:
	case h.kept && h.dictionary == p.hello.dictionary:
		p.survive(now, h)
	default:
		former := p.session
		p = ps.enter(h)
		p.session = former
	}
	p.hello = h
	ps.use(p)
	return p
}

func (ps *peers) enter(h hello) *peer {
	p := &peer{id: h.id(), clock: newClock(h.ticksPerSecond)}
	if ps.byID == nil {
		ps.byID = make(map[string]*peer)
	}
	ps.byID[p.id] = p
	return p
}

func (ps *peers) use(p *peer) {
	ps.uses++
	p.used = ps.uses
}

// left notes that a peer has gone. If too many are absent it forgets the one that was used longest ago, and returns it.
func (ps *peers) left(p *peer) (forgotten *peer) {
	ps.use(p)
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
	if absent <= absentPeers {
		return nil
	}
	delete(ps.byID, oldest.id)
	return oldest
}
