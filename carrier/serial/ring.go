package serial

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
)

// ErrOverflow ends a reading that was dropped because the device's ring was full.
var ErrOverflow = errors.New("serial: the ring of readings is full")

// A waiting reading is one that the hub has not acknowledged.
type waiting struct {
	number int // as in packedReading
	ticks  int64
	value  []byte
	done   func(error)
	roomy  bool // it takes room in the ring
	again  bool // it was sent before
	gapped bool // it stands for dropped ones
}

func (w *waiting) end(err error) {
	if w.done != nil {
		w.done(err)
	}
}

// A ring holds the readings that wait: those not sent, and the frames of those that were. Its owner's lock guards
// it, but for its room.
type ring struct {
	room   chan struct{} // an entry for each reading that takes room
	bits   int           // of the readings' numbers
	queued []*waiting    // not sent in this numbering, oldest first
	flying map[uint64][]*waiting
	nextID uint64
	at     timeline     // of what was sent in this numbering
	gaps   map[int]*gap // by their numbers
}

// A gap is what was dropped of one event's readings.
type gap struct {
	count uint64
	ticks int64 // of the last
}

func newRing(size, bits int) *ring {
	return &ring{room: make(chan struct{}, size), bits: bits, flying: make(map[uint64][]*waiting), gaps: make(map[int]*gap)}
}

// enter waits for room.
func (r *ring) enter(ctx context.Context) error {
	select {
	case r.room <- struct{}{}:
		return nil
	default:
	}
	select {
	case r.room <- struct{}{}:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("%w: %w", ErrOverflow, context.Cause(ctx))
	}
}

// leave gives a reading's room free.
func (r *ring) leave(w *waiting) {
	if w.roomy {
		<-r.room
	}
}

// drop takes out the oldest reading that was not sent; nil if there is none.
func (r *ring) drop() *waiting {
	for i, w := range r.queued {
		if !w.gapped && !w.again {
			r.queued = append(r.queued[:i:i], r.queued[i+1:]...)
			return w
		}
	}
	return nil
}

// count notes that a reading was dropped of the event whose gap has a number.
func (r *ring) count(number int, ticks int64) {
	g := r.gaps[number]
	if g == nil {
		g = &gap{}
		r.gaps[number] = g
	}
	g.count++
	g.ticks = ticks
}

// report puts what was dropped in front of the readings that wait.
func (r *ring) report() {
	if len(r.gaps) == 0 {
		return
	}
	var told []*waiting
	for _, number := range slices.Sorted(maps.Keys(r.gaps)) {
		g := r.gaps[number]
		told = append(told, &waiting{number: number, ticks: g.ticks, value: appendUint(nil, g.count), gapped: true})
	}
	r.queued = append(told, r.queued...)
	clear(r.gaps)
}

// pack takes up to count readings, of which as many as fit into limit bytes, and returns them packed with the id
// under which they fly. A reading that can never fit is handed back instead, alone.
func (r *ring) pack(count, limit int) (payload []byte, id uint64, tooLarge *waiting) {
	var taken []*waiting
	for len(r.queued) > 0 && len(taken) < count {
		w := r.queued[0]
		at := r.at
		grown := at.append(payload, packedReading{number: w.number, ticks: uint32(w.ticks), value: w.value}, r.bits)
		if len(grown) > limit {
			if len(taken) == 0 {
				r.queued = r.queued[1:]
				return nil, 0, w
			}
			break
		}
		payload = grown
		r.at = at
		taken = append(taken, w)
		r.queued = r.queued[1:]
	}
	r.nextID++
	r.flying[r.nextID] = taken
	return payload, r.nextID, nil
}

// land returns the readings of a frame that was answered.
func (r *ring) land(id uint64) []*waiting {
	w := r.flying[id]
	delete(r.flying, id)
	return w
}

// restart puts the readings of frames, given in their order, back in front: a new numbering begins.
func (r *ring) restart(ids []uint64) {
	var back []*waiting
	for _, id := range ids {
		back = append(back, r.land(id)...)
	}
	for _, w := range back {
		w.again = true
	}
	r.queued = append(back, r.queued...)
	r.at = timeline{}
}

// clear takes out everything.
func (r *ring) clear() (all []*waiting) {
	for id := range r.flying {
		all = append(all, r.land(id)...)
	}
	all = append(all, r.queued...)
	r.queued, r.at = nil, timeline{}
	clear(r.gaps)
	return all
}
