package hub

import "sighub/carrier"

// outRoutes are a remote listener's routes on its connection: one, unless it hears many events.
type outRoutes struct {
	latest *carrier.OutRoute
	all    map[routeKey]*carrier.OutRoute // nil for as long as one is all
}

type routeKey struct{ sender, event string }

// of returns the route of an event.
func (rs *outRoutes) of(l *Listener, ev *Event) *carrier.OutRoute {
	if r := rs.latest; r != nil && r.Sender == ev.Sender && r.Event == ev.Name {
		return r
	}
	key := routeKey{ev.Sender, ev.Name}
	r := rs.all[key]
	if r == nil {
		r = &carrier.OutRoute{Route: carrier.Route{Listener: l.id, Sender: ev.Sender, Event: ev.Name}}
		if rs.latest != nil && rs.all == nil {
			rs.all = map[routeKey]*carrier.OutRoute{{rs.latest.Sender, rs.latest.Event}: rs.latest}
		}
		if len(rs.all) >= carrier.MaxRoutes {
			clear(rs.all) // senders come and go; those that are there are told anew
		}
		if rs.all != nil {
			rs.all[key] = r
		}
	}
	rs.latest = r
	return r
}

// put passes an event on to the client's stream of signals. The lock is held.
func (o *outbox) put(l *Listener, ev *Event, r *reached) {
	p, err := r.pack(ev, o.remote.signals.codec)
	if err == nil {
		o.pending, err = o.remote.signals.sink.Put(l.out.of(l, ev), p)
	}
	if err != nil {
		o.unsent(l, ev, err)
		return
	}
	o.inFlight++
	o.touched(r)
}

// touched notes that the outbox is to be flushed, once.
func (o *outbox) touched(r *reached) {
	if o.remote.signals.sink != nil && !o.dirty {
		o.dirty = true
		r.dirty = append(r.dirty, o)
	}
}

// fill passes on what waits, as far as the client takes it. The lock is held; whoever holds it flushes afterwards.
func (o *outbox) fill() {
	var packed carrier.PackedSignal
	for {
		e, ok := o.next()
		if !ok {
			break
		}
		if e.listener.removed.Load() {
			continue
		}
		s := signalOf(&e.event)
		err := packed.Pack(o.remote.signals.codec, &s)
		if err == nil {
			o.pending, err = o.remote.signals.sink.Put(e.listener.out.of(e.listener, &e.event), &packed)
		}
		if err != nil {
			o.unsent(e.listener, &e.event, err)
			continue
		}
		o.inFlight++
	}
	o.settled()
}

// signalsAnswered notes that the client has answered signals.
func (o *outbox) signalsAnswered(n int) {
	o.mu.Lock()
	o.inFlight = max(o.inFlight-n, 0) // a client that answers more than there were gains nothing
	o.pending = 0                     // it is known again with the next Put
	before := o.inFlight
	o.fill()
	more := o.inFlight > before
	o.mu.Unlock()
	if more {
		o.remote.signals.sink.Flush(true)
	}
}

// flush has written what was put.
func (o *outbox) flush(now bool) {
	if o.remote.signals.sink == nil {
		return
	}
	o.mu.Lock()
	o.dirty = false
	o.mu.Unlock()
	o.remote.signals.sink.Flush(now)
}
