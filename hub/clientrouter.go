package hub

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"sighub/carrier"
	"sighub/hub/internal/deadline"
	"sighub/hub/internal/lent"
	"sighub/hub/internal/runner"
	"sighub/internal/lockrank"
)

// ClientOptions are those of a ClientRouter. Zero values are defaults.
type ClientOptions struct {
	Options

	// RequestTimeout bounds every wait for the hub whose context has no deadline: 10 s by default.
	RequestTimeout time.Duration

	// Connected is called each time a connection to the hub is made and the remote senders and listeners are registered
	// on it. Disconnected is called each time such a connection is lost. Calls do not overlap.
	Connected    func()
	Disconnected func(cause error)

	// Denied is called, likewise, when the hub does not allow a remote sender or listener any more, which it allowed before: on
	// another connection, or because its rights were revoked. One of the two is nil. The hub is not asked again before the next
	// connection. Events of such a sender fail with [carrier.ErrDenied].
	Denied func(s *Sender, l *Listener, err error)
}

// A ClientRouter is a Router that also has remote senders and listeners. These belong to a ServerRouter elsewhere, which it
// reaches through the connecting end of a carrier. When the connection is lost, the carrier makes a new one, and the
// ClientRouter registers its remote senders and listeners again.
type ClientRouter struct {
	*Router
	opts      ClientOptions
	deadlines deadline.Queue // of calls whose contexts have none

	// connection is nil while the router is not connected. It is set under the lock; whoever triggers an event reads it without.
	connection atomic.Pointer[connection]

	mu        lockrank.Mutex[lockrank.ClientRouter]
	refused   error         // why the hub does not let this client in; nil once it does
	changed   waiters       // for another connection
	ended     chan struct{} // closed when Serve is told to end
	senders   map[string]*Sender
	listeners []*Listener // in the order in which they were added
}

// NewClientRouter returns a ClientRouter without a connection: see Serve.
func NewClientRouter(o ClientOptions) *ClientRouter {
	if o.RequestTimeout <= 0 {
		o.RequestTimeout = 10 * time.Second
	}
	return &ClientRouter{
		Router:    NewRouter(o.Options),
		opts:      o,
		deadlines: deadline.Queue{After: o.RequestTimeout},
		ended:     make(chan struct{}),
		senders:   make(map[string]*Sender),
	}
}

// Serve keeps a connection to the hub through c until ctx is done, and returns when everything it started has stopped. It
// must be called once only.
func (r *ClientRouter) Serve(ctx context.Context, c carrier.Carrier) error {
	h := &connectionHandler{router: r, carrier: c, serving: ctx, lendsOnce: lent.Once}
	h.news.Tasks = &h.tasks
	h.callbacks = runner.Runner{Tasks: &h.tasks, Limit: callbackLimit}
	end := sync.OnceFunc(func() { close(r.ended) })
	defer end()
	defer context.AfterFunc(ctx, end)()
	err := c.Serve(ctx, h)
	h.tasks.Wait()
	return err
}

// WaitConnected waits until there is a connection to the hub.
func (r *ClientRouter) WaitConnected(ctx context.Context) error {
	_, err := r.current(ctx)
	return err
}

// current returns the connection to the hub, once there is one. It does not wait while the hub does not let this client in.
func (r *ClientRouter) current(ctx context.Context) (*connection, error) {
	for {
		r.mu.Lock()
		c, refused, changed := r.connection.Load(), r.refused, r.changed.wait()
		r.mu.Unlock()
		switch {
		case c != nil:
			return c, nil
		case refused != nil:
			return nil, fmt.Errorf("%w: %w", ErrNotConnected, refused)
		}
		select {
		case <-changed:
		case <-r.ended:
			return nil, fmt.Errorf("%w: no connection to the hub any more", ErrNotConnected)
		case <-ctx.Done():
			return nil, fmt.Errorf("%w: no connection to the hub: %w", ErrNotConnected, context.Cause(ctx))
		}
	}
}

// swapConnection replaces one connection by another, either of which may be nil. It does not, and returns false, if
// another one has come meanwhile or the new one is lost already.
func (r *ClientRouter) swapConnection(before, after *connection) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.connection.Load() != before || (after != nil && after.ctx.Err() != nil) {
		return false
	}
	r.connection.Store(after)
	if after != nil {
		r.refused = nil
	}
	r.changed.wake()
	return true
}

func (r *ClientRouter) bounded(ctx context.Context) (context.Context, context.CancelFunc) {
	if _, ok := ctx.Deadline(); ok {
		return ctx, func() {}
	}
	return context.WithTimeout(ctx, r.opts.RequestTimeout)
}

// Call calls a method of the hub, one of [ServerOptions.Methods]. It waits until the hub is connected.
func (r *ClientRouter) Call(ctx context.Context, method string, params any) (carrier.Value, error) {
	c := r.connection.Load()
	if c == nil {
		var cancel context.CancelFunc
		var err error
		ctx, cancel = r.bounded(ctx)
		defer cancel()
		if c, err = r.current(ctx); err != nil {
			return carrier.Value{}, err
		}
	}
	return c.call(ctx, method, params)
}

// AddRemoteSender registers a sender with the hub. It waits until the hub is connected. Its events are
// triggered in the hub, its requests come from there. It is registered again after each loss of the connection,
// until it is removed.
func (r *ClientRouter) AddRemoteSender(ctx context.Context, name string, o SenderOptions) (*Sender, error) {
	s, err := newSender(name, o)
	if err != nil {
		return nil, err
	}
	s.clientRouter = r
	r.mu.Lock()
	if r.senders[name] != nil {
		r.mu.Unlock()
		return nil, fmt.Errorf("%w: %s, by this client", ErrExists, name)
	}
	r.senders[name] = s
	r.mu.Unlock()
	if err := r.register(ctx, func(ctx context.Context, c *connection) error { return c.addSender(ctx, s) }); err != nil {
		r.dropSender(s)
		return nil, err
	}
	return s, nil
}

// RemoveRemoteSender removes a sender of this client from the hub. It returns at once while there is no connection: the hub
// has then removed the sender already.
func (r *ClientRouter) RemoveRemoteSender(ctx context.Context, s *Sender) error {
	at, ok := r.forgetSender(s)
	if !ok {
		return fmt.Errorf("%w: %s", ErrNoSender, s.name)
	}
	ctx, cancel := r.bounded(ctx)
	defer cancel()
	return at.take(ctx, methodRemoveSender, senderParams(s))
}

func (r *ClientRouter) wantsSender(s *Sender) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.senders[s.name] == s
}

// forgetSender returns where the sender was registered last.
func (r *ClientRouter) forgetSender(s *Sender) (at *connection, ok bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.senders[s.name] != s {
		return nil, false
	}
	delete(r.senders, s.name)
	s.gone.Store(true)
	r.changed.wake() // somebody may wait until the hub accepts it
	return s.at, true
}

// dropSender is Sender.Remove: the hub is told, but not waited for.
func (r *ClientRouter) dropSender(s *Sender) {
	if at, ok := r.forgetSender(s); ok && at != nil && at.ctx.Err() == nil {
		at.tell(methodRemoveSender, senderParams(s))
	}
}

// AddRemoteListener subscribes fn in the hub, with the rules of Router.AddListener, waiting for a connection if
// there is none. It is registered again after each loss of the connection, until it is removed. Callbacks run one
// after the other, in the order in which the hub sent the events; the hub counts an event as delivered when its
// callback has returned.
func (r *ClientRouter) AddRemoteListener(ctx context.Context, sender, event string, fn func(Event)) (*Listener, error) {
	return r.AddRemoteListenerWith(ctx, sender, event, ListenerOptions{}, fn)
}

// AddRemoteListenerWith is AddRemoteListener with options.
func (r *ClientRouter) AddRemoteListenerWith(ctx context.Context, sender, event string, o ListenerOptions, fn func(Event)) (*Listener, error) {
	if err := checkSubscription(sender, event, false); err != nil {
		return nil, err
	}
	l := &Listener{sender: sender, event: event, fn: fn, clientRouter: r, elsewhere: &elsewhere{options: o}}
	r.mu.Lock()
	r.listeners = append(r.listeners, l)
	r.mu.Unlock()
	if err := r.register(ctx, func(ctx context.Context, c *connection) error { return c.addListener(ctx, l, false) }); err != nil {
		r.dropListener(l)
		return nil, err
	}
	return l, nil
}

// RemoveRemoteListener removes a listener of this client from the hub. It returns at once while there is no connection: the
// hub has then removed the listener already.
func (r *ClientRouter) RemoveRemoteListener(ctx context.Context, l *Listener) error {
	at, id, ok := r.forgetListener(l)
	if !ok {
		return ErrNoListener
	}
	ctx, cancel := r.bounded(ctx)
	defer cancel()
	return at.take(ctx, methodRemoveListener, listenerParams(id))
}

// forgetListener returns where the listener was registered last, and as what.
func (r *ClientRouter) forgetListener(l *Listener) (at *connection, id uint64, ok bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	l.removed.Store(true)
	i := slices.Index(r.listeners, l)
	if i < 0 {
		return nil, 0, false
	}
	r.listeners = slices.Delete(r.listeners, i, i+1)
	if l.at != nil {
		l.at.mu.Lock()
		delete(l.at.listeners, l.id)
		l.at.mu.Unlock()
	}
	if l.endedAt == l.at { // the hub has removed it already
		return nil, 0, true
	}
	return l.at, l.id, true
}

// dropListener is Listener.Remove: the hub is told, but not waited for.
func (r *ClientRouter) dropListener(l *Listener) {
	if at, id, ok := r.forgetListener(l); ok && at != nil && at.ctx.Err() == nil {
		at.tell(methodRemoveListener, listenerParams(id))
	}
}

// register runs one registration on the present connection, or on the next one if that is lost meanwhile.
func (r *ClientRouter) register(ctx context.Context, add func(context.Context, *connection) error) error {
	ctx, cancel := r.bounded(ctx)
	defer cancel()
	for {
		c, err := r.current(ctx)
		if err != nil {
			return err
		}
		err = add(ctx, c)
		if err == nil || !errors.Is(err, carrier.ErrGone) {
			return err
		}
		select {
		case <-c.ctx.Done(): // the next current is another one
		case <-ctx.Done():
			return err
		}
	}
}

// RemoteRequest calls a method of a sender in the hub and returns its response.
func (r *ClientRouter) RemoteRequest(ctx context.Context, sender, method string, params any) (carrier.Value, error) {
	return r.Call(ctx, methodRequest, &requestParams{sender, method, carrier.ValueOf(named(params))})
}

// RemoteSenders lists the senders of the hub, connected or awaited, by name. If a sender has more events than fit in an
// answer, its events are left out.
func (r *ClientRouter) RemoteSenders(ctx context.Context) ([]SenderInfo, error) {
	const fewer = 128
	list := []SenderInfo{}
	params := carrier.Object{{Key: "list_events", Value: true}, {Key: "after", Value: nil}, {Key: "limit", Value: nil}}
	withEvents, after, limit := &params[0].Value, &params[1].Value, &params[2].Value
	for {
		page, more, err := r.listSenders(ctx, params)
		refusal, refused := errors.AsType[*carrier.StatusError](err)
		switch n, limited := (*limit).(int); {
		case err == nil:
			list = append(list, page...)
			if !more {
				return list, nil
			}
			*after, *withEvents = list[len(list)-1].Name, true
		case !refused || refusal.Status != carrier.StatusTooLarge || *withEvents == false:
			return nil, err
		case !limited:
			*limit = fewer
		case n > 1:
			*limit = n / 2
		default:
			*withEvents = false
		}
	}
}

// listSenders asks for a list of senders; more reports whether there are senders after its last one.
func (r *ClientRouter) listSenders(ctx context.Context, params carrier.Object) (list []SenderInfo, more bool, err error) {
	v, err := r.Call(ctx, methodListSenders, params)
	if err != nil {
		return nil, false, err
	}
	var listed []listedSender
	if err := v.Decode(&listed); err != nil {
		return nil, false, fmt.Errorf("hub: the list of senders is not understood: %w", err)
	}
	more = len(listed) > 0
	for _, s := range listed {
		if s.Sender == nil {
			more = false
			continue
		}
		info := SenderInfo{Name: *s.Sender, Connected: s.Connected, Units: s.Units, Client: s.Client, Refused: s.Refused}
		if s.Requests != nil {
			info.Requests = *s.Requests
		}
		for _, e := range s.Events {
			if e.Event != nil {
				info.Events = append(info.Events, *e.Event)
			}
		}
		list = append(list, info)
	}
	return list, more, nil
}

// triggerAt sends an event of a remote sender and waits for the hub's answer.
func (r *ClientRouter) triggerAt(ctx context.Context, g *Signal, data any, at time.Time, uncertainty time.Duration) error {
	c, err := r.ready(g)
	if err != nil {
		return err
	}
	ctx, cancel := r.bounded(ctx)
	defer cancel()
	ended := make(chan error, 1)
	if err := c.report(ctx, g, &report{data: data, at: at, uncertainty: uncertainty, now: true}, func(err error) { ended <- err }); err != nil {
		return err
	}
	c.resume()
	select {
	case err = <-ended:
	case <-ctx.Done():
		err = context.Cause(ctx)
	}
	if ctx.Err() != nil && errors.Is(err, context.Cause(ctx)) { // a message ends with it as well
		err = errNoAnswer(context.Cause(ctx), methodSignal)
	}
	return err
}

func (r *ClientRouter) triggerAsync(ctx context.Context, g *Signal, data any, at time.Time, uncertainty time.Duration, done func(error)) error {
	c, err := r.ready(g)
	if err != nil {
		return err
	}
	return c.report(ctx, g, &report{data: data, at: at, uncertainty: uncertainty}, done)
}

// ready returns the connection on which an event can be triggered: unlike a registration, an event does not wait for
// a connection, because whoever took the reading should know that it was not delivered.
func (r *ClientRouter) ready(g *Signal) (*connection, error) {
	if g.sender.gone.Load() {
		return nil, fmt.Errorf("%w: sender %s was removed", ErrNotConnected, g.sender.name)
	}
	c := r.connection.Load()
	if c == nil {
		return nil, fmt.Errorf("%w: no connection to the hub", ErrNotConnected)
	}
	return c, nil
}
