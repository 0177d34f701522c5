package metrics

import "sighub/bridge"

// A span is one number of a bridge.
type span struct {
	name, help string
	kind       kind
	value      func(b *bridge.Status) (v float64, ok bool)
}

// spans are the numbers of a bridge.
var spans = []span{
	{"bridge_up", "Whether the other side of the bridge can be reached.", gauge, func(b *bridge.Status) (float64, bool) {
		if b.Connected {
			return 1, true
		}
		return 0, true
	}},
	{"bridge_state_timestamp_seconds", "When the bridge was connected, or when the connection was lost.", gauge, func(b *bridge.Status) (float64, bool) {
		return float64(b.Since.UnixMilli()) / 1000, !b.Since.IsZero()
	}},
	{"bridge_waiting_events", "Events of the journal that the other side has not acknowledged.", gauge, func(b *bridge.Status) (float64, bool) {
		return float64(b.Lag), true
	}},
	{"bridge_oldest_waiting_timestamp_seconds", "Time of the oldest of them.", gauge, func(b *bridge.Status) (float64, bool) {
		if b.Oldest == nil {
			return 0, false
		}
		return float64(b.Oldest.UnixMilli()) / 1000, true
	}},
	{"bridge_room_seconds", "For how long the journal still keeps the oldest of them, if as much goes on being reported.", gauge, func(b *bridge.Status) (float64, bool) {
		if b.Left == nil {
			return 0, false
		}
		return *b.Left * 3600, true
	}},
	{"bridge_sent_events", "Events that the other side has acknowledged.", counter, func(b *bridge.Status) (float64, bool) { return float64(b.Sent), true }},
	{"bridge_refused_events", "Events that the other side does not take.", counter, func(b *bridge.Status) (float64, bool) { return float64(b.Refused), true }},
	{"bridge_lost_events", "Events that the journal had no more when they were to go on.", counter, func(b *bridge.Status) (float64, bool) { return float64(b.Lost), true }},
}

func (h *Hub) bridges(w *writer) {
	if h.Bridges == nil {
		return
	}
	list := h.Bridges()
	for _, s := range spans {
		w.family(s.name, s.kind, s.help)
		for i := range list {
			if v, ok := s.value(&list[i]); ok {
				w.value(v, label{"bridge", list[i].Name}, label{"kind", list[i].Kind})
			}
		}
	}
}
