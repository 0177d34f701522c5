package link

import (
	"time"

	"sighub/carrier/serial/internal/wire"
)

// maxAbsent is how many devices a hub remembers that are not connected.
const maxAbsent = 256

// A Device is what the hub knows of a device for as long as it runs: its frames, its clock, the timeline of its readings. It
// outlives sessions, and resets in which the device keeps its memory, so that nothing is doubled and no request runs twice
// when a cable is pulled and put back.
type Device struct {
	ID            string
	Hello         wire.Hello
	Link          Link
	session       uint16 // the latest one
	unheardHellos int    // in that session, of which nothing else was heard
	Clock         Clock
	earlier       []era // before the latest resets and sleeps, oldest first
	timeline      wire.Timeline
	resyncing     bool // see resync.go
	repeats       int  // of the first frame without a time
	renumber      bool // the next answer to HELLO makes it number anew
	astray        bool // it is answered for what is not kept
	moving        bool // when it numbers anew, it is as if it were at another hub
	end           *HubEnd
	used          uint64 // a larger number means more recently
	settled       settled
	uptime        Uptime

	taken takenTime // of the latest reading that has arrived

	// Recalled is what an earlier run of the hub has known of the device; nil: nothing is known of that.
	Recalled *Recollection
}

// A Recollection is what an earlier run of the hub has known of a device.
type Recollection struct {
	Own        []byte    // what the owner has added to the state
	Dictionary uint32    // its hash
	Taken      time.Time // when the latest reading was taken that is on record; zero: none is
	Lost       bool      // readings may have been lost since: the device has lost its memory, or the hub what it has answered

	after time.Time // readings that are not on record were taken after this time
}

// An era is the time of a device up to a reset or a sleep, during which its clock may have stood still.
type era struct {
	clock Clock
	ticks uint32    // of the first HELLO after the era
	heard time.Time // when that HELLO arrived
}

const (
	slowHello = 3.0        // seconds that a HELLO may take on a busy machine
	maxEras   = 4          // readings of an earlier era are stamped too late
	eraTicks  = 2000000000 // after which ticks modulo 2^32 could be mistaken for those of an earlier era
)

// Wake says that there is something to write to the device.
func (d *Device) Wake() {
	if d.end != nil {
		d.end.Wake()
	}
}

// isNumbered reports whether the numbering of the device's frames has begun.
func (d *Device) isNumbered() bool { return d.Link.numbered }

// restart continues with a device that was reset and has kept its readings, their numbers and its ticks. It does not know
// the hub's frames.
func (d *Device) restart(now time.Time, h wire.Hello) {
	if d.Clock.Known() {
		d.Clock.stoodStill = max(d.Clock.late(h.Ticks, now), 0)
	}
	d.beginEra(now, h)
	d.Link.out = unanswered{}
}

func (d *Device) beginEra(now time.Time, h wire.Hello) {
	if len(d.earlier) == maxEras {
		d.earlier = append(d.earlier[:0], d.earlier[1:]...)
	}
	d.earlier = append(d.earlier, era{clock: d.Clock, ticks: h.Ticks, heard: now})
	d.Clock = newClock(h.TicksPerSecond)
}

// compareClock checks the clock against a HELLO that was said between two times, because readings may arrive before the
// first PING is answered. A HELLO may have been on its way for long, so it only counts as a sample until a PING is answered.
func (d *Device) compareClock(sent, now time.Time, h wire.Hello) {
	late := 0.0
	if d.Clock.Known() {
		late = d.Clock.late(h.Ticks, now)
	}
	guess := len(d.Clock.samples) == 1 // no PING has been answered since
	still := max(late, 0)
	switch {
	case late < 0 && guess && d.wasAwake(now, h):
		return
	case late < 0: // the clock was set, or an old HELLO was believed
		d.Clock = newClock(h.TicksPerSecond)
	case late > slowHello: // it stood still, as in a chip that sleeps and reports when it wakes
		d.Clock.stoodStill, d.Clock.slept = late, true
		d.beginEra(now, h)
	case guess:
		still = max(still, d.Clock.stoodStill)
	}
	if !d.Clock.Known() {
		d.Clock.sample(h.Ticks, sent, now)
	}
	d.Clock.stoodStill = still
}

// wasAwake reports whether the device had not slept after all, since only the HELLO before this one was late. It then
// continues the era.
func (d *Device) wasAwake(now time.Time, h wire.Hello) bool {
	n := len(d.earlier) - 1
	if n < 0 || !d.earlier[n].clock.slept {
		return false
	}
	c := d.earlier[n].clock
	late := c.late(h.Ticks, now)
	if late < 0 || late > slowHello {
		return false
	}
	c.stoodStill, c.slept = late, false
	d.Clock, d.earlier = c, d.earlier[:n]
	return true
}

// takenAt returns when a reading was taken whose frame has arrived, and how far that time may be off.
func (d *Device) takenAt(ticks uint32, arrived time.Time) (time.Time, time.Duration) {
	for len(d.earlier) > 0 && arrived.Sub(d.earlier[0].heard).Seconds()*d.Clock.rate > eraTicks {
		d.earlier = append(d.earlier[:0], d.earlier[1:]...)
	}
	c := &d.Clock
	for i := len(d.earlier) - 1; i >= 0 && int32(ticks-d.earlier[i].ticks) < 0; i-- {
		c, arrived = &d.earlier[i].clock, earliest(arrived, d.earlier[i].heard)
	}
	if r := d.Recalled; !c.Known() && r != nil && !r.Taken.IsZero() && r.after.Before(arrived) { // they come in their order
		half := arrived.Sub(r.after) / 2
		return arrived.Add(-half), half
	}
	return c.Time(c.extend(ticks, arrived), arrived)
}

// Devices are the devices that a hub knows. The zero Devices are none.
type Devices struct {
	// Recall returns the state that an earlier run of the hub has kept of a device; nil if it has kept nothing. If Recall is nil, nothing
	// is kept.
	Recall func(id string) []byte
	// Doubtful reports whether devices may have been answered for more than is kept, so that their numbers are not known.
	Doubtful bool
	// Uptime is the clock by which times last from one run to the next.
	Uptime Uptime

	byID map[string]*Device
	uses uint64
	hub  byte // the high byte of the hub's sessions; 0 before the first
}

// meet returns the device that says this HELLO: a new one if it was not known, or was reset and has lost its memory.
func (ds *Devices) meet(now time.Time, h wire.Hello) *Device {
	d := ds.byID[h.ID()]
	switch {
	case d == nil:
		d = ds.add(h)
	case d.Hello.Boot == h.Boot:
	case h.Kept && h.Dictionary == d.Hello.Dictionary:
		d.restart(now, h)
	default:
		former := d
		d = ds.add(h)
		d.session = former.session
		if r := former.Recalled; r != nil {
			lost := *r
			lost.Lost = true
			d.Recalled = &lost
		}
	}
	d.Hello = h
	ds.touch(d)
	return d
}

func (ds *Devices) add(h wire.Hello) *Device {
	// If there was an earlier run of the hub, the HELLO may have been on its way to that, and be answered already. Then the device has
	// gone on since, and expects another frame than the HELLO says.
	d := &Device{ID: h.ID(), Link: Link{side: wire.Hub, hold: ds.Recall != nil}, Clock: newClock(h.TicksPerSecond), uptime: ds.Uptime}
	if ds.byID == nil {
		ds.byID = make(map[string]*Device)
	}
	ds.byID[d.ID] = d
	return d
}

func (ds *Devices) touch(d *Device) {
	ds.uses++
	d.used = ds.uses
}

// leave notes that a device has gone. If too many are absent, it forgets and returns the one that was here longest ago.
func (ds *Devices) leave(d *Device) (forgotten *Device) {
	ds.touch(d)
	absent := 0
	var oldest *Device
	for _, d := range ds.byID {
		if d.end == nil {
			absent++
			if oldest == nil || d.used < oldest.used {
				oldest = d
			}
		}
	}
	if absent <= maxAbsent {
		return nil
	}
	delete(ds.byID, oldest.ID)
	return oldest
}
