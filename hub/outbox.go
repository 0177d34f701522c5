package hub

import (
	"errors"
	"fmt"
	"time"

	"sighub/carrier"
	"sighub/hub/internal/fair"
	"sighub/hub/internal/flow"
	"sighub/hub/internal/rights"
	"sighub/internal/lockrank"
)

// What things cost beside their names and their data, in bytes, in the account of the client for whom they are held.
const (
	entryCost    = 256  // an event in an outbox, or a signal that waits to be handled
	messageCost  = 512  // a message that waits to be handled
	requestCost  = 1024 // a request that is not answered
	senderCost   = 1536
	nameCost     = 320  // an event or a request of a sender
	listenerCost = 1536 // with the topic of a sender that is awaited
	routeCost    = 256  // an event of a sender that a listener has heard
)

// An outbox holds the events that wait for one remote client, in order, and passes them on as fast as the client
// acknowledges them.
type outbox struct {
	client *client
	*OutboxOptions

	mu          lockrank.Mutex[lockrank.Outbox]
	state       outboxState
	wantsLatest bool            // one of its listeners wants the latest, so nothing more is sent to a client that stands still
	standing    rights.Standing // by the policy in force
	queue       queue
	bytes       int // of the data of queue
	gaps        gaps
	paused      int32         // listeners whose registration is not answered yet; small, because each idle client has an outbox
	senders     int32         // that wait for room, here or in other outboxes that they have an event in; likewise
	waiting     fair.Waiting  // of senders, for room
	deadline    time.Duration // the longest of its listeners
	good        time.Time     // since when a lagging client has caught up and lost nothing; zero: it has not caught up
	latest      deliveryKey   // the event that was passed on or queued last
	flow        flow.Flow
	feed        feed
	replays     replays
	room        waiters
	idle        waiters // for everything to be answered
}

// An outboxState says what becomes of events for a client.
type outboxState uint8

const (
	following outboxState = iota // they are sent or wait; a full outbox slows senders down, if its listeners want that
	lagging                      // the client has used up the senders' patience: what does not fit is dropped
	leaving                      // the client is being disconnected: nothing more is taken
	gone                         // the client has gone: nothing is taken, nothing waits
)

// outboxChanges are the changes of state that there are, by the state before and the one after.
//
//	following → lagging    the senders' patience was used up while it was full
//	lagging   → following  it was at most half full, and then lost nothing until that patience had come back
//	either    → leaving    the policy disconnects, gaps are too many, or an answer is impossible
//	leaving   → following  the carrier cannot disconnect its clients
//	any       → gone       the client has gone
var outboxChanges = [4][4]bool{
	following: {lagging: true, leaving: true, gone: true},
	lagging:   {following: true, leaving: true, gone: true},
	leaving:   {following: true, gone: true},
}

// become changes the state, and returns false where there is no such change. Every change is made here; the lock is held.
func (o *outbox) become(next outboxState) bool {
	if !outboxChanges[o.state][next] {
		return false
	}
	o.state = next
	if next != following {
		o.release() // nobody need wait for it any more
	}
	o.good = time.Time{}
	return true
}

// takes reports whether the outbox takes events.
func (o *outbox) takes() bool { return o.state == following || o.state == lagging }

// eventWindow returns the part of a client's window that is for events. The rest is for requests. If events could fill the
// window, a client would wait for ever that acknowledges an event when its callback returns, and whose callback waits for
// an answer that the client must give itself.
func eventWindow(window int) int {
	if window < 2 {
		return window
	}
	return window - max(1, window/4)
}

// requestWindow is the part that eventWindow leaves.
func requestWindow(window int) int {
	if window == 0 {
		return 64 // the medium limits messages itself
	}
	return max(1, window-eventWindow(window))
}

// push puts an event in the outbox, or passes it on at once if the client takes more.
func (o *outbox) push(l *Listener, d *delivery) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if !o.takes() || !o.hears(d.signal) || d.signal.event == Gap && !o.hearsOf(d) {
		return
	}
	if o.queue.len() == 0 && o.gaps.len() == 0 && o.paused == 0 && o.open() && !o.yields() {
		if o.feed.sink == nil {
			o.keep(d)
		}
		if o.first(d) {
			o.waiting.Through()
		}
		o.pass(l, &d.event, d.fanout)
		if o.gaps.len() > 0 { // it could not be sent, which is told now
			o.fill()
		}
		o.touched(l, d.fanout)
		return
	}
	if o.tells(l, &d.event) && o.enqueue(l, d) {
		d.fanout.slowed(o, l.deadline)
	}
}

// tells reports whether the client is told of the event: one that stands still holds nobody up by events that it has not asked for.
func (o *outbox) tells(l *Listener, ev *Event) bool {
	c, ok := o.feed.sink.(carrier.Chooser)
	return !ok || c.Tells(l.out.of(l, ev.Sender, ev.Name, ev.Connection, ev.Position.Epoch))
}

// enqueue puts an event in the queue, or drops one if the queue is full. It returns true if the sender should slow down: see
// waitForRoom.
func (o *outbox) enqueue(l *Listener, d *delivery) (slowDown bool) {
	if len(o.replays.joining) > 0 {
		o.joins(l, &d.event)
	}
	full, refused := o.full(), o.account().Take(entryCost+d.event.size()) != nil
	if full || refused {
		if !refused && (l.policy == Hangup || l.policy == Latest || o.flooded() || o.behind()) {
			o.account().Give(entryCost + d.event.size())
			refused = true
		}
		switch {
		case l.policy == Hangup:
			o.leave(fmt.Errorf("%w: %d events wait for a slow listener", carrier.ErrLimit, o.queue.len()))
			return false
		case l.policy == Latest:
			o.replace(l, d)
			return false
		case refused:
			o.good = time.Time{}
			o.miss(l, &d.event, causeSlow)
			return false
		}
		slowDown = true
	}
	slowDown = slowDown || l.policy == Block && o.state == following && o.tight()
	if key := (gapKey{l, d.event.Sender}); o.gaps.behind[key] != nil { // the listener is told before it hears the next event
		o.putGap(key)
	}
	o.append(l, d)
	return slowDown
}

// keep gives the event data that may be kept. Data that must be encoded for this client is encoded once for all clients.
func (o *outbox) keep(d *delivery) {
	d.own()
	if c := d.event.Data.Encoding(); c == nil || c != o.feed.codec {
		d.event.Data = d.event.Data.Shared()
	}
}

// append puts an event at the end of the queue.
func (o *outbox) append(l *Listener, d *delivery) {
	o.keep(d)
	e := entry{listener: l, event: d.event, first: o.first(d)}
	if l.policy == Latest {
		e.at = time.Now()
	}
	o.queue.push(e)
	o.bytes += e.event.size()
	o.fill()
	o.touched(l, d.fanout)
}

// first reports whether the client is given this event for the first time: its listeners are given it one after the other.
func (o *outbox) first(d *delivery) bool {
	key := deliveryKey{d.signal, d.event.Seq}
	if key == o.latest {
		return false
	}
	o.latest = key
	return true
}

// full reports whether the outbox holds as much as it may.
func (o *outbox) full() bool { return o.queue.len() >= o.Limit || o.bytes >= o.Bytes }

// tight reports whether what waits is so much, compared with what the client's account has left, that senders had better wait: what an
// account has no room for is lost. An outbox in which nothing waits is not tight, whatever others hold. Nor is that of a client that does
// not answer: it may be others of its place that have taken the memory, and nobody should wait for them.
func (o *outbox) tight() bool {
	waits := int64(o.bytes) + int64(o.queue.len())*entryCost
	return waits > 0 && waits >= o.account().Left()/tightPart && !o.flow.Late(flow.Delay)
}

// tightPart is how many times as much as what waits an account must have left. Meanwhile, each sender may add one more event.
const tightPart = 8

// crowded reports whether senders should wait until some of what waits has left.
func (o *outbox) crowded() bool { return o.full() || o.tight() }

// makeRoom lets all go who wait for room, if there is some again.
func (o *outbox) makeRoom() {
	if (o.room != nil || o.waiting.Holding()) && !o.crowded() {
		o.release()
	}
}

// flooded reports whether the outbox holds far more than it may. A sender that waits for room may have added up to a window
// of events before, or those that were queued behind its own; so this happens only with very many senders.
func (o *outbox) flooded() bool {
	return (o.queue.len()-queueLimit)/2 >= o.Limit || o.bytes/2 >= o.Bytes
}

// account is the client's, from which every event in the queue has taken.
func (o *outbox) account() *carrier.Account { return o.client.account }

// left counts an entry out that has left the queue.
func (o *outbox) left(e *entry) {
	if e.gap {
		o.gapLeft()
		return
	}
	size := e.event.size()
	o.bytes -= size
	o.account().Give(entryCost + size)
}

func (o *outbox) empty() {
	o.account().Give((o.queue.len()-o.gaps.queued)*entryCost + o.bytes + o.gaps.cost(0))
	o.queue, o.gaps, o.bytes = queue{}, gaps{}, 0
}

// ready reports whether something waits that may be transmitted now.
func (o *outbox) ready() bool {
	return o.waits() && o.open() && !o.yields()
}

// open reports whether the client takes more.
func (o *outbox) open() bool {
	if o.feed.inHand() {
		return false
	}
	if o.feed.pending >= scarcePending && o.flow.InFlight() > 0 &&
		(o.overflows() || o.scarce() && o.flow.Late(flow.Delay)) {
		return false
	}
	if o.wantsLatest && o.flow.Stands() {
		return false
	}
	return o.flow.Open()
}

// overflows reports whether so much waits to be written that nothing more may be put. Then refill is called when it is written.
func (o *outbox) overflows() bool {
	f := &o.feed
	if c, ok := f.sink.(carrier.Collector); ok && !f.fetched && f.pending >= carrier.PendingLimit {
		f.fetched = true
		c.Collect(o.refill)
	}
	return f.isFull(f.sink)
}

// scarcePending is how many bytes may wait to be written to a client that is late with its answers, while as much as may waits
// to be written to all clients together.
const scarcePending = 16 << 10

// scarce reports whether so much waits to be written to all clients together that a client should not have more that is late.
func (o *outbox) scarce() bool {
	s := o.client.server
	return s.unsent.Load() >= s.opts.Memory.Size()/4
}

// replace makes room for an event by dropping one: see Latest.
func (o *outbox) replace(l *Listener, d *delivery) {
	old, ok := o.queue.drop(entryKey{l, d.event.Sender, d.event.Name})
	if !ok {
		o.miss(l, &d.event, causeSlow)
		return
	}
	o.dropped(&old)
	if !o.takes() {
		return
	}
	if o.account().Take(entryCost+d.event.size()) != nil { // it is larger than the one that was dropped
		o.miss(l, &d.event, causeSlow)
		return
	}
	o.append(l, d)
}

// outdate drops the next event as long as it has become old and a newer one of its kind waits: see Latest.
func (o *outbox) outdate() {
	for e := o.queue.first(); e != nil && e.outdated(); e = o.queue.first() {
		old := o.queue.pop()
		o.dropped(&old)
	}
}

func (o *outbox) dropped(e *entry) {
	o.miss(e.listener, &e.event, causeSlow)
	o.left(e)
}

// fill passes on what waits, as far as the client takes it. The lock is held; whoever holds it flushes afterwards.
func (o *outbox) fill() {
	var f *fanout // lends its packing, and gets nothing to flush
	for e, ok := o.next(); ok; e, ok = o.next() {
		if e.listener.removed.Load() && !e.final {
			continue
		}
		if f == nil {
			f = o.client.server.newFanout()
		}
		f.packed.Reset()
		o.pass(e.listener, &e.event, f)
	}
	f.finish(false)
	o.settled()
}

// next removes the next event from the queue and returns it, if it may be transmitted now. Gaps are events, too.
func (o *outbox) next() (e entry, ok bool) {
	if o.ready() {
		o.outdate()
		if e, ok := o.gapBefore(); ok {
			return e, true
		}
	}
	if o.queue.len() <= o.Limit/2 && o.bytes <= o.Bytes/2 {
		if o.state == lagging && o.good.IsZero() {
			o.good = time.Now()
		}
		o.putGaps()
	}
	if o.queue.len() == 0 || !o.ready() {
		return e, false
	}
	e = o.queue.pop()
	o.left(&e)
	if e.first {
		o.waiting.Through()
	}
	o.makeRoom()
	return e, true
}

// unsent notes that an event could not be transmitted, because it is too large for this client or has no form in its codec.
func (o *outbox) unsent(l *Listener, ev *Event, err error) {
	if o.client.ctx.Err() != nil || errors.Is(err, carrier.ErrGone) {
		return
	}
	o.client.unsent(ev, err)
	if ev.Name != Gap {
		o.miss(l, ev, carrier.Cause(err))
	}
}

// settled wakes whoever waits until everything is answered, if it is or if the client has gone, and replays that wait for room, if there
// is some.
func (o *outbox) settled() {
	if o.state == gone || o.flow.InFlight() == 0 && o.queue.len() == 0 && !o.feed.inHand() {
		o.idle.wake()
	}
	if o.replays.waiting > 0 && o.lets() {
		o.replays.room.wake()
	}
}

// pause holds events back until resume, so that the reply to a listener's registration reaches the client before the first
// event does.
func (o *outbox) pause(l *Listener) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.paused++
	o.wantsLatest = o.wantsLatest || l.policy == Latest
	o.deadline = max(o.deadline, l.deadline)
}

func (o *outbox) resume() {
	o.mu.Lock()
	o.paused--
	o.fill()
	o.mu.Unlock()
	o.flush(nil, false)
}

// flushed returns a channel that is closed when everything has been transmitted and answered, or the client has gone.
func (o *outbox) flushed() <-chan struct{} {
	o.mu.Lock()
	defer o.mu.Unlock()
	idle := o.idle.wait()
	o.settled()
	return idle
}

// leave has the client disconnected: it cannot be served any further.
func (o *outbox) leave(cause error) {
	if o.become(leaving) {
		o.client.hangUp(cause)
	}
}

// close drops what waits, because the client has gone.
func (o *outbox) close() {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.become(gone) {
		o.empty()
		o.settled()
	}
	o.feed.gathered.stop()
}

// reopen empties the outbox of a client that was to leave and stays, because its carrier cannot disconnect it.
func (o *outbox) reopen() {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.become(following) {
		o.empty()
	}
}
