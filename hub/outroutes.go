package hub

import "sighub/carrier"

// outRoutes are the routes of a remote listener on its connection. Most listeners have one.
type outRoutes struct {
	latest *carrier.OutRoute
	all    map[routeKey]*carrier.OutRoute // nil as long as there is one route
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
			clear(rs.all) // senders come and go; the routes of those that are still there are told again
		}
		if rs.all != nil {
			rs.all[key] = r
		}
	}
	rs.latest = r
	return r
}
