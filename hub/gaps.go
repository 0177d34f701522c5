package hub

import (
	"fmt"

	"sighub/carrier"
)

// gaps are what a client's listeners have missed and were not told yet.
type gaps struct {
	before map[gapKey]*Loss // of those that want the latest: they came before all that waits
	behind map[gapKey]*Loss // of others: they came after it
}

type gapKey struct {
	listener *Listener
	sender   string
}

// gapLimit bounds the gaps that wait to be told, in multiples of OutboxOptions.Limit: a client that is that far behind
// is disconnected.
const gapLimit = 4

// scarceGaps is how many gaps may wait for a client when all outboxes together hold as much as they may, and gapCost what
// each of them holds, in bytes.
const (
	scarceGaps = 64
	gapCost    = 256
)

func (g *gaps) len() int { return len(g.before) + len(g.behind) }

// of returns the gaps among which those of a listener are.
func (g *gaps) of(l *Listener) *map[gapKey]*Loss {
	if l.policy == Latest {
		return &g.before
	}
	return &g.behind
}

// take takes a gap, to tell of it.
func (g *gaps) take(key gapKey) *Loss {
	list := *g.of(key.listener)
	loss := list[key]
	delete(list, key)
	return loss
}

// miss counts an event that is dropped.
func (o *outbox) miss(l *Listener, ev *Event) {
	list, key := o.gaps.of(l), gapKey{l, ev.Sender}
	loss := (*list)[key]
	if loss == nil {
		if n := o.gaps.len(); n/gapLimit >= o.Limit || n >= scarceGaps && o.scarce() {
			o.leave(fmt.Errorf("%w: events of %d senders were lost on the way to a slow client", carrier.ErrLimit, n))
			return
		}
		loss = new(Loss)
		if *list == nil {
			*list = make(map[gapKey]*Loss)
		}
		(*list)[key] = loss
		o.client.server.held.Add(gapCost)
		o.client.dropping(ev.Sender, o.queue.len())
	}
	loss.add(ev.Time)
}

// gap makes a gap an event. A legacy client knows no gaps: only a listener of its that hears any event is told.
func (o *outbox) gap(key gapKey) (e entry, ok bool) {
	loss := o.gaps.take(key)
	o.client.server.held.Add(-gapCost)
	if key.listener.removed.Load() || !o.client.hello && key.listener.event != "" {
		return e, false
	}
	return entry{listener: key.listener, event: Event{
		Sender: key.sender, Name: Gap, Time: o.client.server.now(), Data: carrier.ValueOf(*loss),
	}}, true
}

// gapBefore returns what is to be told before anything that waits.
func (o *outbox) gapBefore() (e entry, ok bool) {
	for key := range o.gaps.before {
		if e, ok = o.gap(key); ok {
			break
		}
	}
	return e, ok
}

// putGaps puts gaps behind what waits, unless nothing of it may be transmitted now: they would pile up.
func (o *outbox) putGaps() {
	if len(o.gaps.behind) == 0 || !o.ready() {
		return
	}
	for key := range o.gaps.behind {
		o.putGap(key)
	}
}

func (o *outbox) putGap(key gapKey) {
	if e, ok := o.gap(key); ok {
		o.queue.push(e)
		o.hold(1, 0)
	}
}
