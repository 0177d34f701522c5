package link

import (
	"maps"
	"slices"

	"sighub/carrier/serial/internal/wire"
)

// A PendingReading is a device's reading that the hub has not acknowledged.
type PendingReading struct {
	Number int // as in [wire.Reading]
	Ticks  int64
	Value  []byte
	Done   func(error) // called by the owner; may be nil
	resent bool        // it was sent in an earlier numbering
	Gap    bool        // it counts dropped readings
}

// End calls Done.
func (r *PendingReading) End(err error) {
	if r.Done != nil {
		r.Done(err)
	}
}

// A ring holds a device's readings until they are acknowledged. The owner bounds their number.
type ring struct {
	events   int                          // in the dictionary
	batch    int                          // readings in a frame at most
	queued   []*PendingReading            // not sent in this numbering, oldest first
	inFlight map[uint64][]*PendingReading // by the ids of their frames
	nextID   uint64
	at       wire.Timeline     // of what was sent in this numbering
	losses   map[int]lossCount // by the number of the reading that tells it
}

// A lossCount counts the dropped readings of one event.
type lossCount struct {
	count uint64
	ticks int64 // of the latest
}

func newRing(events, batch int) ring {
	return ring{events: events, batch: batch, inFlight: make(map[uint64][]*PendingReading), losses: make(map[int]lossCount)}
}

// displace implements [DeviceEnd.Displace].
func (r *ring) displace(p *PendingReading) (dropped *PendingReading) {
	dropped = p
	if i := slices.IndexFunc(r.queued, func(q *PendingReading) bool { return !q.Gap && !q.resent }); i >= 0 {
		dropped = r.queued[i]
		r.queued = append(slices.Delete(r.queued, i, i+1), p)
	}
	number := r.events + dropped.Number
	r.losses[number] = lossCount{count: r.losses[number].count + 1, ticks: dropped.Ticks}
	return dropped
}

// empty reports whether there is nothing to send.
func (r *ring) empty() bool { return len(r.queued) == 0 && len(r.losses) == 0 }

// pack takes as many readings as fit into batch bytes, losses first, and returns them packed, with an id for their frame. One
// alone may have limit bytes; if the first one has more, it is returned instead.
func (r *ring) pack(batch, limit int) (payload []byte, id uint64, tooLarge *PendingReading) {
	if len(r.losses) > 0 {
		r.queueLosses()
	}
	var taken []*PendingReading
	for len(r.queued) > 0 && len(taken) < r.batch {
		p := r.queued[0]
		at := r.at
		grown := at.Append(payload, wire.Reading{Number: p.Number, Ticks: uint32(p.Ticks), Value: p.Value}, wire.NumberBits(r.events))
		if len(grown) > batch && len(taken) > 0 {
			break
		}
		r.queued = r.queued[1:]
		if len(grown) > limit {
			return nil, 0, p
		}
		payload, r.at, taken = grown, at, append(taken, p)
	}
	r.nextID++
	r.inFlight[r.nextID] = taken
	return payload, r.nextID, nil
}

// queueLosses queues readings that count the dropped ones, in front of all others.
func (r *ring) queueLosses() {
	var losses []*PendingReading
	for _, number := range slices.Sorted(maps.Keys(r.losses)) {
		l := r.losses[number]
		losses = append(losses, &PendingReading{Number: number, Ticks: l.ticks, Value: wire.AppendUint(nil, l.count), Gap: true})
	}
	r.queued = append(losses, r.queued...)
	clear(r.losses)
}

// takeAnswered removes and returns the readings of a frame that was answered.
func (r *ring) takeAnswered(id uint64) []*PendingReading {
	readings := r.inFlight[id]
	delete(r.inFlight, id)
	return readings
}

// restart queues the readings of these frames again, in front of all others: a new numbering begins.
func (r *ring) restart(ids []uint64) {
	var back []*PendingReading
	for _, id := range ids {
		back = append(back, r.takeAnswered(id)...)
	}
	for _, p := range back {
		p.resent = true
	}
	r.queued = append(back, r.queued...)
	r.at = wire.Timeline{}
}

// clear removes and returns all readings.
func (r *ring) clear() (all []*PendingReading) {
	for id := range r.inFlight {
		all = append(all, r.takeAnswered(id)...)
	}
	all = append(all, r.queued...)
	r.queued, r.at = nil, wire.Timeline{}
	clear(r.losses)
	return all
}
