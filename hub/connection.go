package hub

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"

	"sighub/carrier"
	"sighub/hub/internal/deadline"
	"sighub/hub/internal/runner"
	"sighub/internal/lockrank"
)

// A connectionHandler is the carrier's handler on a ClientRouter's side. Its one client is the hub.
type connectionHandler struct {
	router  *ClientRouter
	carrier carrier.Carrier
	serving context.Context
	tasks   sync.WaitGroup
	news    runner.Runner // tells the log and the application of connections made and lost

	// callbacks run on the goroutine that reads, which another one replaces if they take long, or on one of their own: so they may ask
	// the hub and wait for its answer. They run one after the other for all connections, so that callbacks of the next connection wait
	// for those of the last.
	callbacks runner.Runner
	batches   sync.Pool // of *batch, which are empty
	lendsOnce bool      // lent.Once, except in tests

	mu         lockrank.Mutex[lockrank.Leaf]
	connection *connection
}

// A connection is one connection to the hub.
type connection struct {
	handler *connectionHandler
	router  *ClientRouter
	id      carrier.ClientID
	reader  carrier.Reader  // nil: it cannot be lent
	ctx     context.Context // done when the connection is lost
	cancel  context.CancelFunc

	reports reports
	orders  runner.Runner // sends registrations and removals

	announced bool // the application was told of it; under router.mu until the connection is lost

	mu        lockrank.Mutex[lockrank.Connection]
	listeners map[uint64]*Listener // by the hub's ids
}

// callbackLimit bounds the events that wait for callbacks. It is larger than any window, so only a hub that does not keep to
// the window reaches it.
const callbackLimit = 1 << 16

// ClientConnected implements carrier.Handler.
func (h *connectionHandler) ClientConnected(cl carrier.Client) {
	c := &connection{handler: h, router: h.router, id: cl.ID, listeners: make(map[uint64]*Listener), orders: runner.Runner{Tasks: &h.tasks}}
	c.reports.begin(cl.Signals)
	c.reports.codec = cl.Codec
	c.reader, c.reports.resume = cl.Reader, c.resume
	c.ctx, c.cancel = context.WithCancel(h.serving)
	h.mu.Lock()
	h.connection = c
	h.mu.Unlock()
	h.tasks.Go(c.restore)
	h.tasks.Go(c.follow)
}

// HandleMessage implements carrier.Handler.
func (h *connectionHandler) HandleMessage(_ carrier.ClientID, m *carrier.Message, respond func(carrier.Reply)) {
	h.mu.Lock()
	c := h.connection
	h.mu.Unlock()
	switch m.Method {
	case "":
		respond(carrier.Reply{Status: carrier.StatusNoMethod})
	case methodSignal:
		c.heard(m, respond)
	case methodRequest:
		c.asked(m, respond)
	default:
		respond(carrier.Reply{Status: carrier.StatusNoSuchMethod})
	}
}

// ClientDisconnected implements carrier.Handler.
func (h *connectionHandler) ClientDisconnected(_ carrier.ClientID, cause error) {
	h.mu.Lock()
	c := h.connection
	h.mu.Unlock()
	c.cancel()
	c.orders.Close()
	c.reports.fail(fmt.Errorf("%w: %w", carrier.ErrGone, cause))
	h.router.swapConnection(c, nil)
	announced := c.announced
	h.news.Do(func() {
		h.router.log.Info("connection to the hub lost", "cause", cause)
		if h.router.opts.Disconnected != nil && announced {
			h.router.opts.Disconnected(cause)
		}
	})
}

// ClientRefused implements carrier.RefusedHandler.
func (h *connectionHandler) ClientRefused(err error) {
	r := h.router
	r.mu.Lock()
	defer r.mu.Unlock()
	r.refused = err
	r.changed.wake()
}

// AllClientsDisconnected implements carrier.Handler.
func (h *connectionHandler) AllClientsDisconnected(error) {}

// restore registers what was registered on the connection before, and then lets the application use this one.
func (c *connection) restore() {
	r := c.router
	r.mu.Lock()
	var all []registration
	for _, s := range r.senders {
		if s.at != nil { // one that is added for the first time waits for this connection by itself
			all = append(all, registration{"sender " + s.name, s, nil, func(ctx context.Context) error { return c.addSender(ctx, s) }})
		}
	}
	for _, l := range r.listeners {
		if l.at != nil {
			all = append(all, registration{fmt.Sprintf("listener %q %q", l.sender, l.event), nil, l,
				func(ctx context.Context) error { return c.addListener(ctx, l, true) }})
		}
	}
	r.mu.Unlock()
	refused := slices.DeleteFunc(all, func(a registration) bool { return c.settles(&a, c.try(a.add)) })
	if !r.swapConnection(nil, c) {
		return
	}
	// The hub may not have noticed yet that the former connection is lost.
	var pause carrier.Backoff
	for len(refused) > 0 && pause.Wait(c.ctx) == nil {
		refused = slices.DeleteFunc(refused, func(a registration) bool {
			err := c.try(a.add)
			if c.settles(&a, err) {
				return true
			}
			r.log.Warn("the hub refuses to register again; it is asked again", "what", a.name, "error", err)
			return false
		})
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.connection.Load() != c {
		return
	}
	c.announced = true
	c.handler.news.Do(func() {
		r.log.Info("connected to the hub")
		if r.opts.Connected != nil {
			r.opts.Connected()
		}
	})
}

// A registration is what restore does for one sender or listener.
type registration struct {
	name     string
	sender   *Sender
	listener *Listener // one of the two is nil
	add      func(context.Context) error
}

// settles reports whether the hub is not asked again on this connection: it has accepted, or does not allow it.
func (c *connection) settles(a *registration, err error) bool {
	if !errors.Is(err, carrier.ErrDenied) {
		return err == nil
	}
	if s := a.sender; s != nil {
		c.router.mu.Lock()
		s.deniedAt, s.denied = c, err
		c.router.changed.wake()
		c.router.mu.Unlock()
	}
	c.tellDenied(a, err)
	return true
}

// tellDenied tells the application what the hub does not allow.
func (c *connection) tellDenied(a *registration, err error) {
	r := c.router
	c.handler.news.Do(func() {
		r.log.Warn("the hub does not allow this any more", "what", a.name, "error", err)
		if r.opts.Denied != nil {
			r.opts.Denied(a.sender, a.listener, err)
		}
	})
}

// ended notes that the hub has removed a listener, because it may hear nothing any more.
func (c *connection) ended(l *Listener) {
	c.router.mu.Lock()
	there := l.at == c && l.endedAt != c && !l.removed.Load()
	if there {
		l.endedAt = c
		c.mu.Lock()
		delete(c.listeners, l.id)
		c.mu.Unlock()
	}
	c.router.mu.Unlock()
	if there {
		c.tellDenied(&registration{name: fmt.Sprintf("listener %q %q", l.sender, l.event), listener: l},
			fmt.Errorf("%w: the hub has revoked the right to listen to event %q of sender %q", carrier.ErrDenied, l.event, l.sender))
	}
}

func (c *connection) try(add func(context.Context) error) error {
	ctx, cancel := c.router.bounded(c.ctx)
	defer cancel()
	return add(ctx)
}

// send transmits a message to the hub; done is called as carrier.Transmit says.
func (c *connection) send(ctx context.Context, method string, params any, done func(carrier.Reply, error)) error {
	lockrank.MustBeFree("a message is transmitted")
	return c.handler.carrier.Transmit(ctx, c.id, &carrier.Message{Method: method, Params: carrier.ValueOf(params)}, done)
}

// lend has f called by the goroutine that reads, if it can be lent.
func (c *connection) lend(f func()) bool { return c.reader != nil && c.reader.Lend(f) }

// resume says that the caller is about to wait for an answer of the hub.
func (c *connection) resume() {
	if c.reader != nil {
		c.reader.Resume()
	}
}

// A calling is a message whose answer somebody waits for. It ends once, with what comes first.
type calling struct {
	message carrier.Message
	wait    deadline.Wait

	over  atomic.Bool
	ended chan struct{} // closed when reply and err are set
	reply carrier.Reply
	err   error
}

func (q *calling) end(r carrier.Reply, err error) {
	if !q.over.Swap(true) {
		q.reply, q.err = r, err
		close(q.ended)
	}
}

func (q *calling) answered(r carrier.Reply, err error) { q.end(r, answerError(r, err)) }

// Expire implements deadline.Expirer.
func (q *calling) Expire() {
	q.end(carrier.Reply{}, errNoAnswer(context.DeadlineExceeded, q.message.Method))
}

// call transmits a message and waits for the answer: if ctx has no deadline, for as long as requests may take.
func (c *connection) call(ctx context.Context, method string, params any) (carrier.Value, error) {
	if ctx.Err() != nil {
		return carrier.Value{}, context.Cause(ctx)
	}
	q := &calling{ended: make(chan struct{})}
	q.message.Method = method
	q.message.Params.Set(params)
	done := q.answered
	sent, err := c.trySend(&q.message, done)
	if !sent {
		var cancel context.CancelFunc
		ctx, cancel = c.router.bounded(ctx)
		defer cancel()
		lockrank.MustBeFree("a message is transmitted")
		err = c.handler.carrier.Transmit(ctx, c.id, &q.message, done)
	}
	if err != nil {
		return carrier.Value{}, err
	}
	if _, ok := ctx.Deadline(); !ok {
		q.wait.Of = q
		c.router.deadlines.Begin(&q.wait)
		defer c.router.deadlines.End(&q.wait)
	}
	c.resume()
	select {
	case <-q.ended:
	case <-ctx.Done():
		q.end(carrier.Reply{}, context.Cause(ctx))
		<-q.ended // another one may have ended it just before
	}
	if err = q.err; ctx.Err() != nil && errors.Is(err, context.DeadlineExceeded) {
		err = errNoAnswer(context.Cause(ctx), method)
	}
	return q.reply.Response, err
}

// trySend transmits a message if that need not wait, and reports whether it did. The caller watches its context: for the carrier to do
// so would cost as much as the rest.
func (c *connection) trySend(m *carrier.Message, done func(carrier.Reply, error)) (ok bool, err error) {
	t, ok := c.handler.carrier.(carrier.Trier)
	if !ok {
		return false, nil
	}
	lockrank.MustBeFree("a message is transmitted")
	return t.TryTransmit(c.id, m, done)
}

// errNoAnswer returns the error of a call that the hub has not answered by then, for a cause.
func errNoAnswer(cause error, method string) error {
	return fmt.Errorf("hub: no answer to %s in time: %w", method, cause)
}

// add registers something with the hub. accept is called with the answer before anything that arrives later is handled, even
// if ctx is done by then, because the registration stands all the same. If nobody wants it any more, accept returns undo,
// which has the hub remove it.
func (c *connection) add(ctx context.Context, method string, params any, accept func(carrier.Value) (undo func(), err error)) error {
	ch := make(chan error, 1)
	c.order(method, params, func(r carrier.Reply, err error) {
		err = answerError(r, err)
		if err == nil {
			var undo func()
			if undo, err = accept(r.Response); undo != nil {
				undo()
			}
		}
		ch <- err
	})
	c.resume()
	select {
	case err := <-ch:
		return err
	case <-ctx.Done():
		return errNoAnswer(context.Cause(ctx), method)
	}
}

func (c *connection) addSender(ctx context.Context, s *Sender) error {
	r := c.router
	if !r.wantsSender(s) {
		return nil
	}
	params := carrier.Object{
		{Key: "sender", Value: s.name}, {Key: "events", Value: append([]string{}, s.events...)}, {Key: "requests", Value: s.requestNames()},
	}
	if s.units != nil {
		params = append(params, carrier.Field{Key: "units", Value: s.units})
	}
	if s.producing != "" {
		params = append(params, carrier.Field{Key: "producer", Value: s.producing})
	}
	return c.add(ctx, methodAddSender, params, func(response carrier.Value) (func(), error) {
		remove := func() { c.tell(methodRemoveSender, senderParams(s)) }
		var next uint64
		if s.producing != "" {
			a := parseArguments(response)
			if next = a.number("next"); a.err != nil {
				return remove, fmt.Errorf("%w: the hub remembers no numbers of producers: it may be of an older version", ErrArguments)
			}
		}
		r.mu.Lock()
		defer r.mu.Unlock()
		s.at, s.next = c, next
		r.changed.wake()
		if r.senders[s.name] == s {
			return nil, nil
		}
		return remove, nil
	})
}

// addListener registers a listener. early says that the hub has accepted it before.
func (c *connection) addListener(ctx context.Context, l *Listener, early bool) error {
	if l.removed.Load() {
		return nil
	}
	var sender, event any
	if l.sender != "" {
		sender = l.sender
	}
	if l.event != "" {
		event = l.event
	}
	params := carrier.Object{{Key: "sender", Value: sender}, {Key: "event", Value: event}, {Key: "early", Value: early}}
	if l.options.Policy != DefaultPolicy {
		params = append(params, carrier.Field{Key: "policy", Value: string(l.options.Policy)})
	}
	if l.options.Deadline > 0 {
		params = append(params, carrier.Field{Key: "deadline", Value: l.options.Deadline.Milliseconds()})
	}
	if l.options.Gather > 0 {
		params = append(params, carrier.Field{Key: "gather", Value: l.options.Gather.Milliseconds()})
	}
	params = append(params, l.place(early)...)
	return c.add(ctx, methodAddListener, params,
		func(response carrier.Value) (func(), error) {
			a := parseArguments(response)
			id, at := a.number("listener_id"), a.position("position")
			if a.err != nil {
				return nil, a.err
			}
			c.router.mu.Lock()
			defer c.router.mu.Unlock()
			if l.removed.Load() {
				return func() { c.tell(methodRemoveListener, listenerParams(id)) }, nil
			}
			l.at, l.id = c, id
			l.far.begin(at)
			c.mu.Lock()
			c.listeners[id] = l
			c.mu.Unlock()
			return nil, nil
		})
}

// place returns where the listener is to begin or, if it was registered before, to go on.
func (l *Listener) place(again bool) (params carrier.Object) {
	o := &l.options
	at := l.far.get()
	switch {
	case !o.fed():
		if again && !at.IsZero() {
			return append(params, carrier.Field{Key: "resume", Value: at})
		}
	case again && !at.IsZero():
		params = append(params, carrier.Field{Key: "from", Value: at})
	case !o.After.IsZero():
		params = append(params, carrier.Field{Key: "from", Value: o.After})
	case o.From != "":
		params = append(params, carrier.Field{Key: "from", Value: o.From})
	}
	if o.Cursor != "" {
		params = append(params, carrier.Field{Key: "cursor", Value: o.Cursor}, carrier.Field{Key: "manual", Value: o.Manual})
	}
	if o.Last && !again {
		params = append(params, carrier.Field{Key: "last", Value: true})
	}
	return params
}

// order sends a registration or a removal without waiting for anything. They are sent in the order in which they were made,
// so that what is removed and added again is not refused. done is called once, on any goroutine.
func (c *connection) order(method string, params any, done func(carrier.Reply, error)) {
	ok := c.orders.Do(func() {
		if err := c.send(c.ctx, method, params, done); err != nil {
			done(carrier.Reply{}, err)
		}
	})
	if !ok {
		done(carrier.Reply{}, fmt.Errorf("%w: the connection to the hub is lost", carrier.ErrGone))
	}
}

// tell orders something and only logs its refusal.
func (c *connection) tell(method string, params any) {
	c.order(method, params, func(r carrier.Reply, err error) {
		err = answerError(r, err)
		if err != nil && c.ctx.Err() == nil {
			c.router.log.Warn("the hub refused", "method", method, "error", err)
		}
	})
}

// take asks the hub to remove what was registered on this connection. If the connection is lost, the hub has removed it by
// itself. If c is nil, it was never registered.
func (c *connection) take(ctx context.Context, method string, params any) error {
	if c == nil || c.lost() {
		return nil
	}
	_, err := c.call(ctx, method, params)
	if err != nil && c.lost() {
		err = nil
	}
	return err
}

func (c *connection) lost() bool { return c.ctx.Err() != nil }

func senderParams(s *Sender) carrier.Object { return carrier.Object{{Key: "sender", Value: s.name}} }

func listenerParams(id uint64) carrier.Object { return carrier.Object{{Key: "listener_id", Value: id}} }

// SignalsAnswered implements carrier.SignalHandler.
func (h *connectionHandler) SignalsAnswered(_ carrier.ClientID, n int, failed *carrier.Reply) {
	h.mu.Lock()
	c := h.connection
	h.mu.Unlock()
	c.reports.answered(n, failed)
}
