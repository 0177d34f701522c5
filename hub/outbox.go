package hub

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"sighub/carrier"
)

// A Policy says what happens to events for a remote client whose outbox is full. Whatever is dropped is counted,
// and told to the listener that missed it as a [Gap].
type Policy int

const (
	// Block slows the sender down: its event is acknowledged once the outbox has room, or after
	// OutboxOptions.Deadline. A client that lets a deadline pass is not waited for again until it has caught
	// up; meanwhile, what does not fit is dropped.
	Block Policy = iota
	// Latest drops the waiting event that the new one replaces (same listener, sender and event), or the
	// oldest one if there is none; and, full or not, an event that has waited for a while when a newer one waits as
	// well: so what is heard is never old. To a client that has answered nothing for a second no more is sent, for
	// it would be old by the time it is heard.
	Latest
	// Hangup disconnects the client.
	Hangup
)

// Policies lists the names of the policies, each at the place of its number.
func Policies() []string { return []string{"block", "latest", "disconnect"} }

// OutboxOptions bound what waits for each remote client. Zero values are defaults. Policy and Deadline are those of
// listeners that do not say what they want: see [ListenerOptions].
type OutboxOptions struct {
	Limit    int           // events; 1024 by default
	Bytes    int           // of their data, as far as it came encoded; 16 MiB by default
	Policy   Policy        // Block by default
	Deadline time.Duration // of Block: 2 s by default
	// Memory is how many bytes all outboxes of a router hold together, with what waits to be written, about; 256 MiB by
	// default. When they do, each in which something waits is as if it were full, and nobody is waited for.
	Memory int
}

// entryCost is what an event in an outbox takes beside its data, in bytes.
const entryCost = 256

func (o OutboxOptions) withDefaults() OutboxOptions {
	if o.Limit <= 0 {
		o.Limit = 1024
	}
	if o.Bytes <= 0 {
		o.Bytes = 16 << 20
	}
	if o.Deadline <= 0 {
		o.Deadline = 2 * time.Second
	}
	if o.Memory <= 0 {
		o.Memory = 256 << 20
	}
	return o
}

// An outbox holds the events that wait to be transmitted to one remote client, in order. A goroutine of its own,
// there only while there is something to do, transmits them as fast as the client acknowledges them.
type outbox struct {
	client *client
	OutboxOptions

	mu          sync.Mutex
	queue       queue
	bytes       int // of the data of queue
	gaps        gaps
	pumping     bool // the goroutine is there
	paused      int
	closed      bool
	lagging     bool // let a deadline pass, and has not caught up since
	wantsLatest bool // one of its listeners wants the latest, so nothing more is sent to a client that stands still
	flow        flow
	pending     int           // bytes that waited to be written when the last signal was put or answered
	touchedBy   *fanout       // the latest that is to flush it
	room        chan struct{} // closed when there is room again; nil if nobody waits
	idle        chan struct{} // closed when everything is answered; nil if nobody waits
}

// eventWindow is how much of a client's window is for events. The rest is for requests: a client that answers
// events only when its callbacks return, and in a callback waits for an answer that it must give itself, would wait
// for ever if events could fill the window.
func eventWindow(window int) int {
	if window < 2 {
		return window
	}
	return window - max(1, window/4)
}

// requestWindow is the part that eventWindow leaves.
func requestWindow(window int) int {
	if window == 0 {
		return 64 // the medium counts otherwise
	}
	return max(1, window-eventWindow(window))
}

// push puts an event in the outbox, or passes it on at once if the client takes more.
func (o *outbox) push(l *Listener, d *delivery) {
	r := d.fanout
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.closed {
		return
	}
	if o.client.signals.sink != nil && o.queue.len() == 0 && o.gaps.len() == 0 && o.paused == 0 && o.open() {
		o.put(l, &d.event, r)
		return
	}
	if o.enqueue(l, d) {
		r.slow = append(r.slow, slowListener{o, l.deadline})
	}
}

// enqueue returns true if the sender should slow down: see waitForRoom. What is dropped is not looked at.
func (o *outbox) enqueue(l *Listener, d *delivery) (over bool) {
	scarce := o.queue.len() > 0 && o.scarce()
	if o.full() || scarce {
		switch {
		case l.policy == Hangup:
			o.closed = true
			o.client.hangUp(fmt.Errorf("%w: %d events wait for a slow listener", carrier.ErrLimit, o.queue.len()))
			return false
		case l.policy == Latest:
			o.replace(l, d)
			return false
		case o.lagging || o.flooded() || scarce:
			o.miss(l, &d.event)
			return false
		}
		over = true
	}
	if key := (gapKey{l, d.event.Sender}); o.gaps.behind[key] != nil { // it is told before the next event
		o.putGap(key)
	}
	o.keep(l, d)
	return over
}

// keep puts an event in the queue. If it has to be encoded for this client, that is done once for all clients.
func (o *outbox) keep(l *Listener, d *delivery) {
	d.own()
	if c := d.event.Data.Encoding(); c == nil || c != o.client.signals.codec {
		d.event.Data = d.event.Data.Shared()
	}
	o.append(entry{listener: l, event: d.event})
	o.touched(d.fanout)
}

// full tells whether the outbox holds what it may.
func (o *outbox) full() bool { return o.queue.len() >= o.Limit || o.bytes >= o.Bytes }

// flooded tells whether it holds far more. Each sender that waits adds what its window holds at the most, or what waited
// behind its events that were delivered, so that is seen only if there are very many of them.
func (o *outbox) flooded() bool {
	return (o.queue.len()-queueLimit)/2 >= o.Limit || o.bytes/2 >= o.Bytes
}

func (o *outbox) append(e entry) {
	if e.listener.policy == Latest {
		e.at = time.Now()
	}
	o.queue.push(e)
	o.hold(1, e.event.Data.Size())
	o.start()
}

// hold counts events that come and go, and the bytes of their data.
func (o *outbox) hold(events, bytes int) {
	o.bytes += bytes
	o.client.server.held.Add(int64(events*entryCost + bytes))
}

func (o *outbox) empty() {
	o.hold(-o.queue.len(), -o.bytes)
	o.client.server.held.Add(int64(-o.gaps.len() * gapCost))
	o.queue, o.gaps = queue{}, gaps{}
}

// start starts the goroutine if it is not there and has something to do. Signals need none: they wait for nothing.
func (o *outbox) start() {
	if o.client.signals.sink != nil {
		o.fill()
		return
	}
	if !o.pumping && o.ready() {
		o.pumping = true
		o.client.tasks.Go(o.pump)
	}
}

// ready tells whether there is something that may be transmitted now.
func (o *outbox) ready() bool {
	return o.paused == 0 && (o.queue.len() > 0 || o.gaps.len() > 0) && o.open()
}

// open tells whether the client takes more.
func (o *outbox) open() bool {
	if o.pending >= scarcePending && o.flow.inFlight > 0 &&
		(o.pending >= carrier.PendingLimit || o.scarce() && o.flow.late(flowDelay)) {
		return false
	}
	if o.wantsLatest && o.flow.stands() {
		return false
	}
	return o.flow.open()
}

// scarcePending is how many bytes may wait to be written to a client that is late with its answers when all outboxes
// together hold as much as they may.
const scarcePending = 16 << 10

// scarce tells whether all outboxes together hold as much as they may.
func (o *outbox) scarce() bool { return o.client.server.held.Load() >= int64(o.Memory) }

// replace makes room for an event by dropping one: see Latest.
func (o *outbox) replace(l *Listener, d *delivery) {
	old, ok := o.queue.drop(entryKey{l, d.event.Sender, d.event.Name})
	if !ok {
		o.miss(l, &d.event)
		return
	}
	o.dropped(&old)
	if !o.closed {
		o.keep(l, d)
	}
}

// outdate drops what is next for as long as that has become old and there is a newer one: see Latest.
func (o *outbox) outdate() {
	for e := o.queue.first(); e != nil && e.outdated(); e = o.queue.first() {
		old := o.queue.pop()
		o.dropped(&old)
	}
}

func (o *outbox) dropped(e *entry) {
	o.miss(e.listener, &e.event)
	o.hold(-1, -e.event.Data.Size())
}

// pump transmits what waits, until there is nothing left or enough in flight.
func (o *outbox) pump() {
	o.mu.Lock()
	defer o.mu.Unlock()
	for {
		e, ok := o.next()
		if !ok {
			break
		}
		if e.listener.removed.Load() {
			continue
		}
		o.flow.sent()
		o.mu.Unlock()
		o.transmit(&e)
		o.mu.Lock()
	}
	o.pumping = false
	o.settled()
}

// next takes the next event from the queue, if it may be transmitted now.
func (o *outbox) next() (e entry, ok bool) {
	if o.ready() {
		o.outdate()
		if e, ok := o.gapBefore(); ok {
			return e, true
		}
	}
	if o.queue.len() <= o.Limit/2 && o.bytes <= o.Bytes/2 {
		o.lagging = false
		o.putGaps()
	}
	if o.queue.len() == 0 || !o.ready() {
		return e, false
	}
	e = o.queue.pop()
	o.hold(-1, -e.event.Data.Size())
	if o.room != nil && !o.full() {
		close(o.room)
		o.room = nil
	}
	return e, true
}

func (o *outbox) transmit(e *entry) {
	err := o.client.transmit(signalMessage(e.listener, &e.event, o.client.hello), func(r carrier.Reply, err error) {
		if err == nil {
			err = r.Err()
		}
		if err != nil && !errors.Is(err, carrier.ErrGone) {
			o.client.refused(fmt.Errorf("%s of %s: %w", e.event.Name, e.event.Sender, err))
		}
		o.answered()
	})
	if err == nil {
		return
	}
	o.mu.Lock()
	o.unsent(e.listener, &e.event, err)
	o.mu.Unlock()
	o.answered()
}

// unsent notes that an event could not be transmitted: it is too large for this client, or not to be had in its codec.
func (o *outbox) unsent(l *Listener, ev *Event, err error) {
	if o.client.ctx.Err() != nil || errors.Is(err, carrier.ErrGone) {
		return
	}
	o.client.unsent(ev, err)
	if ev.Name != Gap {
		o.miss(l, ev)
	}
}

// answered notes that an event in flight has come to its end.
func (o *outbox) answered() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.flow.answered(1)
	o.start()
	o.settled()
}

// settled wakes who waits for everything to be answered, if it is.
func (o *outbox) settled() {
	if o.idle != nil && !o.pumping && o.flow.inFlight == 0 && o.queue.len() == 0 {
		close(o.idle)
		o.idle = nil
	}
}

// pause keeps what is pushed from being transmitted until resume, so that the reply to a listener's registration
// reaches the client before the first event does.
func (o *outbox) pause(l *Listener) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.paused++
	o.wantsLatest = o.wantsLatest || l.policy == Latest
}

func (o *outbox) resume() {
	o.mu.Lock()
	o.paused--
	o.start()
	o.mu.Unlock()
	o.flush(nil, false)
}

// An slowListener outbox is one that a sender should wait for, so long at the most.
type slowListener struct {
	*outbox
	deadline time.Duration
}

// waitForRoom waits until each of these outboxes has room again, until its deadline at the most, which begins now for all
// of them: many slow clients hold a sender up for no longer than one. Those that still have none are lagging.
func waitForRoom(ctx context.Context, over []slowListener) {
	if len(over) == 0 {
		return
	}
	began := time.Now()
	timer := time.NewTimer(over[0].deadline)
	defer timer.Stop()
	for i, o := range over {
		if i > 0 {
			timer.Reset(max(o.deadline-time.Since(began), 0))
		}
		o.waitForRoom(ctx, timer)
	}
}

func (o *outbox) waitForRoom(ctx context.Context, timer *time.Timer) {
	o.mu.Lock()
	if o.closed || o.lagging || !o.full() {
		o.mu.Unlock()
		return
	}
	if o.room == nil {
		o.room = make(chan struct{})
	}
	room := o.room
	o.mu.Unlock()
	select {
	case <-room:
	case <-ctx.Done():
	case <-timer.C:
		o.mu.Lock()
		o.lagging = o.full()
		if o.lagging && o.room != nil {
			close(o.room) // nobody else need wait either
			o.room = nil
		}
		o.mu.Unlock()
	}
}

// flushed returns a channel that is closed once everything was transmitted and answered.
func (o *outbox) flushed() <-chan struct{} {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.idle == nil {
		o.idle = make(chan struct{})
	}
	idle := o.idle
	o.settled()
	return idle
}

// close drops what waits: the client has gone.
func (o *outbox) close() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.closed = true
	o.empty()
	if o.room != nil {
		close(o.room)
		o.room = nil
	}
	o.settled()
}

// reopen empties an outbox that was closed: its client stays, because its carrier cannot disconnect it.
func (o *outbox) reopen() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.empty()
	o.closed = o.client.ctx.Err() != nil
}
