package hub

import (
	"context"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"sighub/carrier"
	"sighub/hub/internal/names"
	"sighub/hub/internal/rights"
	"sighub/internal/lockrank"
)

// Options are those of a Router. The zero value is ready to use.
type Options struct {
	// Logger receives what no caller is told, such as a panic of a listener. Nil: nothing is logged.
	Logger *slog.Logger
	// Now returns the time of events whose source does not tell it. Nil: time.Now.
	Now func() time.Time
	// Times says which times an event may have.
	Times TimeRange
}

// A Router has senders and listeners, and delivers the events of its senders to its listeners. It is safe for concurrent
// use. Callbacks run on the goroutine that triggers the event. No lock is held then, so they may use the router.
type Router struct {
	log   *slog.Logger
	now   func() time.Time
	times TimeRange

	quick bool // now is time.Now, so a clock may be used instead

	mu        lockrank.Mutex[lockrank.Router]
	broadcast *listeners
	channels  map[string]*channel
	topics    map[string]*topic
	nextID    uint64

	connections uint64 // number of the latest
	closed      bool   // no sender may connect any more

	journal *keeping // nil: the hub keeps no journal
	policy  atomic.Pointer[rights.InForce]

	names, channelNames names.Ordered // of topics and channels

	callbacks atomic.Int64 // listeners that are local callbacks
	fanouts   sync.Pool    // of *fanout
}

// A channel is the events of one name, starting with #, of all senders.
type channel struct {
	listeners
	offers int // connected senders that offer it
}

// NewRouter returns a Router without senders and listeners.
func NewRouter(o Options) *Router {
	r := &Router{
		log:       o.Logger,
		now:       o.Now,
		times:     o.Times.withDefaults(),
		broadcast: new(listeners),
		channels:  make(map[string]*channel),
		topics:    make(map[string]*topic),
	}
	if r.log == nil {
		r.log = slog.New(slog.DiscardHandler)
	}
	r.log = lockrank.Logger(r.log)
	if r.now == nil {
		r.now, r.quick = time.Now, true
	}
	return r
}

// stamp returns the time of an event that happens now; c is the clock of the goroutine that delivers it.
func (r *Router) stamp(c *clock) time.Time {
	if r.quick {
		return c.now()
	}
	return r.now()
}

// AddListener subscribes fn to an event of a sender; the package's table says what an empty sender or event means. It fails
// with [ErrNoEvent] if the sender is connected and does not offer the event, and with [ErrName] if the sender is empty and
// the event is not a channel.
func (r *Router) AddListener(sender, event string, fn func(Event)) (*Listener, error) {
	l := &Listener{sender: sender, event: event, fn: fn, router: r}
	if err := r.listen(l, false); err != nil {
		return nil, err
	}
	return l, nil
}

// listen adds a listener. An early listener was accepted before its sender connected; it stays dormant where another would
// be refused.
func (r *Router) listen(l *Listener, early bool) error {
	if err := checkSubscription(l.sender, l.event, l.legacy()); err != nil {
		return err
	}
	if l.client == nil {
		r.callbacks.Add(1) // before it can hear anything: see client.trigger
	}
	if err := r.listenFor(l, early); err != nil {
		if l.client == nil {
			r.callbacks.Add(-1)
		}
		return err
	}
	return nil
}

func (r *Router) listenFor(l *Listener, early bool) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	switch {
	case l.removed.Load():
		return ErrNoListener
	case l.sender == "" && (l.event == "" || !isChannel(l.event)): // it hears what it does not skip
		r.broadcast.add(l)
	case l.sender == "":
		r.channel(l.event).add(l)
	default:
		if t := r.topics[l.sender]; !early && t != nil && t.conn != nil && !t.conn.offers(l.event) {
			return fmt.Errorf("%w: sender %s has no event %s, only %s",
				ErrNoEvent, l.sender, l.event, strings.Join(l.mayName(t.conn.eventNames()), ", "))
		}
		t := r.topic(l.sender)
		t.listening++
		if l.event == "" {
			t.broadcast.add(l)
		} else {
			t.specific(l.event).add(l)
		}
	}
	if l.id == 0 {
		r.nextID++
		l.id = r.nextID
	}
	return nil
}

// number gives a listener its number before it is added.
func (r *Router) number(l *Listener) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.nextID++
	l.id = r.nextID
}

// checkSubscription returns an error for names that nothing can have, and for an event of any sender that is not a channel,
// which only a legacy client may listen to.
func checkSubscription(sender, event string, legacy bool) error {
	if sender != "" {
		if err := checkName("sender", sender); err != nil {
			return err
		}
	}
	if event == "" {
		return nil
	}
	if sender == "" && !isChannel(event) && !legacy {
		return fmt.Errorf("%w: event %s of any sender is not a channel: its name must start with #", ErrName, event)
	}
	return checkName("event", event)
}

func (r *Router) unlisten(l *Listener) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if l.list == nil {
		return
	}
	l.list.remove(l)
	if l.client == nil {
		r.callbacks.Add(-1)
	}
	if l.sender != "" {
		t := r.topics[l.sender]
		t.listening--
		r.tidy(t, l.event)
	} else if c := r.channels[l.event]; c != nil {
		r.tidyChannel(l.event, c)
	}
}

// topic returns the topic of a sender's name, and makes it if need be. r.mu is held, as in all methods below.
func (r *Router) topic(name string) *topic {
	t := r.topics[name]
	if t == nil {
		t = &topic{name: name, router: r, broadcast: new(listeners), events: make(map[string]*listeners)}
		r.topics[name] = t
		r.names.Add(name)
	}
	return t
}

func (r *Router) channel(event string) *channel {
	c := r.channels[event]
	if c == nil {
		c = new(channel)
		r.channels[event] = c
		r.channelNames.Add(event)
	}
	return c
}

// tidy removes a topic that is no longer used, or else its list of an event, if nobody listens to that and no connection
// refers to it.
func (r *Router) tidy(t *topic, event string) {
	if t.unused() {
		delete(r.topics, t.name)
		r.names.Remove()
		return
	}
	t.tidy(event)
}

func (t *topic) tidy(event string) {
	if ls := t.events[event]; ls != nil && ls.empty() && (t.conn == nil || t.conn.signals[event] == nil) {
		delete(t.events, event)
	}
}

func (r *Router) tidyChannel(event string, c *channel) {
	if c.empty() && c.offers == 0 {
		delete(r.channels, event)
		r.channelNames.Remove()
	}
}

// forget removes a topic whose last event was delivered, unless it is in use again.
func (r *Router) forget(t *topic) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.topics[t.name] != t {
		return
	}
	for event := range t.events {
		t.tidy(event)
	}
	r.tidy(t, "")
}

// Request calls a method of a sender and returns its response. It waits until ctx is done. If the sender is a client's,
// it waits for [ServerOptions].RequestTimeout at most.
func (r *Router) Request(ctx context.Context, sender, method string, params any) (carrier.Value, error) {
	s, handle, err := r.findRequest(sender, method)
	if err != nil {
		return carrier.Value{}, err
	}
	params = named(params)
	if s.owner == nil {
		response, err := s.call(ctx, handle, method, carrier.ValueOf(params))
		return carrier.ValueOf(response), err
	}
	type result struct {
		reply carrier.Reply
		err   error
	}
	ch := make(chan result, 1)
	p := carrier.ValueOf(params)
	if err := p.Check("params"); err != nil {
		return carrier.Value{}, err
	}
	s.forwarded(method, p, func(reply carrier.Reply, err error) { ch <- result{reply, err} }).send(nil)
	select {
	case res := <-ch:
		return res.reply.Response, answerError(res.reply, res.err)
	case <-ctx.Done():
		return carrier.Value{}, context.Cause(ctx)
	}
}

// findRequest returns the connected sender that answers this request, and its handler if it is a local one.
func (r *Router) findRequest(sender, method string) (*Sender, RequestHandler, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	t := r.topics[sender]
	switch {
	case t == nil:
		return nil, nil, fmt.Errorf("%w: %s", ErrNoSender, sender)
	case t.conn == nil:
		return nil, nil, fmt.Errorf("%w: sender %s", ErrNotConnected, sender)
	}
	handle, err := t.conn.handler(method)
	return t.conn, handle, err
}
