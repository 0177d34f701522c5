package hub

import (
	"context"
	"fmt"
	"time"

	"sighub/carrier"
	"sighub/hub/internal/fair"
)

// Waiters are goroutines that wait for the same change. The lock that guards what changes guards them, too.
type waiters chan struct{}

// wait returns a channel that is closed when wake is called next.
func (w *waiters) wait() <-chan struct{} {
	if *w == nil {
		*w = make(chan struct{})
	}
	return *w
}

// wake wakes all who wait.
func (w *waiters) wake() {
	if *w != nil {
		close(*w)
		*w = nil
	}
}

// A slowListener is the outbox of a listener that cannot keep up, and for how long at the most its senders should wait.
type slowListener struct {
	*outbox
	deadline time.Duration
}

// A deliveryKey tells events apart.
type deliveryKey struct {
	signal *Signal
	seq    uint64
}

// waitForRoom waits until each of these outboxes has room again or the senders' patience with it is used up. That of all of
// them is used from now on, so many slow clients hold a sender up for no longer than one. An outbox without room is then
// lagging.
func waitForRoom(ctx context.Context, slow []slowListener) {
	if len(slow) == 0 {
		return
	}
	for _, l := range slow {
		l.hold()
	}
	timer := time.NewTimer(slow[0].deadline)
	defer timer.Stop()
	for _, l := range slow {
		for l.waitForRoom(ctx, timer) {
		}
	}
}

// hold notes that a sender waits for room from now on.
func (o *outbox) hold() {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.state == following && o.full() && !o.patience.Holding() {
		now := time.Now()
		o.patience.Hold(now, o.deadline)
		o.place.Pay(o.paid)
		o.paid = 0
		o.mark = o.place.Hold(now, o.deadline)
	}
}

// release lets all go who wait for room. The lock is held.
func (o *outbox) release() {
	o.room.wake()
	if o.patience.Holding() {
		now := time.Now()
		o.patience.Release(now)
		o.owed += o.place.Release(now, o.mark)
	}
}

// waitForRoom waits for room for as long as the patience lasts, and reports whether it lasts longer than was known before.
func (l slowListener) waitForRoom(ctx context.Context, timer *time.Timer) (again bool) {
	o := l.outbox
	o.mu.Lock()
	if o.state != following || !o.full() {
		o.mu.Unlock()
		return false
	}
	now := time.Now()
	left := min(o.patience.Left(now, l.deadline), o.place.Left(now))
	if left <= 0 {
		o.become(lagging)
		o.mu.Unlock()
		return false
	}
	room := o.room.wait()
	o.mu.Unlock()
	timer.Reset(left)
	select {
	case <-room:
	case <-ctx.Done():
	case <-timer.C:
		return true
	}
	return false
}

// behind reports whether the client is lagging, and stays so because an event for it is about to be dropped.
func (o *outbox) behind() bool {
	if o.state != lagging {
		return false
	}
	now := time.Now()
	if !o.good.IsZero() && now.Sub(o.good) >= fair.Recovery {
		o.patience = fair.Patience{}
		o.become(following)
		return false
	}
	o.good = time.Time{}
	return true
}

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
