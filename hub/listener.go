package hub

import (
	"fmt"
	"log/slog"
	"runtime/debug"
	"sync/atomic"
	"time"

	"sighub/carrier"
	"sighub/hub/internal/past"
	"sighub/hub/verb"
	"sighub/internal/lockrank"
)

// A Listener is a subscription.
type Listener struct {
	id            uint64
	sender, event string // empty: any
	fn            func(Event)
	removed       atomic.Bool

	router       *Router       // of a local callback or a client's listener
	list         *listeners    // where it stands; under Router.mu
	client       *client       // the client whose listener it is; nil: a local callback
	clientRouter *ClientRouter // of a listener that stands in a ServerRouter elsewhere

	policy   Policy        // of a client's listener
	deadline time.Duration // of Block
	gather   time.Duration // for how long its events are gathered; 0: they are not

	replay *replay // that feeds it from the journal, or did so at first; nil: none did

	out outRoutes // of a client's listener; under its outbox's lock

	*elsewhere // nil, unless it stands in a ServerRouter elsewhere
}

// An elsewhere is what is known here of a listener that stands in a ServerRouter elsewhere. A hub has thousands of listeners that do not.
type elsewhere struct {
	options ListenerOptions

	at      *connection // where it was registered last, as id; under ClientRouter.mu
	endedAt *connection // where the hub has removed it; likewise

	heard past.Heard // of whoever calls callbacks
	far   farPlace
}

// A farPlace is how far a listener in a ServerRouter elsewhere has come. So it can go on there on another connection.
type farPlace struct {
	mu lockrank.Mutex[lockrank.Leaf]
	at Position // everything up to it is heard; zero: it is not known
}

func (p *farPlace) get() Position {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.at
}

// begin sets where the listener has begun, if it is not known already: callbacks of the connection before may still be moving it.
func (p *farPlace) begin(at Position) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.at.IsZero() {
		p.at = at
	}
}

func (p *farPlace) set(at Position) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.at = at
}

// ListenerOptions say what a hub does when a remote listener cannot keep up. The listener is told of events that were
// dropped by a [Gap].
type ListenerOptions struct {
	Policy Policy // DefaultPolicy: as the hub is configured
	// Deadline is how long the hub may keep senders waiting, if the policy is Block. 0: as the hub is configured. The hub
	// waits for 5 s at most, or for its own deadline if that is longer. This is for all listeners of a client together, and
	// comes back within a minute: see [Block].
	Deadline time.Duration
	// Gather is for how long the hub may gather events before it tells them together, in whole milliseconds up to MaxGather. An
	// event is told at once if none was told for as long. Nothing is lost by it, and many events cost the hub and the listener
	// less: a message for each becomes one in so many milliseconds. 0: each event is told at once.
	Gather time.Duration

	// KeepsNothing promises that nothing of an event's Data is used any more when the callback has returned, so that the memory can be
	// used again at once. Where very many events are heard, each takes a quarter less time. What was decoded from the data may be kept,
	// a copy that [carrier.Value.Clone] made, and all else of the event; values that Fields or Items of the data gave may not. Data that
	// is used later all the same cannot be decoded or, when other events have come, may be theirs. In programs built with -race it can
	// never be decoded.
	KeepsNothing bool

	// Cursor, From, After and Last are for a hub with a journal; others refuse them.

	// Cursor is a name under which the hub remembers how far this listener has come: up to the event whose callback has returned
	// last. The listener goes on there, also after its program or the hub was started again. It hears events when they are on
	// disk, in the order of the journal, each with its Position. After a crash it may hear the latest of them again, with the
	// same positions. A cursor has one listener at a time. While the former one is there, it is refused, with ErrCursor. One whose
	// machine has vanished is found within some seconds, or half a minute or so if events were on their way to it: try again.
	Cursor string
	// Manual leaves it to [ClientRouter.Acknowledge] to move the cursor.
	Manual bool
	// From is where a listener begins that has no position yet: "start", "now", a time (RFC 3339) or an age such as "2h" or
	// "7d". If it is empty, a new cursor begins now. Without a cursor, it makes a listener that hears events from the journal,
	// and goes on after a lost connection.
	From string
	// After is the position of the last event that was dealt with. It counts more than From and what the hub knows of the cursor. A
	// program that stores the position of an event together with what it does about it has each event exactly once.
	After Position
	// Last has the hub tell the last event of each sender and event first, marked as such: see [Event].
	Last bool
}

// MaxGather is the longest time for which events may be gathered: see [ListenerOptions].
const MaxGather = 500 * time.Millisecond

// fed reports whether the listener hears events from the journal.
func (o *ListenerOptions) fed() bool { return o.Cursor != "" || o.From != "" || !o.After.IsZero() }

// Sender returns the name of the sender that is listened to; empty means any.
func (l *Listener) Sender() string { return l.sender }

// Event returns the name of the event that is listened to; empty means any.
func (l *Listener) Event() string { return l.event }

// Remove ends the subscription. A call of its callback may still be running when Remove returns; no call starts
// afterwards.
func (l *Listener) Remove() {
	if l.removed.Swap(true) {
		return
	}
	switch {
	case l.clientRouter != nil:
		l.clientRouter.dropListener(l)
	case l.router != nil:
		l.router.unlisten(l)
	}
}

// legacy reports whether it is a legacy client's.
func (l *Listener) legacy() bool { return l.client != nil && !l.client.hello }

// skips reports whether a listener to one event of any sender does not hear this one. Unless that event is a channel, it stands
// among those who hear every event.
func (l *Listener) skips(event string) bool {
	return l.sender == "" && l.event != "" && l.event != event
}

// call runs a local callback. If it panics, that is logged and harms nobody else.
func (l *Listener) call(ev *Event) {
	lockrank.MustBeFree("a listener is called")
	defer func() {
		if p := recover(); p != nil {
			l.log().Error("a listener panicked", "sender", ev.Sender, "event", ev.Name,
				"panic", fmt.Sprint(p), "stack", string(debug.Stack()))
		}
	}()
	l.fn(*ev)
}

// cost returns how many bytes a client's listener takes.
func (l *Listener) cost() int { return listenerCost + len(l.sender) + len(l.event) }

func (l *Listener) log() *slog.Logger {
	if l.clientRouter != nil {
		return l.clientRouter.log
	}
	return l.router.log
}

// listeners is a copy-on-write list: deliveries load it without a lock, changes are made under Router.mu. A listener that was
// removed may stay in the list, as long as most of them are there: a removal is then not a copy of the list.
type listeners struct {
	p       atomic.Pointer[[]*Listener]
	removed int
}

func (ls *listeners) load() []*Listener {
	if p := ls.p.Load(); p != nil {
		return *p
	}
	return nil
}

func (ls *listeners) add(l *Listener) {
	list := ls.load()
	// append reserves space, so most additions write beyond what readers of the old list can see.
	list = append(list, l)
	ls.p.Store(&list)
	l.list = ls
}

// remove removes a listener that stands in the list.
func (ls *listeners) remove(l *Listener) {
	l.list = nil
	old := ls.load()
	if ls.removed++; 2*ls.removed < len(old) {
		return
	}
	list := make([]*Listener, 0, len(old)-ls.removed)
	for _, l := range old {
		if l.list == ls {
			list = append(list, l)
		}
	}
	ls.p.Store(&list)
	ls.removed = 0
}

func (ls *listeners) len() int { return len(ls.load()) - ls.removed }

func (ls *listeners) empty() bool { return ls.len() == 0 }

// A Policy says what happens to events for a remote client whose outbox is full. Events that are dropped are counted, and the
// listener is told of them by a [Gap]. Configurations and the protocol name it by its text.
type Policy string

const (
	// DefaultPolicy is what the hub is configured for: Block, unless OutboxOptions say otherwise.
	DefaultPolicy Policy = ""
	// Block slows the sender down: its event is acknowledged when the outbox has room again, or after the deadline. An outbox
	// also has no room while it holds a large part of the memory that is left for the client. All that senders wait for one
	// client counts towards one deadline, except for 100 µs for each event that it takes. It comes back slowly, the whole of it
	// in a minute. When it is used up, the hub does not wait for this client any more, and drops the events that do not fit,
	// until the client has lost nothing for a minute.
	Block Policy = "block"
	// Latest drops the waiting event that the new one replaces, which has the same listener, sender and name. If there is
	// none, it drops the oldest event of a Latest listener. Even in an outbox that is not full, it drops an event that
	// has waited for a while if a newer one of the same kind waits as well. A client that has answered nothing for a
	// second is sent nothing more, because that would be old by the time it is heard.
	Latest Policy = "latest"
	// Hangup disconnects the client.
	Hangup Policy = "disconnect"
)

// Policies lists the policies that a listener may ask for.
func Policies() []Policy { return []Policy{Block, Latest, Hangup} }

// OutboxOptions bound the events that wait for each remote client. Zero values are defaults. Policy and Deadline apply to
// listeners that do not choose their own: see [ListenerOptions].
type OutboxOptions struct {
	Limit    int           // events; 1024 by default
	Bytes    int           // of the data of events, if it arrived encoded; 4 MiB by default
	Policy   Policy        // Block by default
	Deadline time.Duration // of Block: 2 s by default
}

func (o OutboxOptions) withDefaults() OutboxOptions {
	if o.Limit <= 0 {
		o.Limit = 1024
	}
	if o.Bytes <= 0 {
		o.Bytes = 4 << 20
	}
	if o.Policy == DefaultPolicy {
		o.Policy = Block
	}
	if o.Deadline <= 0 {
		o.Deadline = 2 * time.Second
	}
	return o
}

func (c *client) addListener(a *arguments, respond func(carrier.Reply)) (any, error) {
	l := &Listener{sender: a.optionalText("sender"), event: a.optionalText("event"), router: c.server.Router, client: c}
	early := a.flag("early")
	l.policy, l.deadline = a.policy(c.server.opts.Outbox)
	l.gather = a.gather()
	if a.err != nil {
		return nil, a.err
	}
	in := c.server.policy.Load()
	if err := c.permit(verb.Listen, l.sender, l.event); err != nil {
		return nil, err
	}
	c.mu.Lock()
	n, equal := len(c.listeners), c.equals(l.subscription())
	c.mu.Unlock()
	if most := c.server.opts.MaxListeners; n >= most {
		return nil, fmt.Errorf("%w: a client may have %d listeners", carrier.ErrLimit, most)
	}
	if equal >= maxEqual {
		return nil, fmt.Errorf("%w: a client may have %d listeners to the same", carrier.ErrLimit, maxEqual)
	}
	if err := c.account.Take(l.cost()); err != nil {
		return nil, err
	}
	c.outbox.pause(l)
	defer c.outbox.resume()
	answer, err := c.listen(a, l, early)
	if err != nil {
		c.account.Give(l.cost())
		return nil, err
	}
	c.mu.Lock()
	c.keep(l)
	c.mu.Unlock()
	if c.server.policy.Load() != in { // another one may have looked for what it denies before the listener was there
		if err = c.permit(verb.Listen, l.sender, l.event); err != nil && c.takeListener(l) {
			c.dropListener(l)
		}
	}
	if err == nil {
		respond(carrier.Done(answer))
	}
	if l.replay != nil {
		c.by.tasks.Go(l.replay.run)
	}
	if err != nil {
		return nil, err
	}
	return deferred, nil
}

// few is how many listeners are counted one by one: most clients have no more, and a map of subscriptions takes more than a listener.
const few = 8

// equals returns how many of the client's listeners hear the same. The lock is held.
func (c *client) equals(s subscription) (n int) {
	if c.equal != nil {
		return c.equal[s]
	}
	for _, l := range c.listeners {
		if l.subscription() == s {
			n++
		}
	}
	return n
}

// keep puts a listener among the client's. The lock is held.
func (c *client) keep(l *Listener) {
	if c.listeners == nil {
		c.listeners = make(map[uint64]*Listener)
	}
	c.listeners[l.id] = l
	switch {
	case c.equal != nil:
		c.equal[l.subscription()]++
	case len(c.listeners) > few:
		c.equal = make(map[subscription]int)
		for _, l := range c.listeners {
			c.equal[l.subscription()]++
		}
	}
}

// let takes a listener out of the client's, and reports whether it was among them. The lock is held.
func (c *client) let(l *Listener) bool {
	if l == nil || c.listeners[l.id] != l {
		return false
	}
	delete(c.listeners, l.id)
	if c.equal == nil {
		return true
	}
	s := l.subscription()
	if c.equal[s]--; c.equal[s] == 0 {
		delete(c.equal, s)
	}
	return true
}

// takeListener takes a listener off the client's list, and reports whether it was there.
func (c *client) takeListener(l *Listener) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.let(l)
}

// listen has a listener hear events at once, or has it fed from the journal, as it asks for. It returns the answer.
func (c *client) listen(a *arguments, l *Listener, early bool) (any, error) {
	k := c.server.journal
	at, r, err := Position{}, (*replay)(nil), checkSubscription(l.sender, l.event, l.legacy())
	if err == nil {
		r, err = c.replayFor(a, l)
	}
	if err != nil {
		return nil, err
	}
	if k != nil {
		at = k.heardAll()
	}
	l.replay = r
	switch {
	case r == nil:
		err = c.server.listen(l, early)
	case r.reader != nil: // from the journal, at first
		c.server.number(l)
	default:
		r.hold()
		r.listens = true
		if err = c.server.listen(l, early); err != nil {
			r.release()
			r.ended()
		}
	}
	switch {
	case err != nil:
		return nil, err
	case k == nil || !c.hello:
		return map[string]uint64{"listener_id": l.id}, nil
	case r != nil && r.reader != nil:
		return addedListener{l.id, Position(r.at), at}, nil
	}
	return addedListener{l.id, at, at}, nil
}

// An addedListener is the answer to add_listener of a hub with a journal: the listener hears what comes after the position, and
// everything up to the end is on disk.
type addedListener struct {
	ID       uint64   `json:"listener_id"`
	Position Position `json:"position"`
	End      Position `json:"end"`
}

func (c *client) removeListener(a *arguments, _ func(carrier.Reply)) (any, error) {
	id := a.number("listener_id")
	if a.err != nil {
		return nil, a.err
	}
	c.mu.Lock()
	l := c.listeners[id]
	c.let(l)
	c.mu.Unlock()
	if l == nil {
		return nil, fmt.Errorf("%w: %d", ErrNoListener, id)
	}
	c.dropListener(l)
	return nil, nil
}

func (l *Listener) subscription() subscription { return subscription{l.sender, l.event} }

// dropListener removes a listener of the client's, and gives back what it took.
func (c *client) dropListener(l *Listener) {
	l.removed.Store(true)
	l.router.unlisten(l)
	if l.replay != nil {
		l.replay.stop()
	}
	c.outbox.forget(l)
	c.account.Give(l.cost())
}
