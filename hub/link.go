package hub

import (
	"context"
	"errors"
	"fmt"
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

	announced bool // the application was told of it; under router.mu until it is lost

	// callbacks have a goroutine of their own, so that they may ask the hub and wait for its answer.
	callbacks runner

	mu        sync.Mutex
	listeners map[uint64]*Listener // by the hub's ids
}

// callbackLimit bounds the events that wait for callbacks: more than any window, so that only a hub that does not
// keep to its window meets it.
const callbackLimit = 1 << 16

// ClientConnected implements carrier.Handler.
func (h *hubHandler) ClientConnected(c carrier.Client) {
	l := &link{handler: h, router: h.router, id: c.ID, listeners: make(map[uint64]*Listener)}
	l.callbacks = runner{tasks: &h.tasks, limit: callbackLimit}
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
	var adds []func(context.Context, *link) error
	var names []string
	for _, s := range r.senders {
		if !s.registered {
			continue // whoever adds it for the first time waits for this connection too
		}
		adds = append(adds, func(ctx context.Context, l *link) error { return l.addSender(ctx, s) })
		names = append(names, "sender "+s.name)
	}
	for k := range r.listeners {
		if !k.registered {
			continue
		}
		adds = append(adds, func(ctx context.Context, l *link) error { return l.addListener(ctx, k) })
		names = append(names, fmt.Sprintf("listener %q %q", k.sender, k.event))
	}
	r.mu.Unlock()
	refused := map[string]func(context.Context, *link) error{}
	for i, add := range adds {
		if err := l.try(add); err != nil {
			refused[names[i]] = add
		}
	}
	if !r.swapLink(nil, l) {
		return
	}
	// The hub may hold our own former connection for alive still.
	var pause carrier.Backoff
	for len(refused) > 0 && pause.Wait(l.ctx) == nil {
		for name, add := range refused {
			if err := l.try(add); err == nil {
				delete(refused, name)
			} else {
				r.log.Warn("the hub refuses to register again; trying on", "what", name, "error", err)
			}
		}
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

func (l *link) try(add func(context.Context, *link) error) error {
	ctx, cancel := l.router.bounded(l.ctx)
	defer cancel()
	return add(ctx, l)
}

// send transmits a message to the hub; done is called as carrier.Transmit says.
func (l *link) send(ctx context.Context, method string, params any, done func(carrier.Reply, error)) error {
	return l.handler.carrier.Transmit(ctx, l.id, &carrier.Message{Method: method, Params: carrier.ValueOf(params)}, done)
}

// call transmits a message and waits for the answer. received, if given, is called with it before anything that
// arrives after it is handled.
func (l *link) call(ctx context.Context, method string, params any, received ...func(carrier.Value)) (carrier.Value, error) {
	type result struct {
		reply carrier.Reply
		err   error
	}
	ch := make(chan result, 1)
	err := l.send(ctx, method, params, func(r carrier.Reply, err error) {
		if err == nil {
			err = r.Err()
		}
		if err == nil {
			for _, f := range received {
				f(r.Response)
			}
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

func (l *link) addSender(ctx context.Context, s *Sender) error {
	_, err := l.call(ctx, methodAddSender, carrier.Object{
		{Key: "sender", Value: s.name}, {Key: "events", Value: append([]string{}, s.events...)}, {Key: "requests", Value: s.requestNames()},
	}, func(carrier.Value) {
		l.router.mu.Lock()
		defer l.router.mu.Unlock()
		s.registered = true
	})
	return err
}

func (l *link) addListener(ctx context.Context, k *Listener) error {
	var sender, event any
	if k.sender != "" {
		sender = k.sender
	}
	if k.event != "" {
		event = k.event
	}
	var refused error
	_, err := l.call(ctx, methodAddListener,
		carrier.Object{{Key: "sender", Value: sender}, {Key: "event", Value: event}},
		func(response carrier.Value) {
			// Here, not after call has returned: events for the listener follow at once.
			a := parseArguments(response)
			id := a.number("listener_id")
			if refused = a.err; refused != nil {
				return
			}
			l.mu.Lock()
			l.listeners[id] = k
			l.mu.Unlock()
			l.router.mu.Lock()
			k.registered = true
			l.router.mu.Unlock()
		})
	if err == nil {
		err = refused
	}
	return err
}

// forget returns the hub's id of a listener that is no longer wanted.
func (l *link) forget(k *Listener) uint64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	for id, other := range l.listeners {
		if other == k {
			delete(l.listeners, id)
			return id
		}
	}
	return 0
}

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
	ok := l.callbacks.do(func() {
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
