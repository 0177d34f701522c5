package hub

import (
	"sync"

	"sighub/carrier"
)

// A fanout is what the delivery of an event to remote listeners leaves to be done by whoever delivers it, for one event or
// for many together.
type fanout struct {
	packed carrier.PackedSignal // the event, as the last remote listener got it
	dirty  []*outbox            // to be flushed
	slow   []slowListener       // want the sender to slow down
	pool   *sync.Pool           // where it goes when it is finished
}

// newFanout returns a fanout from the pool; finish gives it back.
func (r *Router) newFanout() *fanout {
	if free, ok := r.fanouts.Get().(*fanout); ok {
		return free
	}
	return &fanout{pool: &r.fanouts}
}

// finish does what is left, except for waiting, and gives f back to the pool. f may be nil.
func (f *fanout) finish(now bool) {
	if f == nil {
		return
	}
	f.flush(now)
	f.forget()
	f.packed.Reset()
	f.pool.Put(f)
}

// mustWait reports whether listeners want the sender to slow down.
func (f *fanout) mustWait() bool { return f != nil && len(f.slow) > 0 }

// forget drops the slow listeners.
func (f *fanout) forget() {
	clear(f.slow)
	f.slow = f.slow[:0]
}

// flush has what was put for remote listeners written: if now is true, on this goroutine, as far as that does not block.
func (f *fanout) flush(now bool) {
	if f == nil {
		return
	}
	for _, o := range f.dirty {
		o.flush(f, now)
	}
	clear(f.dirty)
	f.dirty = f.dirty[:0]
}

// pack returns the event packed in a codec. It packs once for any number of listeners in a row with the same codec.
func (f *fanout) pack(d *Event, c carrier.Codec) (*carrier.PackedSignal, error) {
	if f.packed.Is(c) {
		return &f.packed, nil
	}
	s := signalOf(d)
	if err := f.packed.Pack(c, &s); err != nil {
		f.packed.Reset()
		return nil, err
	}
	return &f.packed, nil
}

func signalOf(ev *Event) carrier.Signal {
	s := carrier.Signal{Uncertainty: int64(ev.Uncertainty), Seq: ev.Seq, Data: ev.Data}
	if tellable(ev.Time) {
		s.Time = ev.Time.UnixNano()
	}
	return s
}
