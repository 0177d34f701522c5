package hub

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync/atomic"
	"time"

	"sighub/internal/lockrank"
)

// A topic is everything that the router knows about one sender's name: who listens, which connection has the name at the
// moment, and the order of its events. It outlives connections as long as somebody listens.
type topic struct {
	name   string
	router *Router

	// Under Router.mu.
	broadcast *listeners
	events    map[string]*listeners
	listening int      // listeners in all of these
	conn      *Sender  // nil while disconnected
	offered   []string // events of the last connection, without the built-in ones, unless their names are long or many

	// The order of events. One goroutine at a time has the turn and delivers. What others trigger meanwhile, or what one
	// of the callbacks triggers, waits in queue and is delivered next by the goroutine that has the turn.
	turn          atomic.Uint32 // the bits taken and waiting
	clock         clock         // of whoever has the turn
	mu            lockrank.Mutex[lockrank.Topic]
	queue         []delivery
	slowListeners []slowListener // they could not keep up with what was delivered for others: whoever triggers next waits for them
	room          waiters        // for the queue to get shorter
	idle          waiters        // for everything to be delivered
	ended         bool           // the last event posted is a #disconnect: whoever delivers it tidies up
}

// The bits of a topic's turn.
const (
	taken   = 1 << iota // a goroutine has it
	waiting             // events are queued for the goroutine that has it or takes it next
)

// A delivery is an event on its way to the lists of those who hear it.
type delivery struct {
	event    Event
	signal   *Signal
	borrowed bool // the bytes of the data belong to somebody else: whoever keeps the event needs a copy
	grouped  bool // whoever makes the delivery gives what it adds to the journal to a commit; else it is done in the turn

	// fanout is what the delivery leaves to be done by whoever makes it; nil as long as there is nothing.
	fanout *fanout
}

// own copies the bytes of the data if they are borrowed.
func (d *delivery) own() {
	if d.borrowed {
		d.event.Data, d.borrowed = d.event.Data.Clone(), false
	}
}

// routes are the lists of listeners to an event, in the order of delivery. Some may be nil.
type routes [6]*listeners

// The lists of a routes.
const (
	ofAny         = iota // listeners to any event
	ofSender             // to any event of the sender
	ofChannel            // to the event of any sender
	ofEvent              // to the event
	ofLost               // of a gap: to the event that was lost
	ofLostChannel        // of a gap: to the event that was lost, of any sender
)

// queueLimit bounds the events of one sender that wait while another one is being delivered. queueWait is how long a trigger
// waits for room there before it fails with ErrBusy.
const (
	queueLimit = 1024
	queueWait  = time.Second
)

// trigger delivers one event, or leaves it to the goroutine that is delivering at the moment. An event without a time happens
// now.
func (t *topic) trigger(ctx context.Context, d *delivery) error {
	err := t.take(d)
	if err == errTaken { //nolint:errorlint // it is not wrapped
		err = t.enqueue(ctx, d)
	}
	return err
}

// errTaken says that another goroutine has the turn.
var errTaken = errors.New("hub: events of the sender are being delivered")

// take delivers one event, if no goroutine is delivering.
func (t *topic) take(d *delivery) error {
	if !t.turn.CompareAndSwap(0, taken) {
		return errTaken
	}
	if conn := d.signal.sender; conn.gone.Load() {
		t.endTurn()
		t.router.forget(t) // whoever should have done so may have found the turn taken
		return conn.errGone()
	}
	if d.event.Time.IsZero() {
		d.event.Time = t.router.stamp(&t.clock)
	}
	d.deliver()
	if !d.grouped {
		d.fanout.leave()
	}
	if t.endTurn() {
		t.mu.Lock()
		t.slow(d)
		t.mu.Unlock()
	}
	return nil
}

// endTurn ends the turn after delivering what came meanwhile. It reports whether there was anything.
func (t *topic) endTurn() (more bool) {
	more = !t.turn.CompareAndSwap(taken, 0)
	if more {
		t.drain()
	}
	return more
}

// slowFor lets whoever triggers next wait for slow listeners, each of which is noted once. The lock is held.
func (t *topic) slowFor(over []slowListener) {
	for _, o := range over {
		if len(t.slowListeners) < overMost && !slices.Contains(t.slowListeners, o) {
			t.slowListeners = append(t.slowListeners, o)
		}
	}
}

// slow makes whoever triggers d wait for the listeners that could not keep up with other events. The lock is held.
func (t *topic) slow(d *delivery) {
	if len(t.slowListeners) == 0 {
		return
	}
	if d.fanout == nil {
		d.fanout = t.router.newFanout()
	}
	d.fanout.slow = append(d.fanout.slow, t.slowListeners...)
	t.slowListeners = nil
}

// enqueue puts an event behind those that wait.
func (t *topic) enqueue(ctx context.Context, d *delivery) error {
	if d.event.Time.IsZero() {
		d.event.Time = t.router.now()
	}
	t.mu.Lock()
	if len(t.queue) >= queueLimit {
		if err := t.waitForRoom(ctx); err != nil {
			t.mu.Unlock()
			return err
		}
	}
	if conn := d.signal.sender; conn.gone.Load() {
		t.mu.Unlock()
		return conn.errGone()
	}
	d.own()
	waits := *d
	waits.fanout, waits.grouped = nil, false // that is ours
	t.slow(d)
	t.queue = append(t.queue, waits)
	t.turn.Or(waiting)
	t.mu.Unlock()
	t.flush()
	return nil
}

// post queues an event without delivering it. It is for changes made under Router.mu, whose events must stand in the order
// of the changes. flush delivers it.
func (t *topic) post(d delivery) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.ended = d.event.Name == Disconnect
	d.signal.sender.gone.Store(t.ended)
	t.queue = append(t.queue, d)
	t.turn.Or(waiting)
}

// flush delivers what waits, unless a goroutine has the turn and so will deliver it.
func (t *topic) flush() {
	if t.turn.CompareAndSwap(waiting, waiting|taken) {
		t.drain()
	}
}

// delivered returns a channel that is closed when everything that was queued has been delivered.
func (t *topic) delivered() <-chan struct{} {
	t.mu.Lock()
	defer t.mu.Unlock()
	idle := t.idle.wait()
	if t.turn.Load()&waiting == 0 {
		t.idle.wake()
	}
	return idle
}

// turnEnds returns a channel that is closed when the turn of the goroutine that has it has ended.
func (t *topic) turnEnds() <-chan struct{} {
	t.mu.Lock()
	idle := t.idle.wait()
	t.turn.Or(waiting)
	t.mu.Unlock()
	t.flush()
	return idle
}

const (
	flushEvery = 64 // connections with something to write are written to, while there is more to deliver
	overMost   = 64 // slow listeners are remembered for whoever triggers next
)

// drain delivers what waits and ends the turn of this goroutine.
func (t *topic) drain() {
	var f *fanout
	for {
		t.mu.Lock()
		if f.mustWait() {
			t.slowFor(f.slow)
			f.forget()
		}
		if len(t.queue) == 0 && f.adds() { // in the turn, so that the journal has the order of delivery
			t.mu.Unlock()
			f.leave()
			continue
		}
		if len(t.queue) == 0 {
			t.queue = nil
			t.turn.Store(0)
			t.idle.wake()
			ended := t.ended
			t.mu.Unlock()
			f.finish(false)
			if ended {
				t.router.forget(t)
			}
			return
		}
		d := t.queue[0]
		t.queue[0] = delivery{}
		t.queue = t.queue[1:]
		t.room.wake()
		t.mu.Unlock()
		d.fanout = f
		d.deliver()
		if f = d.fanout; f != nil && len(f.dirty) >= flushEvery {
			f.flush(false)
		}
	}
}

// waitForRoom waits, with t.mu held before and after, until the queue is shorter than its limit. It gives up after queueWait,
// because a callback that fills the queue would wait for itself.
func (t *topic) waitForRoom(ctx context.Context) error {
	timer := time.NewTimer(queueWait)
	defer timer.Stop()
	for len(t.queue) >= queueLimit {
		room := t.room.wait()
		t.mu.Unlock()
		var err error
		select {
		case <-room:
		case <-ctx.Done():
			err = context.Cause(ctx)
		case <-timer.C:
			err = fmt.Errorf("%w: sender %s", ErrBusy, t.name)
		}
		t.mu.Lock()
		if err != nil {
			return err
		}
	}
	return nil
}

// deliver numbers the event and gives it to everyone who listens.
func (d *delivery) deliver() {
	conn := d.signal.sender
	conn.seq++
	d.event.Seq, d.event.Connection = conn.seq, conn.connection
	if d.fanout != nil {
		d.fanout.packed.Reset()
	}
	if d.signal.kept {
		d.keep()
	}
	reading := d.borrowed // this goroutine reads the client, also after an outbox has made a copy of the data
	for i, ls := range &d.signal.routes {
		if ls == nil {
			continue
		}
		for _, l := range ls.load() {
			switch {
			case l.removed.Load() || i < ofLost && l.skips(d.event.Name):
			case i >= ofLost && l.client != nil && !l.client.hello: // it does not know gaps
			case l.client == nil && reading:
				// It was added after this event happened, or nothing would be borrowed. A callback could ask the client that
				// is being read here, and wait for its answer.
			case l.client == nil:
				if d.fanout != nil {
					d.fanout.flush(true) // a callback may take its time
				}
				l.call(&d.event)
			default:
				if d.fanout == nil {
					d.fanout = l.router.newFanout()
				}
				l.client.outbox.push(l, d)
			}
		}
	}
}

// specific returns the list of listeners to one event of this sender. Router.mu is held.
func (t *topic) specific(event string) *listeners {
	ls := t.events[event]
	if ls == nil {
		ls = new(listeners)
		t.events[event] = ls
	}
	return ls
}

// unused reports whether nobody listens, no sender is connected and no event is on its way. Router.mu is held.
func (t *topic) unused() bool {
	if t.conn != nil || t.listening > 0 {
		return false
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.turn.Load() == 0 && len(t.queue) == 0
}

// A clock tells the time of events in quick succession at half the cost of time.Now, which reads two clocks of the system:
// the time of day and the monotonic clock. A clock reads only the second until clockSpan has passed since it read both, and
// so follows a time of day that is set. Its times have no monotonic reading. The zero clock is ready for use by one
// goroutine at a time.
type clock struct {
	both      time.Time
	sec, nsec int64 // of both, since 1970
}

const clockSpan = time.Millisecond

func (c *clock) now() time.Time {
	since := time.Since(c.both)
	if since > clockSpan {
		c.both, since = time.Now(), 0
		c.sec, c.nsec = c.both.Unix(), int64(c.both.Nanosecond())
	}
	return time.Unix(c.sec, c.nsec+int64(since))
}
