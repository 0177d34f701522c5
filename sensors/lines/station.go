package lines

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"time"

	"sighub/carrier"
	"sighub/carrier/serial"
	"sighub/hub"
	"sighub/sensors/lines/formats"
)

// A station has the senders of one port. They stay, with what is known of them, when the port has gone. One goroutine uses it.
type station struct {
	speaker *Speaker
	name    string
	places  map[string]*place // by [formats.Event.Of]
	names   map[string]string // what nodes of MySensors have called their children, by Of
	asked   map[int]bool      // nodes that were asked to present themselves
}

// maxPlaces bounds the senders of one port.
const maxPlaces = 512

func newStation(s *Speaker) *station {
	return &station{
		speaker: s, name: s.options.SenderAt(s.place.Path, s.place.SerialNumber), places: make(map[string]*place), names: make(map[string]string),
		asked: make(map[int]bool),
	}
}

// senderName returns the name of a sender.
func (st *station) senderName(of string) string {
	switch {
	case of == "":
		return st.name
	case st.speaker.options.Names[of] != "":
		return st.speaker.options.Names[of]
	case st.names[of] != "":
		return st.name + "." + st.names[of]
	}
	return st.name + "." + of
}

// place returns the place of a sender; nil if there are too many.
func (st *station) place(of string) *place {
	p := st.places[of]
	if p == nil && len(st.places) < maxPlaces {
		p = &place{station: st, of: of, known: make(map[string]*eventState), held: make(map[string]heldReading)}
		for _, event := range st.speaker.options.Events {
			if of == "" {
				p.know(event, "")
			}
		}
		st.places[of] = p
	}
	return p
}

// take takes the events of a line.
func (st *station) take(ctx context.Context, parser formats.Parser, list []formats.Event, i *item) {
	for len(list) > 0 { // the events of one sender follow each other
		n := 1
		for n < len(list) && list[n].Of == list[0].Of {
			n++
		}
		if p := st.place(list[0].Of); p != nil {
			p.take(ctx, parser, list[:n], i)
		} else {
			st.speaker.complain(errLimit, i.text, i.at)
		}
		list = list[n:]
	}
}

// alive notes that a line was understood that has no events.
func (st *station) alive(at time.Time) {
	for _, p := range st.places {
		if p.of == "" && p.sender != nil {
			p.last = at
		}
	}
}

// refused notes what listeners must know of a line that was refused: that a reading was lost.
func (st *station) refused(err error, at time.Time) {
	if v, ok := errors.AsType[*formats.ValueError](err); ok {
		st.lose(v.Of, v.Event, carrier.Cause(err), 1, at)
	} else if errors.Is(err, formats.ErrDamaged) {
		st.lose("", "", carrier.Cause(err), 1, at)
	}
}

// lose counts lost readings of a sender that is connected; an empty event stands for any.
func (st *station) lose(of, event, cause string, n uint64, at time.Time) {
	if p := st.places[of]; p != nil && p.sender != nil {
		p.lose(event, cause, n, at)
	}
}

// rename gives a sender another name, under which it connects anew.
func (st *station) rename(of, name string) {
	if st.names[of] == name {
		return
	}
	for other, taken := range st.names {
		if taken == name && other != of { // two of a name: the second one keeps its number
			return
		}
	}
	if len(st.names) >= maxPlaces {
		return
	}
	st.names[of] = name
	if p := st.places[of]; p != nil && p.sender != nil && p.name != st.senderName(of) {
		p.disconnect("renamed to " + st.senderName(of))
	}
}

// disconnect disconnects all senders.
func (st *station) disconnect(reason string) {
	for _, of := range slices.Sorted(maps.Keys(st.places)) {
		st.places[of].disconnect(reason)
	}
}

// timeOut disconnects senders of which nothing was understood for too long.
func (st *station) timeOut(now time.Time) {
	if st.speaker.options.Silence == 0 {
		return
	}
	connected := false
	for _, of := range slices.Sorted(maps.Keys(st.places)) {
		p := st.places[of]
		if p.sender == nil {
			continue
		}
		if now.Sub(p.last) < st.speaker.options.Silence {
			connected = true
			continue
		}
		p.disconnect("timeout")
		st.speaker.log.Warn("nothing was understood for too long: the sender counts as gone", "sender", p.name, "silence", st.speaker.options.Silence)
		if !connected {
			st.speaker.tally.enter(now, serial.PortSilent)
		}
	}
	if connected {
		st.speaker.tally.enter(now, serial.PortConnected)
	}
}

// deadline returns when the next sender times out; zero: none does.
func (st *station) deadline() (first time.Time) {
	if st.speaker.options.Silence == 0 {
		return first
	}
	for _, p := range st.places {
		if at := p.last.Add(st.speaker.options.Silence); p.sender != nil && (first.IsZero() || at.Before(first)) {
			first = at
		}
	}
	return first
}

// means reports whether the options name an event, so that it is none by chance.
func (s *Speaker) means(event string) bool {
	_, unit := s.options.Units[event]
	_, low := s.options.Min[event]
	_, high := s.options.Max[event]
	return unit || low || high
}

// outside returns an error if a value is beyond what the options say of its event.
func (s *Speaker) outside(e *formats.Event) error {
	v, ok := e.Value.(float64)
	low, hasLow := s.options.Min[e.Name]
	high, hasHigh := s.options.Max[e.Name]
	if !ok || (!hasLow || v >= low) && (!hasHigh || v <= high) {
		return nil
	}
	unit := s.options.Units[e.Name]
	if unit == "" {
		unit = e.Unit
	}
	if unit != "" {
		unit = " " + unit
	}
	can := strconv.FormatFloat(low, 'f', -1, 64) + " to " + strconv.FormatFloat(high, 'f', -1, 64)
	switch {
	case !hasHigh:
		can = strconv.FormatFloat(low, 'f', -1, 64) + " or more"
	case !hasLow:
		can = strconv.FormatFloat(high, 'f', -1, 64) + " or less"
	}
	return &formats.ValueError{Of: e.Of, Event: e.Name, Err: fmt.Errorf("%w: it is %v%s, but can only be %s%s", formats.ErrRange, v, unit, can, unit)}
}

// router returns where senders are.
func (s *Speaker) router() *hub.Router { return s.place.Router() }
