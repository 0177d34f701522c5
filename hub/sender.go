package hub

import (
	"context"
	"fmt"
	"log/slog"
	"maps"
	"runtime/debug"
	"slices"
	"sync/atomic"
	"time"

	"sighub/carrier"
	"sighub/hub/internal/rights"
	"sighub/internal/lockrank"
	"sighub/internal/safetext"
)

// A RequestHandler answers one request to a sender with a response (any Go value or a [carrier.Value]) or with an error,
// whose text reaches the caller. It should trigger events with TriggerAsync, or wait for them with a short deadline: if
// the caller is a callback of a listener to the same sender, those events wait until that callback returns.
type RequestHandler func(ctx context.Context, method string, params carrier.Value) (any, error)

// SenderOptions say what a sender offers.
type SenderOptions struct {
	// Events are the names of its events. [Connect], [Disconnect] and [Gap] need not be named.
	Events []string
	// Units are the units of the events' data, by the event's name, preferably the symbols of RFC 8428: "lx", "Cel". The hub
	// passes them to listeners and does not use them.
	Units map[string]string
	// Requests are the methods it answers.
	Requests map[string]RequestHandler
	// Default answers every other method. Nil: other methods are refused.
	Default RequestHandler
	// Producer, for a remote sender, is the name of a program that numbers its events. The hub remembers the number of the last
	// event on record by that name, also over its own restarts, so that nothing is recorded twice: see [Sender.Produce]. Only one
	// client at a time has the name. The hub must keep a journal.
	Producer string
}

// maxEvents is how many events, and how many requests, one sender may have.
const maxEvents = 1024

// offeredBytes bounds what is remembered of a sender that has gone, while somebody still listens to it.
const offeredBytes = 1536

// A Sender is one connection of a named source of events, from AddSender until it is removed.
type Sender struct {
	name     string
	events   []string          // in the order given, built-in ones left out
	units    map[string]string // by event; nil if none is known
	signals  map[string]*Signal
	requests map[string]RequestHandler
	fallback RequestHandler
	answers  bool      // it answers requests
	methods  []*string // see requestNames
	names    int       // bytes of all names and units, with what each takes in a list
	cost     int       // bytes that the sender takes

	topic        *topic
	owner        *client       // the client whose sender it is; nil: this process's own
	given        string        // the name its owner gave it, before the hub's naming
	clientRouter *ClientRouter // of a sender that stands in a ServerRouter elsewhere

	producing string      // the name by which the hub remembers the numbers of a remote sender's events; empty: there are none
	at        *connection // where it was registered last; under ClientRouter.mu, as next
	next      uint64      // number after the last one that the hub had on record by then
	deniedAt  *connection // where the hub has denied it last; under ClientRouter.mu, as denied
	denied    error

	refused carrier.Refusals // signals of its events, by cause

	seq        uint64    // of the latest event; of whoever has the topic's turn, as unkept
	unkept     Loss      // events since the last one that was kept
	connection uint64    // a number that no other connection of any sender has had
	producer   *producer // numbers its events; nil: nobody does

	gone atomic.Bool
}

func (s *Sender) errGone() error { return fmt.Errorf("%w: sender %s", ErrNotConnected, s.name) }

// A Signal triggers one event of one sender.
type Signal struct {
	sender *Sender
	event  string
	routes routes
	kept   bool // in the journal

	hears atomic.Pointer[rights.Hearing] // by the policy in force
	lost  *Signal                        // of a gap: the event that was lost; nil: any, or it is no gap

	route atomic.Pointer[reportRoute] // of a remote sender's event
}

// newSender checks the options and returns a sender that is not connected yet.
func newSender(name string, o SenderOptions) (*Sender, error) {
	if err := checkName("sender", name); err != nil {
		return nil, err
	}
	if len(o.Events) > maxEvents || len(o.Requests) > maxEvents {
		return nil, fmt.Errorf("%w: sender %s has more than %d events or requests", carrier.ErrLimit, name, maxEvents)
	}
	s := &Sender{
		name:     name,
		given:    name,
		signals:  make(map[string]*Signal, len(o.Events)+3),
		requests: maps.Clone(o.Requests),
		fallback: o.Default,
		answers:  o.Requests != nil || o.Default != nil,

		producing: o.Producer,
	}
	if o.Producer != "" {
		if err := checkName("producer", o.Producer); err != nil {
			return nil, err
		}
	}
	for _, event := range o.Events {
		if err := checkName("event", event); err != nil {
			return nil, fmt.Errorf("%w, of sender %s", err, name)
		}
		if s.signals[event] == nil && !isBuiltIn(event) {
			s.events = append(s.events, event)
			s.signals[event] = &Signal{sender: s, event: event}
		}
	}
	for event, unit := range o.Units {
		if unit == "" || s.signals[event] == nil {
			continue
		}
		if err := badName("unit", unit, safetext.CheckUnit(unit)); err != nil {
			return nil, fmt.Errorf("%w, of event %s of sender %s", err, event, name)
		}
		if s.units == nil {
			s.units = make(map[string]string)
		}
		s.units[event] = unit
	}
	for method := range o.Requests {
		if err := checkName("request", method); err != nil {
			return nil, fmt.Errorf("%w, of sender %s", err, name)
		}
	}
	for _, event := range []string{Connect, Disconnect, Gap} {
		s.signals[event] = &Signal{sender: s, event: event}
	}
	s.methods = s.requestNames()
	s.weigh()
	return s, nil
}

// weigh reckons what the sender takes.
func (s *Sender) weigh() {
	const listed = 32 // around a name in a list
	s.names = len(s.name)
	for _, event := range s.events {
		s.names += listed + len(event)
	}
	for event, unit := range s.units {
		s.names += listed + len(event) + len(unit)
	}
	for method := range s.requests {
		s.names += listed + len(method)
	}
	s.cost = senderCost + (len(s.events)+len(s.requests))*nameCost + s.names
}

// empty drops what a client's sender holds, which has gone. The client may refer to its signals for as long as it is connected.
func (s *Sender) empty() {
	s.events, s.units, s.signals, s.requests, s.methods = nil, nil, nil, nil, nil
}

// AddSender connects a sender and announces it. It fails with [ErrExists] while a sender of that name is connected, and
// with [ErrName] if a sender, an event, a request or a unit cannot have the given name.
func (r *Router) AddSender(name string, o SenderOptions) (*Sender, error) {
	s, err := newSender(name, o)
	if err != nil {
		return nil, err
	}
	if err := r.connect(s); err != nil {
		return nil, err
	}
	return s, nil
}

func (r *Router) connect(s *Sender) error {
	in := r.policy.Load()
	hear(in, slices.Collect(maps.Values(s.signals)))
	r.mu.Lock()
	if now := r.policy.Load(); now != in { // seldom, or it would not be done under the lock
		hear(now, slices.Collect(maps.Values(s.signals)))
	}
	if r.closed {
		r.mu.Unlock()
		return fmt.Errorf("%w: the hub is shutting down", ErrNotConnected)
	}
	t := r.topic(s.name)
	if t.conn != nil {
		err := r.taken(t.conn, s)
		r.mu.Unlock()
		return err
	}
	r.attach(t, s)
	r.mu.Unlock()
	t.flush()
	return nil
}

// attach makes a sender the connection of a topic, and announces it. r.mu is held; whoever gives it up flushes the topic.
func (r *Router) attach(t *topic, s *Sender) {
	s.topic, t.conn, t.offered = t, s, nil
	r.connections = max(r.connections+1, uint64(max(r.now().UnixMilli(), 0)))
	s.connection = r.connections
	for event, sig := range s.signals {
		sig.kept = r.journal != nil && r.journal.keeps(s.name, event)
		sig.routes = routes{ofAny: r.broadcast, ofSender: t.broadcast, ofEvent: t.specific(event)}
		if isChannel(event) {
			c := r.channel(event)
			c.offers++
			sig.routes[ofChannel] = &c.listeners
		}
	}
	t.post(s.announcement(Connect, "", r.now()))
}

// replace puts a sender that offers more in the place of another one of its owner's. Its listeners hear a [Connect], and no [Disconnect].
func (r *Router) replace(before, s *Sender) error {
	in := r.policy.Load()
	hear(in, slices.Collect(maps.Values(s.signals)))
	r.mu.Lock()
	if now := r.policy.Load(); now != in { // as in connect
		hear(now, slices.Collect(maps.Values(s.signals)))
	}
	t := before.topic
	if t.conn != before {
		r.mu.Unlock()
		return before.errGone()
	}
	before.gone.Store(true)
	r.leaveChannels(before)
	r.attach(t, s)
	r.mu.Unlock()
	t.flush()
	return nil
}

// leaveChannels takes the events of a sender from those that channels offer. r.mu is held.
func (r *Router) leaveChannels(s *Sender) {
	for event := range s.signals {
		if isChannel(event) {
			c := r.channels[event]
			c.offers--
			r.tidyChannel(event, c)
		}
	}
}

// ownerOf returns the client whose sender has that name, or nil if the sender is this process's own, and whether the name is
// taken at all.
func (r *Router) ownerOf(name string) (owner *client, taken bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if t := r.topics[name]; t != nil && t.conn != nil {
		return t.conn.owner, true
	}
	return nil, false
}

func (r *Router) taken(conn, s *Sender) error {
	err := fmt.Errorf("%w: %s", ErrExists, s.name)
	if conn.owner != nil && (s.owner == nil || s.owner.isAdmin()) {
		err = fmt.Errorf("%w, by %s", err, conn.owner.info)
	}
	if s.owner != nil && s.owner.info.UID != "" {
		err = fmt.Errorf(`%w: set naming: "{device}.{sender}" for this port, so that each device's senders have names of their own`, err)
	}
	return err
}

// disconnect ends a sender's connection, once, and announces it.
func (r *Router) disconnect(s *Sender, reason string) {
	r.mu.Lock()
	t := s.topic
	if t == nil || t.conn != s {
		r.mu.Unlock()
		return
	}
	t.conn = nil
	if s.names <= offeredBytes {
		t.offered = s.events
	}
	r.leaveChannels(s)
	t.post(s.announcement(Disconnect, reason, r.now()))
	r.mu.Unlock()
	t.flush()
}

// announcement makes the sender's [Connect] or [Disconnect].
func (s *Sender) announcement(event, reason string, now time.Time) delivery {
	legacy := legacyConnection{Events: s.eventNames(), Requests: s.methods}
	all := Connection{
		Events: legacy.Events, Units: s.units, Requests: legacy.Requests, Reason: reason, Client: s.clientInfo(), Time: now.UTC(),
	}
	public := all
	if all.Client != nil {
		public.Client = all.Client.public()
	}
	return delivery{
		event: Event{
			Sender: s.name, Name: event, Time: now, Data: carrier.ValueOf(all),
			variants: &variants{
				legacy: carrier.ValueOf(legacy).Shared(), public: carrier.ValueOf(public).Shared(),
				weight: 3 * s.names, // the larger two in two codecs
			},
		},
		signal: s.signals[event],
	}
}

// Name returns the sender's name.
func (s *Sender) Name() string { return s.name }

// Remove disconnects the sender (reason "removed"). Its signals fail with [ErrNotConnected] from then on. To learn whether
// the hub has removed a remote sender, use ClientRouter.RemoveRemoteSender.
func (s *Sender) Remove() { s.RemoveBecause("removed") }

// RemoveBecause disconnects the sender as Remove does, for a reason of its own: see [Connection]. The listeners of a remote
// sender hear "removed" in any case.
func (s *Sender) RemoveBecause(reason string) {
	if s.clientRouter != nil {
		s.clientRouter.dropSender(s)
		return
	}
	s.topic.router.disconnect(s, reason)
}

// Signal returns the handle that triggers an event of this sender. It fails with [ErrNoEvent] if the sender does not offer
// the event, and for [Connect] and [Disconnect], which only the router triggers.
func (s *Sender) Signal(event string) (*Signal, error) {
	sig := s.signals[event]
	if sig == nil || event == Connect || event == Disconnect {
		return nil, fmt.Errorf("%w: sender %s cannot trigger %s", ErrNoEvent, s.name, event)
	}
	return sig, nil
}

// Trigger triggers the event now: see TriggerAt.
func (g *Signal) Trigger(ctx context.Context, data any) error {
	return g.TriggerAt(ctx, data, time.Time{}, 0)
}

// TriggerAt triggers the event, which happened at the given time; the zero time means now. The time may be off by
// uncertainty; zero or less means that the uncertainty is unknown.
//
// When TriggerAt returns, the event has been delivered to every local callback and put into the outbox of every remote
// listener. There is one exception: if another event of the same sender is being delivered, by another goroutine or by a
// callback that makes this call, the goroutine that delivers it also delivers this event, and TriggerAt does not wait for
// that. TriggerAt waits, for a bounded time, for remote listeners that cannot keep up with this sender and whose policy
// is [Block].
//
// TriggerAt fails with [carrier.ErrTime] if the time is not plausible (see [TimeRange]), and with [carrier.ErrValue] if the data
// is encoded already and cannot be carried (see [carrier.CheckValue]).
//
// The data must not be changed afterwards, because it may still have to be encoded for remote listeners. A listener in
// whose codec it cannot be encoded is told of a gap.
//
// For a remote sender, TriggerAt returns when the hub has acknowledged the event.
func (g *Signal) TriggerAt(ctx context.Context, data any, at time.Time, uncertainty time.Duration) error {
	uncertainty = max(uncertainty, 0)
	if g.sender.clientRouter != nil {
		return g.sender.clientRouter.triggerAt(ctx, g, data, at, uncertainty)
	}
	if router := g.sender.topic.router; !at.IsZero() {
		if err := router.times.check(at, router.now()); err != nil {
			return err
		}
	}
	var d delivery // filled field by field: a literal is made elsewhere, and then copied
	d.signal = g
	d.event.Sender, d.event.Name = g.sender.name, g.event
	d.event.Time, d.event.Uncertainty = at, uncertainty
	d.event.Data.Set(named(data))
	if err := d.event.Data.Check("data"); err != nil {
		return err
	}
	err := g.sender.topic.trigger(ctx, &d)
	if r := d.fanout; r != nil {
		r.flush(true)
		waitForRoom(ctx, r.slow)
		r.finish(true)
	}
	return err
}

// TriggerAsync triggers the event now and does not wait for its acknowledgement: see TriggerAsyncAt.
func (g *Signal) TriggerAsync(ctx context.Context, data any, done func(error)) error {
	return g.TriggerAsyncAt(ctx, data, time.Time{}, 0, done)
}

// TriggerAsyncAt triggers the event as TriggerAt does, but does not wait for its acknowledgement. If it returns nil, done is
// called once with the outcome; done may be nil. For a remote sender, as many events may be unacknowledged as the hub's
// window holds, and TriggerAsyncAt waits while the window is full. Where hundreds are unacknowledged, one that no other follows
// may leave a millisecond later. For other senders, done is called before TriggerAsyncAt returns.
//
// The data of a remote sender is packed before TriggerAsyncAt returns, and may be changed afterwards. A program that sends
// very many events can therefore use one buffer for all of them, in a [carrier.Value] to which it passes a pointer, and
// allocate nothing.
func (g *Signal) TriggerAsyncAt(ctx context.Context, data any, at time.Time, uncertainty time.Duration, done func(error)) error {
	if done == nil {
		done = func(error) {}
	}
	if r := g.sender.clientRouter; r != nil {
		return r.triggerAsync(ctx, g, data, at, max(uncertainty, 0), done)
	}
	done(g.TriggerAt(ctx, data, at, uncertainty))
	return nil
}

func (s *Sender) log() *slog.Logger {
	if s.clientRouter != nil {
		return s.clientRouter.log
	}
	return s.topic.router.log
}

func (s *Sender) offers(event string) bool { return event == "" || s.signals[event] != nil }

func (s *Sender) eventNames() []string {
	return append(slices.Clone(s.events), Disconnect, Connect)
}

// requestNames lists the sender's methods, with a nil name for its default handler. It is nil if the sender answers no
// requests.
func (s *Sender) requestNames() []*string {
	if !s.answers {
		return nil
	}
	list := make([]*string, 0, len(s.requests)+1)
	for _, name := range slices.Sorted(maps.Keys(s.requests)) {
		list = append(list, &name)
	}
	if s.fallback != nil {
		list = append(list, nil)
	}
	return list
}

func (s *Sender) clientInfo() *ClientInfo {
	if s.owner == nil {
		return nil
	}
	info := s.owner.info
	return &info
}

func (s *Sender) handler(method string) (RequestHandler, error) {
	if handle := s.requests[method]; handle != nil {
		return handle, nil
	}
	if s.fallback != nil {
		return s.fallback, nil
	}
	if !s.answers {
		return nil, fmt.Errorf("%w: sender %s answers no requests", ErrNoRequest, s.name)
	}
	return nil, fmt.Errorf("%w: sender %s does not answer %s", ErrNoRequest, s.name, method)
}

// answer runs a request handler and returns its answer as a reply.
func (s *Sender) answer(ctx context.Context, handle RequestHandler, method string, params carrier.Value) carrier.Reply {
	response, err := s.call(ctx, handle, method, params)
	if err != nil {
		return carrier.Failed(err)
	}
	return carrier.Done(response)
}

// call runs a request handler. One that panics has failed.
func (s *Sender) call(ctx context.Context, handle RequestHandler, method string, params carrier.Value) (response any, err error) {
	lockrank.MustBeFree("a request handler is called")
	defer func() {
		if p := recover(); p != nil {
			s.log().Error("a request handler panicked", "sender", s.name, "method", method, "panic", fmt.Sprint(p),
				"stack", string(debug.Stack()))
			err = fmt.Errorf("hub: request %s of sender %s panicked: %v", method, s.name, p)
		}
	}()
	response, err = handle(ctx, method, params)
	response = named(response)
	if err == nil {
		err = carrier.ValueOf(response).Check("response")
	}
	return response, err
}
