package hub

import (
	"sync"

	"sighub/carrier"
)

// fanout is what deliveries leave to be done, by whoever makes them: one after the other, or many together.
type fanout struct {
	packed carrier.PackedSignal // the event, as the last remote listener got it
	dirty  []*outbox            // to be flushed
	slow   []slowListener       // want the sender to slow down
	home   *sync.Pool           // where it is kept for the next
}

// newFanout lends one; finish gives it back.
func (r *Router) newFanout() *fanout {
	if free, ok := r.fanouts.Get().(*fanout); ok {
		return free
	}
	return &fanout{home: &r.fanouts}
}

// finish does what is left but for the waiting, and gives r back. A nil r has nothing left.
func (r *fanout) finish(now bool) {
	if r == nil {
		return
	}
	r.flush(now)
	r.forget()
	r.packed.Reset()
	r.home.Put(r)
}

// mustWait tells whether listeners want the sender to slow down.
func (r *fanout) mustWait() bool { return r != nil && len(r.slow) > 0 }

// forget forgets who wants the sender to slow down.
func (r *fanout) forget() {
	clear(r.slow)
	r.slow = r.slow[:0]
}

// flush has written what was put for remote listeners; now: by this goroutine, as far as that needs no waiting.
func (r *fanout) flush(now bool) {
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
func (r *fanout) pack(d *Event, c carrier.Codec) (*carrier.PackedSignal, error) {
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
