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
	// oldest one if there is none.
	Latest
	// Hangup disconnects the client.
	Hangup
)

// Policies lists the names of the policies, each at the place of its number.
func Policies() []string { return []string{"block", "latest", "disconnect"} }

// OutboxOptions bound what waits for each remote client. Zero values are defaults.
type OutboxOptions struct {
	Limit    int           // events; 1024 by default
	Policy   Policy        // Block by default
	Deadline time.Duration // of Block: 2 s by default
}

func (o OutboxOptions) withDefaults() OutboxOptions {
	if o.Limit <= 0 {
		o.Limit = 1024
	}
	if o.Deadline <= 0 {
		o.Deadline = 2 * time.Second
	}
	return o
}

// An outbox holds what waits to be transmitted to one remote client, in order. A goroutine of its own, there only
// while there is something to do, transmits it as fast as the client's window lets it.
type outbox struct {
	remote *remote
	OutboxOptions

	mu      sync.Mutex
	queue   []entry
	gaps    map[gapKey]*Loss
	events  int  // entries that are events: the others do not count towards the limit
	pumping bool // the goroutine is there
	paused  int
	closed  bool
	lagging bool          // let a deadline pass, and has not caught up since
	unsure  int           // transmitted and not answered yet
	room    chan struct{} // closed when there is room again; nil if nobody waits
	idle    chan struct{} // closed when everything is answered; nil if nobody waits
}

// An entry is an event for a listener, or a request.
type entry struct {
	listener *Listener
	event    Event
	request  *forwarded
}

type gapKey struct {
	listener *Listener
	sender   string
}

// forwarded is a request on its way to the client whose sender answers it.
type forwarded struct {
	message *carrier.Message
	done    func(carrier.Reply, error)
}

// push puts an event in the outbox. It returns true if the sender should slow down: see waitForRoom.
func (o *outbox) push(l *Listener, ev *Event) (over bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.closed {
		return false
	}
	if o.events >= o.Limit {
		switch {
		case o.Policy == Hangup:
			o.closed = true
			o.remote.hangUp(fmt.Errorf("%w: %d events wait for a slow listener", carrier.ErrLimit, o.events))
			return false
		case o.Policy == Latest:
			o.replace(l, ev)
			return false
		case o.lagging || o.events >= 2*o.Limit:
			// Each sender that waits adds what its window holds at the most, so twice the limit is
			// seen only if there are very many of them.
			o.miss(l, ev)
			return false
		}
		over = true
	}
	o.append(entry{listener: l, event: *ev})
	return over
}

// pushRequest puts a request in the outbox, or returns an error if too many wait already.
func (o *outbox) pushRequest(f *forwarded) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	switch {
	case o.closed:
		return fmt.Errorf("%w: %s", carrier.ErrGone, o.remote.info)
	case len(o.queue)-o.events >= o.Limit:
		return fmt.Errorf("%w: %d requests wait for %s", ErrBusy, o.Limit, o.remote.info)
	}
	o.append(entry{request: f})
	return nil
}

func (o *outbox) append(e entry) {
	o.queue = append(o.queue, e)
	if e.request == nil {
		o.events++
	}
	o.start()
}

// start starts the goroutine if it is not there and has something to do.
func (o *outbox) start() {
	if !o.pumping && o.paused == 0 && len(o.queue) > 0 {
		o.pumping = true
		o.remote.tasks.Go(o.pump)
	}
}

// replace makes room for an event by dropping one: see Latest.
func (o *outbox) replace(l *Listener, ev *Event) {
	drop := -1
	for i := range o.queue {
		e := &o.queue[i]
		if e.request != nil || e.event.Name == Gap {
			continue
		}
		if e.listener == l && e.event.Sender == ev.Sender && e.event.Name == ev.Name {
			drop = i
			break
		}
		if drop < 0 {
			drop = i
		}
	}
	if drop < 0 {
		o.miss(l, ev)
		return
	}
	old := o.queue[drop]
	o.miss(old.listener, &old.event)
	o.queue = append(o.queue[:drop], o.queue[drop+1:]...)
	o.events--
	o.append(entry{listener: l, event: *ev})
}

// miss counts an event that is dropped.
func (o *outbox) miss(l *Listener, ev *Event) {
	key := gapKey{l, ev.Sender}
	gap := o.gaps[key]
	if gap == nil {
		gap = &Loss{First: ev.Seq}
		if o.gaps == nil {
			o.gaps = make(map[gapKey]*Loss)
		}
		o.gaps[key] = gap
		o.remote.log().Warn("a listener is too slow: events are dropped, and it will be told",
			"client", o.remote.info.String(), "sender", ev.Sender, "waiting", o.events)
	}
	gap.Count++
	gap.First, gap.Last = min(gap.First, ev.Seq), max(gap.Last, ev.Seq)
}

// tellGaps puts the gaps behind what waits, once there is room for them. A legacy client knows no gaps: only a
// listener of its that hears any event is told.
func (o *outbox) tellGaps() {
	for key, loss := range o.gaps {
		if o.remote.hello || key.listener.event == "" {
			o.queue = append(o.queue, entry{listener: key.listener, event: Event{
				Sender: key.sender, Name: Gap, Time: o.remote.server.now(), Data: carrier.ValueOf(*loss),
			}})
			o.events++
		}
	}
	o.gaps = nil
}

// pump transmits what waits until there is nothing left.
func (o *outbox) pump() {
	for {
		o.mu.Lock()
		if o.events <= o.Limit/2 {
			o.lagging = false
			o.tellGaps()
		}
		if o.paused > 0 || len(o.queue) == 0 {
			o.pumping = false
			if len(o.queue) == 0 {
				o.queue = nil
			}
			o.settled()
			o.mu.Unlock()
			return
		}
		e := o.queue[0]
		o.queue[0] = entry{}
		o.queue = o.queue[1:]
		if e.request == nil {
			o.events--
		}
		if o.room != nil && o.events < o.Limit {
			close(o.room)
			o.room = nil
		}
		o.unsure++
		o.mu.Unlock()
		if e.request != nil {
			o.transmitRequest(e.request)
		} else {
			o.transmitEvent(&e)
		}
	}
}

func (o *outbox) transmitEvent(e *entry) {
	if e.listener.removed.Load() {
		o.answered()
		return
	}
	err := o.remote.transmit(signalMessage(e.listener, &e.event, o.remote.hello), func(r carrier.Reply, err error) {
		if err == nil {
			err = r.Err()
		}
		if err != nil && !errors.Is(err, carrier.ErrGone) {
			o.remote.log().Warn("a listener did not take an event", "client", o.remote.info.String(),
				"sender", e.event.Sender, "event", e.event.Name, "error", err)
		}
		o.answered()
	})
	if err == nil {
		return
	}
	if errors.Is(err, carrier.ErrTooLarge) && e.event.Name != Gap {
		o.remote.log().Warn("an event is larger than a listener takes", "client", o.remote.info.String(),
			"sender", e.event.Sender, "event", e.event.Name, "error", err)
		o.mu.Lock()
		o.miss(e.listener, &e.event)
		o.mu.Unlock()
	}
	o.answered()
}

func (o *outbox) transmitRequest(f *forwarded) {
	err := o.remote.transmit(f.message, func(r carrier.Reply, err error) {
		f.done(r, err)
		o.answered()
	})
	if err != nil {
		f.done(carrier.Reply{}, err)
		o.answered()
	}
}

// answered notes that one thing that was transmitted has come to its end.
func (o *outbox) answered() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.unsure--
	o.settled()
}

// settled wakes who waits for everything to be answered, if it is.
func (o *outbox) settled() {
	if o.idle != nil && o.unsure == 0 && (len(o.queue) == 0 || o.closed) {
		close(o.idle)
		o.idle = nil
	}
}

// pause keeps what is pushed from being transmitted until resume: so that the reply to a registration reaches
// the client before the first event does.
func (o *outbox) pause() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.paused++
}

func (o *outbox) resume() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.paused--
	o.start()
}

// waitForRoom waits until there is room again, for Deadline at the most: then the client is lagging.
func (o *outbox) waitForRoom(ctx context.Context) {
	o.mu.Lock()
	if o.closed || o.lagging || o.events < o.Limit {
		o.mu.Unlock()
		return
	}
	if o.room == nil {
		o.room = make(chan struct{})
	}
	room := o.room
	o.mu.Unlock()
	timer := time.NewTimer(o.Deadline)
	defer timer.Stop()
	select {
	case <-room:
	case <-ctx.Done():
	case <-timer.C:
		o.mu.Lock()
		o.lagging = o.events >= o.Limit
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
	if !o.pumping {
		o.settled()
	}
	return idle
}

// close drops what waits: the client has gone. Requests end with an error.
func (o *outbox) close() {
	o.mu.Lock()
	o.closed = true
	queue := o.queue
	o.queue, o.gaps, o.events = nil, nil, 0
	if o.room != nil {
		close(o.room)
		o.room = nil
	}
	if !o.pumping {
		o.settled()
	}
	o.mu.Unlock()
	for _, e := range queue {
		if e.request != nil {
			e.request.done(carrier.Reply{}, fmt.Errorf("%w: %s", carrier.ErrGone, o.remote.info))
		}
	}
}
