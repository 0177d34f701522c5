package hub

import (
	"fmt"

	"sighub/carrier"
)

// gaps are the losses that a client's listeners have not been told of yet.
type gaps struct {
	before map[gapKey]*Loss // of listeners that want the latest: before everything that waits
	behind map[gapKey]*Loss // of other listeners: after everything that waits
	queued int              // that are among what waits already
}

type gapKey struct {
	listener *Listener
	sender   string
}

// gapLimit bounds the gaps that wait to be told, in multiples of OutboxOptions.Limit. A client with more is disconnected.
const gapLimit = 4

// freeGaps is how many gaps may wait for a client at no cost, because what a full account has no room for becomes a gap. A
// further one costs gapCost bytes. A client that cannot afford it is disconnected.
const (
	freeGaps = 64
	gapCost  = 256
)

// cost returns what all gaps cost, and n more.
func (g *gaps) cost(n int) int { return max(g.len()+g.queued+n-freeGaps, 0) * gapCost }

func (g *gaps) len() int { return len(g.before) + len(g.behind) }

// of returns the map that holds the gaps of a listener.
func (g *gaps) of(l *Listener) *map[gapKey]*Loss {
	if l.policy == Latest {
		return &g.before
	}
	return &g.behind
}

// take removes a gap and returns it.
func (g *gaps) take(key gapKey) *Loss {
	list := *g.of(key.listener)
	loss := list[key]
	delete(list, key)
	return loss
}

// miss counts an event that is not told, for a cause in one word.
func (o *outbox) miss(l *Listener, ev *Event, cause string) {
	o.client.refusals.missed.Add(cause, 1)
	list, key := o.gaps.of(l), gapKey{l, ev.Sender}
	loss := (*list)[key]
	if loss == nil {
		n := o.gaps.len()
		if n/gapLimit >= o.Limit || o.account().Take(o.gaps.cost(1)-o.gaps.cost(0)) != nil {
			o.leave(fmt.Errorf("%w: events of %d senders were lost on the way to a slow client", carrier.ErrLimit, n))
			return
		}
		loss = new(Loss)
		if *list == nil {
			*list = make(map[gapKey]*Loss)
		}
		(*list)[key] = loss
		o.client.dropping(ev.Sender, o.queue.len())
	}
	loss.add(ev.Time, cause)
}

// gap takes a gap and makes an event of it. A legacy client does not know gaps, so of its listeners only those to any event
// are told.
func (o *outbox) gap(key gapKey) (e entry, ok bool) {
	loss := o.gaps.take(key)
	o.gaps.queued++
	if key.listener.removed.Load() || !o.client.hello && key.listener.event != "" {
		o.gapLeft()
		return e, false
	}
	return entry{gap: true, listener: key.listener, event: Event{
		Sender: key.sender, Name: Gap, Time: o.client.server.now(), Data: carrier.ValueOf(*loss),
	}}, true
}

// gapBefore returns a gap that is to be told before anything that waits.
func (o *outbox) gapBefore() (e entry, ok bool) {
	for key := range o.gaps.before {
		if e, ok = o.gap(key); ok {
			o.gapLeft()
			break
		}
	}
	return e, ok
}

// gapLeft counts a gap out that waits no more.
func (o *outbox) gapLeft() {
	o.account().Give(o.gaps.cost(0) - o.gaps.cost(-1))
	o.gaps.queued--
}

// putGaps puts gaps behind what waits, if something may be transmitted now; if not, they would pile up.
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
	}
}
