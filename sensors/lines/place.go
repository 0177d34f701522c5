package lines

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"sighub/carrier"
	"sighub/hub"
	"sighub/sensors/lines/formats"
)

// A place is one sender of a station, connected or not, with what is known of its events.
type place struct {
	station *station
	of      string
	known   map[string]*eventState // what it offers
	held    map[string]heldReading // names that came once
	last    time.Time              // when something of it was understood last

	payloads map[int]string // of a child of a node: the latest value of each variable

	name    string // while it is connected
	sender  *hub.Sender
	gap     *hub.Signal
	anyLoss hub.Loss  // of readings whose event is not known
	retryAt time.Time // if the hub did not take it
}

// An eventState is what is known of one event.
type eventState struct {
	unit   string
	given  string // the unit that the lines give, which may be another one
	kind   kind
	odd    int // values of another kind that came in a row
	signal *hub.Signal
	loss   hub.Loss
	lost   uint64 // since the event was good last
}

// A heldReading is a reading of a name that has come once.
type heldReading struct {
	event formats.Event
	at    time.Time
}

// A kind is what a value is.
type kind int

const (
	unknownKind kind = iota
	numberKind
	textKind
	boolKind
	positionKind
)

func kindOf(value any) kind {
	switch value.(type) {
	case float64:
		return numberKind
	case string:
		return textKind
	case bool:
		return boolKind
	}
	return positionKind
}

func (k kind) String() string {
	return [...]string{"unknown", "a number", "a text", "true or false", "a position"}[k]
}

const (
	maxEvents = 128 // of a sender
	maxHeld   = 32  // names that came once
	manyOdd   = 3   // values of another kind in a row mean that the event has changed
	retryName = 5 * time.Second
)

// errUnit is the kind of refusals of a value whose unit is not that of its event, which listeners were told when it connected.
var errUnit = carrier.NewRefusal("a value in another unit", "unit")

// errKind is the kind of refusals of a value whose kind is not that of its event: where there is no checksum, it was damaged.
var errKind = carrier.NewRefusal("a value of another kind", "kind")

// know adds an event.
func (p *place) know(name, unit string) *eventState {
	e := p.known[name]
	if e != nil || len(p.known) >= maxEvents {
		return e
	}
	o := &p.station.speaker.options
	if u := o.Units[name]; u != "" {
		unit = u
	}
	e = &eventState{unit: unit}
	_, low := o.Min[name]
	_, high := o.Max[name]
	if low || high {
		e.kind = numberKind
	}
	p.known[name] = e
	return e
}

// take takes the events of a line.
func (p *place) take(ctx context.Context, parser formats.Parser, list []formats.Event, i *item) {
	s := p.station.speaker
	at := i.at
	p.last = at
	if len(s.options.Events) > 0 {
		list = slices.DeleteFunc(slices.Clone(list), func(e formats.Event) bool { return !slices.Contains(s.options.Events, e.Name) })
	}
	more, held := p.learn(parser, list, i)
	if more && p.sender != nil {
		p.disconnect("changed")
	}
	if !p.connect(at) {
		return
	}
	for _, h := range held {
		p.report(ctx, &h.event, h.at, i.text)
	}
	for n := range list {
		if e := &list[n]; p.known[e.Name] != nil {
			p.report(ctx, e, at, i.text)
		}
	}
}

// learn adds events that are new, and reports whether there are some. It returns readings that were held back because their names
// were new.
func (p *place) learn(parser formats.Parser, list []formats.Event, i *item) (more bool, held []heldReading) {
	s := p.station.speaker
	sure := s.options.Format != formats.Pairs && s.options.Format != formats.JSON || len(p.known) == 0
	for n := range list {
		e := &list[n]
		if state := p.known[e.Name]; state != nil {
			if state.unit == "" && e.Unit != "" && p.sender == nil {
				state.unit = e.Unit
			}
			continue
		}
		if h, before := p.held[e.Name]; before {
			delete(p.held, e.Name)
			held = append(held, h)
		} else if !sure && !s.means(e.Name) {
			p.hold(e, i)
			continue
		}
		family := []formats.Event{*e}
		if v, ok := parser.(formats.Vocabulary); ok && len(s.options.Events) == 0 {
			family = append(family, v.Family(*e)...)
		}
		for _, f := range family {
			if p.known[f.Name] == nil {
				if p.know(f.Name, f.Unit) == nil {
					s.complain(errLimit, i.text, i.at)
					break
				}
				more = true
			}
		}
	}
	return more, held
}

// hold keeps a reading whose name is new until the name comes again. The oldest one goes if there are many.
func (p *place) hold(e *formats.Event, i *item) {
	if len(p.held) >= maxHeld {
		oldest := ""
		for name, h := range p.held {
			if oldest == "" || h.at.Before(p.held[oldest].at) {
				oldest = name
			}
		}
		delete(p.held, oldest)
		p.station.speaker.complain(fmt.Errorf("%w: it came once and not again", formats.ErrName), oldest, i.at)
	}
	p.held[e.Name] = heldReading{*e, i.at}
}

// connect connects the sender, unless it is connected already, and reports whether it is.
func (p *place) connect(now time.Time) bool {
	if p.sender != nil {
		return true
	}
	if len(p.known) == 0 && len(p.requests()) == 0 || now.Before(p.retryAt) {
		return false
	}
	s := p.station.speaker
	name := p.station.senderName(p.of)
	o := hub.SenderOptions{Units: make(map[string]string), Requests: p.requests()}
	o.Events = slices.Sorted(maps.Keys(p.known))
	for event, e := range p.known {
		if e.unit != "" {
			o.Units[event] = e.unit
		}
	}
	sender, err := s.router().AddSender(name, o)
	if err == nil {
		err = p.signals(sender)
	}
	if news := s.tally.connected(name, err, now); err != nil {
		if p.retryAt = now.Add(retryName); news {
			s.log.Error("the hub does not take a sender", "sender", name, "error", err)
		}
		s.tally.refuse(err, 1, now)
		return false
	}
	s.log.Info("the sender is connected", "sender", name, "format", s.options.Format)
	return true
}

// signals gets the signals of a sender that was added.
func (p *place) signals(sender *hub.Sender) (err error) {
	defer func() {
		if err != nil {
			sender.Remove()
		}
	}()
	for event, e := range p.known {
		if e.signal, err = sender.Signal(event); err != nil {
			return err
		}
	}
	if p.gap, err = sender.Signal(hub.Gap); err != nil {
		return err
	}
	p.sender, p.name = sender, sender.Name()
	return nil
}

// disconnect disconnects the sender, if it is connected.
func (p *place) disconnect(reason string) {
	if p.sender == nil {
		return
	}
	p.tellLosses(context.Background())
	p.sender.RemoveBecause(reason)
	p.station.speaker.tally.disconnected(p.name)
	p.sender, p.gap, p.retryAt = nil, nil, time.Time{}
	for _, e := range p.known {
		e.signal, e.lost = nil, 0
	}
	p.station.speaker.log.Info("the sender is disconnected", "sender", p.name, "reason", reason)
}

// report reports a reading, unless it cannot be true.
func (p *place) report(ctx context.Context, e *formats.Event, at time.Time, line string) {
	s := p.station.speaker
	state := p.known[e.Name]
	err := state.fits(e)
	if err == nil {
		err = s.outside(e)
	}
	if err != nil {
		s.complain(err, line, at)
		p.lose(e.Name, carrier.Cause(err), 1, at)
		return
	}
	p.tellLoss(ctx, &p.anyLoss)
	p.tellLoss(ctx, &state.loss)
	state.lost = 0
	if !e.At.IsZero() {
		at = e.At
	}
	if err := state.signal.TriggerAt(ctx, e.Value, at, 0); err != nil {
		if ctx.Err() == nil {
			s.complain(err, line, at)
		}
		return
	}
	s.tally.read(time.Now())
}

// fits returns an error unless a value is of its event's kind and unit.
func (e *eventState) fits(event *formats.Event) error {
	if e.given == "" {
		e.given = event.Unit
	} else if event.Unit != "" && event.Unit != e.given {
		return &formats.ValueError{Of: event.Of, Event: event.Name, Err: fmt.Errorf("%w: it is in %s, and was in %s before", errUnit, event.Unit, e.given)}
	}
	k := kindOf(event.Value)
	if e.kind == unknownKind {
		e.kind = k
	}
	if k == e.kind {
		e.odd = 0
		return nil
	}
	if e.odd++; e.odd >= manyOdd {
		e.kind, e.odd = k, 0
		return nil
	}
	return &formats.ValueError{Of: event.Of, Event: event.Name, Err: fmt.Errorf("%w: it is %v, and was %v before", errKind, k, e.kind)}
}

// lose counts lost readings, and tells listeners of them now and then; else with the next good one.
func (p *place) lose(event, cause string, n uint64, at time.Time) {
	loss, total := &p.anyLoss, n
	if event != "" {
		e := p.known[event]
		if e == nil {
			return
		}
		loss = &e.loss
		e.lost += n
		total = e.lost
	}
	if loss.Count == 0 {
		*loss = hub.Loss{First: at, Event: event, Cause: cause}
	} else if loss.Cause != cause {
		loss.Cause = "several"
	}
	loss.Count += n
	loss.Last = at
	if event != "" && seldom(total) {
		p.tellLoss(context.Background(), loss)
	}
}

// tellLoss tells listeners of lost readings, if there are any.
func (p *place) tellLoss(ctx context.Context, loss *hub.Loss) {
	if loss.Count == 0 || p.gap == nil {
		return
	}
	told := *loss
	*loss = hub.Loss{}
	if err := p.gap.TriggerAt(ctx, told, told.Last, 0); err != nil {
		p.station.speaker.log.Debug("the hub does not accept a gap", "sender", p.name, "error", err)
	}
}

func (p *place) tellLosses(ctx context.Context) {
	p.tellLoss(ctx, &p.anyLoss)
	for _, name := range slices.Sorted(maps.Keys(p.known)) {
		p.tellLoss(ctx, &p.known[name].loss)
	}
}
