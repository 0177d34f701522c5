package link

import (
	"maps"
	"slices"

	"sighub/carrier/serial/internal/wire"
)

// A PendingReading is one that the hub has not acknowledged.
type PendingReading struct {
	Number int // as in Reading
	Ticks  int64
	Value  []byte
	Done   func(error) // its owner's; may be nil
	resent bool        // it was sent before
	Gap    bool        // it stands for dropped ones
}

// End tells the owner what became of the reading.
func (r *PendingReading) End(err error) {
	if r.Done != nil {
		r.Done(err)
	}
}

// A ring holds a device's readings until they are acknowledged: those not sent, and those in frames that were. Its owner
// bounds how many there are.
type ring struct {
	events int                          // of the dictionary
	batch  int                          // readings in a frame at most
	queued []*PendingReading            // not sent in this numbering, oldest first
	flying map[uint64][]*PendingReading // by the ids of their frames
	nextID uint64
	at     wire.Timeline      // of what was sent in this numbering
	losses map[int]*lossCount // by the numbers of their readings
}

// A lossCount is what was dropped of one event's readings.
type lossCount struct {
	count uint64
	ticks int64 // of the last
}

func newRing(events, batch int) ring {
	return ring{events: events, batch: batch, flying: make(map[uint64][]*PendingReading), losses: make(map[int]*lossCount)}
}

// displace queues a reading in the place of the oldest one that was not sent, and returns that; the new one itself if all
// others were sent. It counts the loss.
func (r *ring) displace(p *PendingReading) (dropped *PendingReading) {
	dropped = p
	if i := slices.IndexFunc(r.queued, func(q *PendingReading) bool { return !q.Gap && !q.resent }); i >= 0 {
		dropped = r.queued[i]
		r.queued = append(r.queued[:i:i], r.queued[i+1:]...)
		r.queued = append(r.queued, p)
	}
	number := r.events + dropped.Number
	loss := r.losses[number]
	if loss == nil {
		loss = &lossCount{}
		r.losses[number] = loss
	}
	loss.count++
	loss.ticks = dropped.Ticks
	return dropped
}

// empty reports whether there is nothing to send.
func (r *ring) empty() bool { return len(r.queued) == 0 && len(r.losses) == 0 }

// pack takes as many readings as one frame of up to limit bytes may hold, losses first, and returns them packed with the
// id under which they fly. A reading that can never fit is handed back instead, alone.
func (r *ring) pack(limit int) (payload []byte, id uint64, tooLarge *PendingReading) {
	if len(r.losses) > 0 {
		r.queueLosses()
	}
	var taken []*PendingReading
	for len(r.queued) > 0 && len(taken) < r.batch {
		p := r.queued[0]
		at := r.at
		grown := at.Append(payload, wire.Reading{Number: p.Number, Ticks: uint32(p.Ticks), Value: p.Value}, wire.NumberBits(r.events))
		if len(grown) > limit {
			if len(taken) == 0 {
				r.queued = r.queued[1:]
				return nil, 0, p
			}
			break
		}
		payload = grown
		r.at = at
		taken = append(taken, p)
		r.queued = r.queued[1:]
	}
	r.nextID++
	r.flying[r.nextID] = taken
	return payload, r.nextID, nil
}

// queueLosses puts what was dropped in front of the readings that wait.
func (r *ring) queueLosses() {
	var losses []*PendingReading
	for _, number := range slices.Sorted(maps.Keys(r.losses)) {
		l := r.losses[number]
		losses = append(losses, &PendingReading{Number: number, Ticks: l.ticks, Value: wire.AppendUint(nil, l.count), Gap: true})
	}
	r.queued = append(losses, r.queued...)
	clear(r.losses)
}

// land returns the readings of a frame that was answered.
func (r *ring) land(id uint64) []*PendingReading {
	readings := r.flying[id]
	delete(r.flying, id)
	return readings
}

// restart puts the readings of frames, given in their order, back in front: a new numbering begins.
func (r *ring) restart(ids []uint64) {
	var back []*PendingReading
	for _, id := range ids {
		back = append(back, r.land(id)...)
	}
	for _, p := range back {
		p.resent = true
	}
	r.queued = append(back, r.queued...)
	r.at = wire.Timeline{}
}

// clear takes out everything.
func (r *ring) clear() (all []*PendingReading) {
	for id := range r.flying {
		all = append(all, r.land(id)...)
	}
	all = append(all, r.queued...)
	r.queued, r.at = nil, wire.Timeline{}
	clear(r.losses)
	return all
}
