package hub

import (
	"fmt"

	"sighub/carrier"
)

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
func (o *outbox) put(l *Listener, ev *Event, r *fanout) {
	p, err := r.pack(ev, o.client.signals.codec)
	if err == nil {
		err = o.pass(l.out.of(l, ev), p)
	}
	if err != nil {
		o.unsent(l, ev, err)
		o.fill() // the gap is told now, if there is room
	} else {
		o.flow.sent()
	}
	o.touched(r)
}

// pass puts a packed event into the client's stream.
func (o *outbox) pass(r *carrier.OutRoute, p *carrier.PackedSignal) error {
	pending, err := o.client.signals.sink.Put(r, p)
	o.pending = pending
	return err
}

// touched notes that r is to flush the outbox. Others may have to as well: none relies on another, which may be busy.
func (o *outbox) touched(r *fanout) {
	if o.client.signals.sink != nil && o.touchedBy != r {
		o.touchedBy = r
		r.dirty = append(r.dirty, o)
	}
}

// fill passes on what waits, as far as the client takes it. The lock is held; whoever holds it flushes afterwards.
func (o *outbox) fill() {
	var r *fanout // lends its packing, and gets nothing to flush
	for {
		e, ok := o.next()
		if !ok {
			break
		}
		if e.listener.removed.Load() {
			continue
		}
		if r == nil {
			r = o.client.server.newFanout()
			defer r.finish(false)
		}
		r.packed.Reset()
		p, err := r.pack(&e.event, o.client.signals.codec)
		if err == nil {
			err = o.pass(e.listener.out.of(e.listener, &e.event), p)
		}
		if err != nil {
			o.unsent(e.listener, &e.event, err)
			continue
		}
		o.flow.sent()
	}
	o.settled()
}

// signalsAnswered notes that the client has answered signals.
func (o *outbox) signalsAnswered(n int) {
	o.mu.Lock()
	o.pending = o.client.signals.sink.Pending()
	if n > o.flow.inFlight {
		o.closed = true
		o.mu.Unlock()
		o.client.hangUp(fmt.Errorf("%w: it answers what it cannot have read", carrier.ErrLimit))
		return
	}
	o.flow.answered(n)
	before := o.flow.inFlight
	o.fill()
	more := o.flow.inFlight > before
	o.mu.Unlock()
	if more {
		o.client.signals.sink.Flush(true)
	}
}

// flush has written what was put; r is whoever was to do it.
func (o *outbox) flush(r *fanout, now bool) {
	if o.client.signals.sink == nil {
		return
	}
	o.mu.Lock()
	if o.touchedBy == r {
		o.touchedBy = nil
	}
	o.mu.Unlock()
	o.client.signals.sink.Flush(now)
}
