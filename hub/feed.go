package hub

import (
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"sighub/carrier"
	"sighub/hub/internal/past"
	"sighub/journal"
)

// A feed passes events on to a client: into its stream of signals or, if it has none, as messages. Transmitting a message
// blocks while the client's window is full, so a goroutine does it, with one event in hand at a time. The lock of the outbox
// guards its feed.
type feed struct {
	sink      carrier.SignalSink // nil: events travel as messages
	codec     carrier.Codec
	unwritten         // in the sink
	touchedBy *fanout // the latest that is to flush the sink
	gathered  gathered

	hand         *entry // the event in hand; nil, or without a listener, if no event is
	transmitting bool   // there is a goroutine that transmits
	fetched      bool   // the sink calls the outbox when it has written, from when too much waited first
}

// unwritten is how much waits to be written to a sink. The lock of whoever puts signals guards it.
type unwritten struct {
	pending int         // bytes, when the last signal was put or answered
	full    atomic.Bool // more could not be put; set under the lock
}

// isFull reports whether so much waits that nothing more may be put. It notes that first, and then asks the sink, which calls whoever has noted
// it when it has written. The other way round, the sink could write in between and call nobody.
func (u *unwritten) isFull(sink carrier.SignalSink) bool {
	if u.pending < carrier.PendingLimit {
		return false
	}
	u.full.Store(true)
	if u.pending = sink.Pending(); u.pending >= carrier.PendingLimit {
		return true
	}
	u.full.Store(false)
	return false
}

// look asks the sink how much waits, after it was full. It may be full again.
func (u *unwritten) look(sink carrier.SignalSink) {
	u.full.Store(false)
	u.pending = sink.Pending()
}

// inHand reports whether an event is in hand, so that no other can be passed on.
func (f *feed) inHand() bool { return f.hand != nil && f.hand.listener != nil }

// pass passes an event on to the client, which must be open for one. f lends its packing; a message keeps the event.
func (o *outbox) pass(l *Listener, ev *Event, f *fanout) {
	public := ev.variants != nil && o.standing.Confined
	if public {
		f.packed.Reset() // it is of what others are told
		ev = ev.public()
	}
	if o.feed.sink == nil {
		o.sentLive()
		o.hand(entry{listener: l, event: *ev})
		return
	}
	p, err := f.pack(ev, o.feed.codec)
	if err == nil {
		o.feed.pending, err = o.feed.sink.Put(l.out.of(l, ev.Sender, ev.Name, ev.Connection, ev.Position.Epoch), p)
	}
	if public {
		f.packed.Reset()
	}
	if err != nil {
		o.unsent(l, ev, err)
		return
	}
	o.sentLive()
}

// hand has an event transmitted as a message.
func (o *outbox) hand(e entry) {
	if o.feed.hand == nil { // clients with a sink need none
		o.feed.hand = new(entry)
	}
	*o.feed.hand = e
	if !o.feed.transmitting {
		o.feed.transmitting = true
		o.client.by.tasks.Go(o.transmit)
	}
}

// transmit transmits the event in hand and those after it, until none is left or enough are in flight.
func (o *outbox) transmit() {
	o.mu.Lock()
	defer o.mu.Unlock()
	for o.feed.inHand() {
		e := *o.feed.hand
		o.mu.Unlock()
		o.transmitOne(&e)
		o.mu.Lock()
		*o.feed.hand = entry{}
		o.fill()
	}
	o.feed.transmitting = false
}

func (o *outbox) transmitOne(e *entry) {
	err := o.client.transmit(signalMessage(e.listener, &e.event, o.client.hello), func(r carrier.Reply, err error) {
		if err == nil {
			err = r.Err()
		}
		if err != nil && !errors.Is(err, carrier.ErrGone) {
			o.client.rejects(fmt.Errorf("%s of %s: %w", e.event.Name, e.event.Sender, err))
		}
		o.messageAnswered(e, err)
	})
	if err == nil {
		return
	}
	o.mu.Lock()
	o.unsent(e.listener, &e.event, err)
	o.mu.Unlock()
	o.messageAnswered(e, err)
}

// messageAnswered notes that a message in flight has been answered or has failed.
func (o *outbox) messageAnswered(e *entry, err error) {
	o.mu.Lock()
	o.flow.Answered(1)
	o.replays.reached.answered(1)
	var moves []move
	if r := e.listener.replay; e.number > 0 && !errors.Is(err, carrier.ErrGone) {
		r.refused = r.refused || errors.Is(answerError(carrier.Reply{}, err), ErrNoListener)
		o.replays.flight.Landed(e.number-1, o.landed)
		moves = o.moves()
	}
	o.fill()
	o.mu.Unlock()
	moveCursors(moves)
}

// signalRefused notes that the next signal of the stream is answered with an error. If that says that nobody heard the signal,
// the cursor of its listener does not pass it.
func (o *outbox) signalRefused(failed carrier.Reply) {
	if !errors.Is(answerError(failed, nil), ErrNoListener) {
		return
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	if r := o.replays.flight.Next(); r != nil {
		r.refused = true
	}
}

// signalsAnswered notes that the client has answered n signals of its stream.
func (o *outbox) signalsAnswered(n int) {
	o.mu.Lock()
	o.feed.pending = o.feed.sink.Pending()
	if n > o.flow.InFlight() {
		o.leave(fmt.Errorf("%w: the client answers what it cannot have read", carrier.ErrLimit))
		o.mu.Unlock()
		return
	}
	o.flow.Answered(n)
	o.replays.reached.answered(n)
	var moves []move
	if o.replays.tracks {
		o.replays.flight.Answered(n, o.landed)
		moves = o.moves()
	}
	before := o.flow.InFlight()
	o.fill()
	more := o.flow.InFlight() > before
	if more {
		o.submit()
	}
	o.mu.Unlock()
	moveCursors(moves)
	if more {
		o.feed.sink.Flush(true)
	}
}

// refill passes on what waits because the sink was full, and reports whether there was any. The sink calls it when it has written: its client
// may answer much later.
func (o *outbox) refill() bool {
	if !o.feed.full.Load() {
		return false
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	o.feed.look(o.feed.sink)
	before := o.flow.InFlight()
	o.fill()
	if o.flow.InFlight() == before {
		return false
	}
	o.submit()
	return true
}

// touched notes that f is to flush the sink after an event for a listener, unless the event waits for others. Others may flush it as
// well, because one that is busy cannot be relied on.
func (o *outbox) touched(l *Listener, f *fanout) {
	if o.feed.sink == nil || o.feed.touchedBy == f || l.gather > 0 && o.gather(l.gather) {
		return
	}
	o.feed.touchedBy = f
	f.dirty = append(f.dirty, o)
}

// gathered is what was put for listeners whose events may wait for those that follow, so that they leave together.
type gathered struct {
	timer *time.Timer // that has them leave; nil: none ever waited
	due   time.Time   // when it does; zero: nothing waits
	left  time.Time   // when some left last
}

// gather has what was put leave within a time after what left before it, and returns true; or it returns false if that may leave now.
// What waits in the queue for room, or is much, is not held up. The lock is held.
func (o *outbox) gather(within time.Duration) bool {
	g := &o.feed.gathered
	if o.queue.len() > 0 || o.feed.pending >= carrier.PendingLimit/4 {
		o.leaves(time.Now())
		return false
	}
	if !g.due.IsZero() && !g.due.After(g.left.Add(within)) {
		return true // the timer is early enough
	}
	now := time.Now()
	due := g.left.Add(within)
	if !due.After(now) {
		o.leaves(now)
		return false
	}
	g.due = due
	if g.timer == nil {
		g.timer = time.AfterFunc(due.Sub(now), func() { o.flush(nil, true) })
	} else {
		g.timer.Reset(due.Sub(now))
	}
	return true
}

// leaves notes that what was gathered is about to leave. The lock is held.
func (o *outbox) leaves(now time.Time) {
	o.feed.gathered.due, o.feed.gathered.left = time.Time{}, now
	o.flow.Left(now)
}

// stop stops the timer.
func (g *gathered) stop() {
	if g.timer != nil {
		g.timer.Stop()
	}
}

// submit submits what was put into the client's stream, which is about to leave, and with it what was gathered. The lock is held.
func (o *outbox) submit() {
	if o.feed.sink == nil {
		return
	}
	if !o.feed.gathered.due.IsZero() {
		o.leaves(time.Now())
	}
	o.feed.sink.Submit()
}

// flush has what was put written; f is the fanout that was to do it.
func (o *outbox) flush(f *fanout, now bool) {
	if o.feed.sink == nil {
		return
	}
	o.mu.Lock()
	if o.feed.touchedBy == f {
		o.feed.touchedBy = nil
	}
	o.submit()
	o.mu.Unlock()
	o.feed.sink.Flush(now)
}

// outRoutes are the routes of a remote listener on its connection. Most listeners have one.
type outRoutes struct {
	latest *carrier.OutRoute
	all    map[routeKey]*carrier.OutRoute // nil as long as there is one route
	cost   int                            // of all, in bytes
}

type routeKey struct{ sender, event string }

// of returns the route of an event.
func (rs *outRoutes) of(l *Listener, sender, event string, connection uint64, epoch uint32) *carrier.OutRoute {
	r := rs.latest
	if r == nil || r.Sender != sender || r.Event != event {
		r = rs.find(l, sender, event)
	}
	r.Renew(connection, epoch)
	return r
}

// find returns a route that is not the latest, and makes it if need be.
func (rs *outRoutes) find(l *Listener, sender, event string) *carrier.OutRoute {
	key := routeKey{sender, event}
	r := rs.all[key]
	if r == nil {
		r = &carrier.OutRoute{Route: carrier.Route{Listener: l.id, Sender: sender, Event: event}}
		if rs.latest != nil && rs.all == nil {
			rs.all = map[routeKey]*carrier.OutRoute{{rs.latest.Sender, rs.latest.Event}: rs.latest}
		}
		if rs.all != nil {
			rs.keep(key, r, l.client.account)
		}
	}
	rs.latest = r
	return r
}

// keep keeps a route, and only that if there is no room for more. Senders come and go; the routes of those that are still
// there are told again.
func (rs *outRoutes) keep(key routeKey, r *carrier.OutRoute, account *carrier.Account) {
	size := routeCost + len(key.sender) + len(key.event)
	if len(rs.all) >= carrier.MaxRoutes || account.Take(size) != nil {
		rs.forget(account)
		return
	}
	rs.all[key] = r
	rs.cost += size
}

// forget drops the routes.
func (rs *outRoutes) forget(account *carrier.Account) {
	account.Give(rs.cost)
	*rs = outRoutes{}
}

// forget drops what the client's listener, which was removed, has in the outbox beside events.
func (o *outbox) forget(l *Listener) {
	o.mu.Lock()
	held := !o.feed.gathered.due.IsZero()
	l.out.forget(o.account())
	o.mu.Unlock()
	if held { // nothing of it follows the answer to its removal
		o.flush(nil, true)
	}
}

// A fanout is what the delivery of an event to remote listeners leaves to be done by whoever delivers it, for one event or
// for many together.
type fanout struct {
	packed carrier.PackedSignal // the event, as the last remote listener got it
	dirty  []*outbox            // to be flushed
	slow   []slowListener       // want the sender to slow down

	group   *journal.Group // what is to be kept; nil as long as nothing was
	scratch []byte         // space for the data of one event
	// groups counts it, in a generation, from the first event that is added until the group is given to a commit. Nil: it does not.
	groups     *past.Barrier
	generation uint32

	pool *sync.Pool // where it goes when it is finished
}

// newFanout returns a fanout from the pool; finish gives it back.
func (r *Router) newFanout() *fanout {
	if free, ok := r.fanouts.Get().(*fanout); ok {
		return free
	}
	return &fanout{pool: &r.fanouts}
}

// finish does what is left, except for waiting, and gives f back to the pool. f may be nil.
func (f *fanout) finish(now bool) {
	if f == nil {
		return
	}
	f.flush(now)
	f.forget()
	f.packed.Reset()
	f.pool.Put(f)
}

// adds reports whether there is something for a commit. f may be nil.
func (f *fanout) adds() bool { return f != nil && f.group != nil && f.group.Len() > 0 }

// mustWait reports whether listeners want the sender to slow down.
func (f *fanout) mustWait() bool { return f != nil && len(f.slow) > 0 }

// slowed notes that a listener wants the sender to slow down. For its client, the first one counts.
func (f *fanout) slowed(o *outbox, deadline time.Duration) {
	for _, l := range slices.Backward(f.slow) {
		if l.outbox == o {
			return
		}
	}
	f.slow = append(f.slow, slowListener{o, deadline})
}

// forget drops the slow listeners.
func (f *fanout) forget() {
	clear(f.slow)
	f.slow = f.slow[:0]
}

// flush has what was put for remote listeners written: if now is true, on this goroutine, as far as that does not block.
func (f *fanout) flush(now bool) {
	if f == nil {
		return
	}
	for _, o := range f.dirty {
		o.flush(f, now)
	}
	clear(f.dirty)
	f.dirty = f.dirty[:0]
}

// pack returns the event packed in a codec. It packs once for any number of listeners in a row with the same codec.
func (f *fanout) pack(d *Event, c carrier.Codec) (*carrier.PackedSignal, error) {
	if f.packed.Is(c) {
		return &f.packed, nil
	}
	var s carrier.Signal // filled in place: a result is copied
	signalOf(d, &s)
	if err := f.packed.Pack(c, &s); err != nil {
		f.packed.Reset()
		return nil, err
	}
	return &f.packed, nil
}

// signalOf sets s, which is zero, to the signal of an event.
func signalOf(ev *Event, s *carrier.Signal) {
	s.Uncertainty, s.Seq, s.Sequence, s.Last = int64(ev.Uncertainty), ev.Seq, ev.Position.Sequence, ev.Last
	s.Data = ev.Data
	if tellable(ev.Time) {
		s.Time = ev.Time.UnixNano()
	}
}
