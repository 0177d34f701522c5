package hub

import "sighub/carrier"

// reached is what deliveries leave to be done, by whoever makes them: one after the other, or many together.
type reached struct {
	packed carrier.PackedSignal // the event, as the last remote listener got it
	dirty  []*outbox            // to be flushed
	over   []*outbox            // want the sender to slow down
}

// flush has written what was put for remote listeners; now: by this goroutine, as far as that needs no waiting.
func (r *reached) flush(now bool) {
	for _, o := range r.dirty {
		o.flush(now)
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
	if !ev.Time.IsZero() {
		s.Time = ev.Time.UnixNano()
	}
	return s
}
