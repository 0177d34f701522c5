package homeassistant

import (
	"maps"
	"slices"
	"time"

	"sighub/hub"
)

// A roster is what is known of senders, connected or not: what was announced must be cleared when it is there no more, and a device
// that is away must not be.
type roster struct {
	senders map[string]*known
	plan    *rosterOptions
	full    bool // somebody was left out
}

// rosterOptions say what is remembered, and for how long.
type rosterOptions struct {
	own    []string // senders of the hub's own that there can be; nil: any
	takes  func(sender, event string) bool
	asks   func(sender, request string) bool
	forget time.Duration
}

// allowed leaves of a sender what is announced, and reports whether that is something.
func (o *rosterOptions) allowed(s *known) bool {
	if o.takes != nil {
		s.Events = slices.DeleteFunc(s.Events, func(e knownEvent) bool { return !o.takes(s.Name, e.Name) })
	}
	if o.asks != nil {
		s.Requests = slices.DeleteFunc(s.Requests, func(request string) bool { return !o.asks(s.Name, request) })
	}
	return len(s.Events) > 0 || len(s.Requests) > 0
}

// review leaves of all senders what is announced.
func (r *roster) review() {
	for name, s := range r.senders {
		if !r.plan.allowed(s) {
			delete(r.senders, name)
		}
	}
}

// known is what is known of a sender. Its fields are those of the file.
type known struct {
	Name     string       `json:"sender"`
	UID      string       `json:"uid,omitempty"`
	Device   string       `json:"device,omitempty"` // its name
	Own      bool         `json:"own,omitempty"`    // it is the hub's own
	Events   []knownEvent `json:"events,omitempty"`
	Requests []string     `json:"requests,omitempty"`
	Came     time.Time    `json:"came"` // when it connected
	Seen     time.Time    `json:"seen"` // when it connected, or when it was seen to be gone

	connected bool
	client    uint64    // whose sender it is; 0: the hub's own, or one of a former run of the hub
	leaving   time.Time // when it is removed, unless it comes back; zero: it is not
}

type knownEvent struct {
	Name string `json:"event"`
	Unit string `json:"unit,omitempty"`
	Kind Kind   `json:"kind,omitempty"`
}

// Bounds of what is remembered.
const (
	maxSenders = 4096
	maxEvents  = 1024 // of a sender
)

// settle is how long a sender may be away that has left for good, as it seems, until it is removed: while a device registers its senders
// one after another, or a program is started again.
const settle = 10 * time.Second

// connected notes that a sender is there, with what it offers. It reports whether something has changed.
func (r *roster) connected(s *known, now time.Time) bool {
	s.Came, s.Seen, s.connected = now, now, true
	if !r.plan.allowed(s) {
		_, had := r.senders[s.Name]
		delete(r.senders, s.Name)
		return had
	}
	s.Events = s.Events[:min(len(s.Events), maxEvents)]
	s.Requests = s.Requests[:min(len(s.Requests), maxEvents)]
	before := r.senders[s.Name]
	if before == nil && !r.room() {
		r.full = true
		return false
	}
	same := before != nil && before.UID == s.UID && before.Device == s.Device && before.Own == s.Own && slices.Equal(before.Requests, s.Requests) &&
		len(before.Events) == len(s.Events)
	if before != nil && before.UID == s.UID { // what its data is, it has shown before
		for i := range s.Events {
			e := &s.Events[i]
			if old := before.event(e.Name); old != nil && old.Unit == e.Unit {
				e.Kind = old.Kind
			} else {
				same = false
			}
		}
	}
	r.senders[s.Name] = s
	if s.UID != "" { // the device says anew what it has
		for _, other := range r.senders {
			if other.UID == s.UID && !other.connected && other.leaving.IsZero() {
				other.leaving, same = now.Add(settle), false
			}
		}
	}
	return !same
}

// room makes room for one more sender, and reports whether there is.
func (r *roster) room() bool {
	if len(r.senders) < maxSenders {
		return true
	}
	var oldest *known
	for _, s := range r.senders {
		if !s.connected && (oldest == nil || s.Seen.Before(oldest.Seen)) {
			oldest = s
		}
	}
	if oldest == nil {
		return false
	}
	delete(r.senders, oldest.Name)
	return true
}

// disconnected notes that a sender has gone. It reports whether it is to be removed before long.
func (r *roster) disconnected(name, reason string, now time.Time) bool {
	s := r.senders[name]
	if s == nil {
		return false
	}
	s.Seen, s.connected = now, false
	if reason != "removed" && !r.replaced(s) {
		return false
	}
	s.leaving = now.Add(settle)
	return true
}

// replaced reports whether the device of a sender has come back already, as another client, before it was noticed that it was away.
func (r *roster) replaced(s *known) bool {
	if s.UID == "" {
		return false
	}
	for _, other := range r.senders {
		if other.UID == s.UID && other.client != s.client && !other.Came.Before(s.Came) {
			return true
		}
	}
	return false
}

// value notes what data of an event is. It reports whether that was not known.
func (r *roster) value(sender, event string, kind Kind) bool {
	s := r.senders[sender]
	if s == nil {
		return false
	}
	e := s.event(event)
	if e == nil {
		return false
	}
	before := e.Kind
	e.Kind = before.and(kind)
	return e.Kind != before && e.Unit == "" // if there is a unit, it does not matter
}

// and returns what data is that was of one kind, and is of another one now. So it changes seldom, whatever is reported.
func (k Kind) and(now Kind) Kind {
	switch {
	case k == now || now == Nothing && k != Unknown: // null may stand for a value that is missing
		return k
	case k == Unknown || k == Nothing:
		return now
	case k == Other || now == Other:
		return Other
	default:
		return Text
	}
}

func (s *known) event(name string) *knownEvent {
	for i := range s.Events {
		if s.Events[i].Name == name {
			return &s.Events[i]
		}
	}
	return nil
}

// tidy removes those who have left, and returns when it may have to be called again; zero: nobody knows.
func (r *roster) tidy(now time.Time) (next time.Time) {
	for name, s := range r.senders {
		end := s.leaving
		if forgotten := s.Seen.Add(r.plan.forget); end.IsZero() || forgotten.Before(end) {
			end = forgotten
		}
		switch {
		case s.connected:
			s.leaving = time.Time{}
		case s.Own && r.plan.own != nil && s.leaving.IsZero() && !slices.Contains(r.plan.own, name):
			s.leaving = now.Add(settle)
			if next.IsZero() || s.leaving.Before(next) {
				next = s.leaving
			}
		case !end.After(now):
			delete(r.senders, name)
		case next.IsZero() || end.Before(next):
			next = end
		}
	}
	return next
}

// devices returns the devices whose senders these are, the hub itself first.
func (r *roster) devices(interval func(sender, event string) time.Duration) []Device {
	all := map[string]*Device{"": {}}
	latest := make(map[string]time.Time) // when the name of a device was told
	for _, name := range sortedKeys(r.senders) {
		s := r.senders[name]
		d := all[s.UID]
		if d == nil {
			d = &Device{UID: s.UID}
			all[s.UID] = d
		}
		if s.UID != "" && !s.Came.Before(latest[s.UID]) {
			d.Name, latest[s.UID] = s.Device, s.Came
		}
		sender := Sender{Name: name, Requests: s.Requests}
		for _, e := range s.Events {
			event := Event{Name: e.Name, Unit: e.Unit, Kind: e.Kind}
			if interval != nil {
				event.Interval = interval(name, e.Name)
			}
			sender.Events = append(sender.Events, event)
		}
		d.Senders = append(d.Senders, sender)
	}
	list := make([]Device, 0, len(all))
	for _, uid := range sortedKeys(all) {
		list = append(list, *all[uid])
	}
	return list
}

// topics returns the retained topics of all senders.
func (r *roster) topics(t Topics) map[string]bool {
	all := map[string]bool{t.Hub(): true}
	for name, s := range r.senders {
		all[t.State(name)] = true
		for _, e := range s.Events {
			all[t.Event(name, e.Name)] = true
		}
	}
	return all
}

// kindOf returns what data is, in JSON.
func kindOf(data []byte) Kind {
	if len(data) == 0 {
		return Nothing
	}
	switch c := data[0]; {
	case c == 'n':
		return Nothing
	case c == 't' || c == 'f':
		return Boolean
	case c == '"':
		return Text
	case c == '-' || c >= '0' && c <= '9':
		return Number
	default:
		return Other
	}
}

// sortedKeys returns the keys of a map in their order.
func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }

// named returns the requests that have a name.
func named(requests []*string) (list []string) {
	for _, r := range requests {
		if r != nil {
			list = append(list, *r)
		}
	}
	return list
}

// builtIn reports whether all senders have the event.
func builtIn(event string) bool {
	return event == hub.Connect || event == hub.Disconnect || event == hub.Gap
}
