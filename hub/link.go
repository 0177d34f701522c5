package hub

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"

	"sighub/carrier"
)

// hubHandler is the carrier's handler on a ClientRouter's side: its one client is the hub.
type hubHandler struct {
	router  *ClientRouter
	carrier carrier.Carrier
	serving context.Context
	tasks   sync.WaitGroup
	news    runner // tells the application of connections made and lost

	// callbacks have a goroutine of their own, so that they may ask the hub and wait for its answer. It is one for
	// all connections, so that those of the next one wait for those of the last.
	callbacks runner
	batches   sync.Pool // of *[]carrier.Signal, events for callbacks

	mu   sync.Mutex
	link *link
}

// A link is one connection to the hub.
type link struct {
	handler *hubHandler
	router  *ClientRouter
	id      carrier.ClientID
	ctx     context.Context // done when the connection is lost
	cancel  context.CancelFunc

	triggers triggerStream
	orders   runner // registrations, and their ends

	announced bool // the application was told of it; under router.mu until it is lost

	mu        sync.Mutex
	listeners map[uint64]*Listener // by the hub's ids
}

// callbackLimit bounds the events that wait for callbacks: more than any window, so that only a hub that does not
// keep to its window meets it.
const callbackLimit = 1 << 16

// ClientConnected implements carrier.Handler.
func (h *hubHandler) ClientConnected(c carrier.Client) {
	l := &link{handler: h, router: h.router, id: c.ID, listeners: make(map[uint64]*Listener), orders: runner{tasks: &h.tasks}}
	l.triggers.sink, l.triggers.codec = c.Signals, c.Codec
	l.ctx, l.cancel = context.WithCancel(h.serving)
	h.mu.Lock()
	h.link = l
	h.mu.Unlock()
	h.tasks.Go(l.restore)
}

// HandleMessage implements carrier.Handler.
func (h *hubHandler) HandleMessage(_ carrier.ClientID, m *carrier.Message, respond func(carrier.Reply)) {
	h.mu.Lock()
	l := h.link
	h.mu.Unlock()
	switch m.Method {
	case "":
		respond(carrier.Reply{Status: carrier.StatusNoMethod})
	case methodSignal:
		l.heard(m, respond)
	case methodRequest:
		l.asked(m, respond)
	default:
		respond(carrier.Reply{Status: carrier.StatusNoSuchMethod})
	}
}

// ClientDisconnected implements carrier.Handler.
func (h *hubHandler) ClientDisconnected(_ carrier.ClientID, cause error) {
	h.mu.Lock()
	l := h.link
	h.mu.Unlock()
	l.cancel()
	l.triggers.fail(fmt.Errorf("%w: %w", carrier.ErrGone, cause))
	h.router.swapLink(l, nil)
	h.router.log.Info("connection to the hub lost", "cause", cause)
	if h.router.opts.Disconnected != nil && l.announced {
		h.news.do(func() { h.router.opts.Disconnected(cause) })
	}
}

// AllClientsDisconnected implements carrier.Handler.
func (h *hubHandler) AllClientsDisconnected(error) {}

// restore registers again what was registered on the connection before, then lets the application use this one.
func (l *link) restore() {
	r := l.router
	r.mu.Lock()
	var all []registration
	for _, s := range r.senders {
		if s.at != nil { // whoever adds it for the first time waits for this connection too
			all = append(all, registration{"sender " + s.name, func(ctx context.Context) error { return l.addSender(ctx, s) }})
		}
	}
	for _, k := range r.listeners {
		if k.at != nil {
			all = append(all, registration{fmt.Sprintf("listener %q %q", k.sender, k.event),
				func(ctx context.Context) error { return l.addListener(ctx, k, true) }})
		}
	}
	r.mu.Unlock()
	refused := slices.DeleteFunc(all, func(a registration) bool { return l.try(a.add) == nil })
	if !r.swapLink(nil, l) {
		return
	}
	// The hub may hold our own former connection for alive still.
	var pause carrier.Backoff
	for len(refused) > 0 && pause.Wait(l.ctx) == nil {
		refused = slices.DeleteFunc(refused, func(a registration) bool {
			err := l.try(a.add)
			if err != nil {
				r.log.Warn("the hub refuses to register again; trying on", "what", a.name, "error", err)
			}
			return err == nil
		})
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.link != l {
		return
	}
	r.log.Info("connected to the hub")
	l.announced = true
	if r.opts.Connected != nil {
		l.handler.news.do(r.opts.Connected)
	}
}

// A registration is what restore does for one sender or listener.
type registration struct {
	name string
	add  func(context.Context) error
}

func (l *link) try(add func(context.Context) error) error {
	ctx, cancel := l.router.bounded(l.ctx)
	defer cancel()
	return add(ctx)
}

// send transmits a message to the hub; done is called as carrier.Transmit says.
func (l *link) send(ctx context.Context, method string, params any, done func(carrier.Reply, error)) error {
	return l.handler.carrier.Transmit(ctx, l.id, &carrier.Message{Method: method, Params: carrier.ValueOf(params)}, done)
}

// call transmits a message and waits for the answer.
func (l *link) call(ctx context.Context, method string, params any) (carrier.Value, error) {
	type result struct {
		reply carrier.Reply
		err   error
	}
	ch := make(chan result, 1)
	err := l.send(ctx, method, params, func(r carrier.Reply, err error) {
		if err == nil {
			err = r.Err()
		}
		ch <- result{r, err}
	})
	if err != nil {
		return carrier.Value{}, err
	}
	res := <-ch // Transmit promises it, by ctx's end at the latest
	if errors.Is(res.err, context.DeadlineExceeded) {
		res.err = fmt.Errorf("hub: no answer to %s in time: %w", method, res.err)
	}
	return res.reply.Response, res.err
}

// add registers something with the hub. accept is called with the answer, before anything that arrives after it is
// handled, also when ctx ended before: the hub has it then all the same. If accept returns undo, nobody wants it any
// more, and the hub is told to take it back.
func (l *link) add(ctx context.Context, method string, params any, accept func(carrier.Value) (undo func(), err error)) error {
	ch := make(chan error, 1)
	l.order(method, params, func(r carrier.Reply, err error) {
		if err == nil {
			err = r.Err()
		}
		if err == nil {
			var undo func()
			if undo, err = accept(r.Response); undo != nil {
				undo()
			}
		}
		ch <- err
	})
	select {
	case err := <-ch:
		return err
	case <-ctx.Done():
		return fmt.Errorf("hub: no answer to %s in time: %w", method, context.Cause(ctx))
	}
}

func (l *link) addSender(ctx context.Context, s *Sender) error {
	r := l.router
	if !r.wantsSender(s) {
		return nil
	}
	params := carrier.Object{
		{Key: "sender", Value: s.name}, {Key: "events", Value: append([]string{}, s.events...)}, {Key: "requests", Value: s.requestNames()},
	}
	if s.units != nil {
		params = append(params, carrier.Field{Key: "units", Value: s.units})
	}
	return l.add(ctx, methodAddSender, params, func(carrier.Value) (func(), error) {
		r.mu.Lock()
		defer r.mu.Unlock()
		s.at = l
		if r.senders[s.name] == s {
			return nil, nil
		}
		return func() { l.tell(methodRemoveSender, senderParams(s)) }, nil
	})
}

// addListener registers a listener; early, if the hub has accepted it before.
func (l *link) addListener(ctx context.Context, k *Listener, early bool) error {
	if k.removed.Load() {
		return nil
	}
	var sender, event any
	if k.sender != "" {
		sender = k.sender
	}
	if k.event != "" {
		event = k.event
	}
	params := carrier.Object{{Key: "sender", Value: sender}, {Key: "event", Value: event}, {Key: "early", Value: early}}
	if k.options.Policy != "" {
		params = append(params, carrier.Field{Key: "policy", Value: k.options.Policy})
	}
	if k.options.Deadline > 0 {
		params = append(params, carrier.Field{Key: "deadline", Value: k.options.Deadline.Milliseconds()})
	}
	return l.add(ctx, methodAddListener, params,
		func(response carrier.Value) (func(), error) {
			a := parseArguments(response)
			id := a.number("listener_id")
			if a.err != nil {
				return nil, a.err
			}
			l.router.mu.Lock()
			defer l.router.mu.Unlock()
			if k.removed.Load() {
				return func() { l.tell(methodRemoveListener, listenerParams(id)) }, nil
			}
			k.at, k.id = l, id
			l.mu.Lock()
			l.listeners[id] = k
			l.mu.Unlock()
			return nil, nil
		})
}

// order sends a registration, or the end of one, without waiting for anything: they go in the order in which they were
// made, so that what is removed and added again is not refused. done is called once, on any goroutine.
func (l *link) order(method string, params any, done func(carrier.Reply, error)) {
	l.orders.do(func() {
		if err := l.send(l.ctx, method, params, done); err != nil {
			done(carrier.Reply{}, err)
		}
	})
}

// tell orders something whose answer is of no interest.
func (l *link) tell(method string, params any) {
	l.order(method, params, func(r carrier.Reply, err error) {
		if err == nil {
			err = r.Err()
		}
		if err != nil && l.ctx.Err() == nil {
			l.router.log.Warn("the hub refused", "method", method, "error", err)
		}
	})
}

// take asks the hub to take back what was registered on this link. What stood on a connection that is lost, or
// was never registered (l is nil), the hub has forgotten by itself.
func (l *link) take(ctx context.Context, method string, params any) error {
	if l == nil || l.lost() {
		return nil
	}
	_, err := l.call(ctx, method, params)
	if err != nil && l.lost() {
		err = nil
	}
	return err
}

func (l *link) lost() bool { return l.ctx.Err() != nil }

func senderParams(s *Sender) carrier.Object { return carrier.Object{{Key: "sender", Value: s.name}} }

func listenerParams(id uint64) carrier.Object { return carrier.Object{{Key: "listener_id", Value: id}} }

// heard is an event for one of the listeners.
func (l *link) heard(m *carrier.Message, respond func(carrier.Reply)) {
	a := parseArguments(m.Params)
	id, in := a.number("listener_id"), a.info()
	if a.err != nil {
		respond(carrier.Failed(a.err))
		return
	}
	ev := Event{
		Sender: in.sender, Name: in.event, Time: in.time, Uncertainty: in.uncertainty, Seq: in.seq,
		Data: a.value("data"),
	}
	if ev.Time.IsZero() {
		ev.Time = l.router.now()
	}
	l.mu.Lock()
	k := l.listeners[id]
	l.mu.Unlock()
	if k == nil {
		respond(carrier.Failed(fmt.Errorf("%w: %d", ErrNoListener, id)))
		return
	}
	ok := l.handler.callbacks.do(func() {
		if l.handler.serving.Err() != nil {
			return // unanswered: the hub knows that it was not heard
		}
		if !k.removed.Load() {
			k.call(&ev)
		}
		respond(carrier.Done(nil))
	})
	if !ok {
		respond(carrier.Failed(ErrBusy))
	}
}

// asked is a request to one of the remote senders.
func (l *link) asked(m *carrier.Message, respond func(carrier.Reply)) {
	a := parseArguments(m.Params)
	name, method := a.text("sender"), a.text("method")
	if a.err != nil {
		respond(carrier.Failed(a.err))
		return
	}
	l.router.mu.Lock()
	s := l.router.senders[name]
	l.router.mu.Unlock()
	if s == nil {
		respond(carrier.Failed(fmt.Errorf("%w: %s", ErrNoSender, name)))
		return
	}
	handle, err := s.handler(method)
	if err != nil {
		respond(carrier.Failed(err))
		return
	}
	l.handler.tasks.Go(func() {
		if v, err := s.answer(l.ctx, handle, method, a.value("params")); err != nil {
			respond(carrier.Failed(err))
		} else {
			respond(carrier.Done(v))
		}
	})
}
