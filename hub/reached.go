package hub

import (
	"sync"

	"sighub/carrier"
)

// reached is what deliveries leave to be done, by whoever makes them: one after the other, or many together.
type reached struct {
	packed carrier.PackedSignal // the event, as the last remote listener got it
	dirty  []*outbox            // to be flushed
	over   []overdue            // want the sender to slow down
	home   *sync.Pool           // where it is kept for the next
}

// newReached lends one; finish gives it back.
func (r *Router) newReached() *reached {
	if free, ok := r.reached.Get().(*reached); ok {
		return free
	}
	return &reached{home: &r.reached}
}

// finish does what is left but for the waiting, and gives r back. A nil r has nothing left.
func (r *reached) finish(now bool) {
	if r == nil {
		return
	}
	r.flush(now)
	r.lose()
	r.packed.Reset()
	r.home.Put(r)
}

// wantsPatience tells whether listeners want the sender to slow down.
func (r *reached) wantsPatience() bool { return r != nil && len(r.over) > 0 }

// lose forgets who wants the sender to slow down.
func (r *reached) lose() {
	clear(r.over)
	r.over = r.over[:0]
}

// flush has written what was put for remote listeners; now: by this goroutine, as far as that needs no waiting.
func (r *reached) flush(now bool) {
	if r == nil {
		return
	}
	for _, o := range r.dirty {
		o.flush(r, now)
	}
	clear(r.dirty)
	r.dirty = r.dirty[:0]
}

// pack returns the event packed in a codec. For any number of listeners in a row with the same codec it is packed once.
func (r *reached) pack(d *Event, c carrier.Codec) (*carrier.PackedSignal, error) {
	if r.packed.Is(c) {
		return &r.packed, nil
	}
	s := signalOf(d)
	if err := r.packed.Pack(c, &s); err != nil {
		r.packed.Reset()
		return nil, err
	}
	return &r.packed, nil
}

func signalOf(ev *Event) carrier.Signal {
	s := carrier.Signal{Uncertainty: int64(ev.Uncertainty), Seq: ev.Seq, Data: ev.Data}
	if y := ev.Time.UTC().Year(); y >= 1970 && y <= 2261 { // what a signal can say
		s.Time = ev.Time.UnixNano()
	}
	return s
}
