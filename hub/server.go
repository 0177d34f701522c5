package hub

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"sighub/carrier"
)

// ServerOptions are those of a ServerRouter. Zero values are defaults.
type ServerOptions struct {
	Options
	Outbox OutboxOptions

	MaxSenders   int // of one client; 256 by default
	MaxListeners int // of one client; 4,096 by default

	// RequestTimeout is how long a client may take to answer a request to one of its senders: 10 s by default.
	RequestTimeout time.Duration
	// Methods are further methods that any client may call, by name: what the program around the hub has to tell. None
	// replaces one that every hub has. What they return is encoded as the client wants it.
	Methods map[string]Method

	// Grace is how long Serve waits, when it ends, for clients to take what it told them: 1 s by default.
	Grace time.Duration
}

// A Method answers a client's call. Calls of one client do not overlap; ctx is done when the client has gone.
type Method func(ctx context.Context, params carrier.Value) (any, error)

func (o ServerOptions) withDefaults() ServerOptions {
	o.Outbox = o.Outbox.withDefaults()
	if o.MaxSenders <= 0 {
		o.MaxSenders = 256
	}
	if o.MaxListeners <= 0 {
		o.MaxListeners = 4096
	}
	if o.RequestTimeout <= 0 {
		o.RequestTimeout = 10 * time.Second
	}
	if o.Grace <= 0 {
		o.Grace = time.Second
	}
	return o
}

// A ServerRouter is a Router whose senders and listeners may also be those of clients, which reach it through
// carriers. Only the client that registered a sender may trigger its events, answer its requests or remove it.
type ServerRouter struct {
	*Router
	opts   ServerOptions
	nextID atomic.Uint64
	held   atomic.Int64 // bytes of all outboxes
	queued atomic.Int64 // bytes of signals that came and wait to be handled

	clientsMu sync.Mutex
	clients   map[*remote]struct{}
}

// NewServerRouter returns a ServerRouter that serves nobody yet.
func NewServerRouter(o ServerOptions) *ServerRouter {
	return &ServerRouter{
		Router:  NewRouter(o.Options),
		opts:    o.withDefaults(),
		clients: make(map[*remote]struct{}),
	}
}

// Serve serves the clients of any number of carriers until ctx is done. It then ends the carriers of devices, which
// acknowledge what they have taken; disconnects every sender (reason "shutdown"); gives the clients a moment to hear
// of it; ends the other carriers; and returns nil once everything it started has stopped. If a carrier fails for good, it does the same and returns that error.
//
// A router serves once: after Serve it takes no more senders.
func (s *ServerRouter) Serve(ctx context.Context, carriers ...carrier.Carrier) error {
	// The carriers go on while the clients are told that the hub shuts down.
	serving, stop := context.WithCancel(context.WithoutCancel(ctx))
	defer stop()
	ctx, end := context.WithCancel(ctx)
	defer end()
	var failed error
	var once sync.Once

	var tasks, carrying, reporting sync.WaitGroup
	devices, stopDevices := context.WithCancel(serving)
	defer stopDevices()
	for _, c := range carriers {
		group, life := &carrying, serving
		if r, ok := c.(carrier.Reporter); ok && r.Reports() {
			group, life = &reporting, devices
		}
		group.Go(func() {
			d := &door{server: s, carrier: c, serving: serving, tasks: &tasks, clients: make(map[carrier.ClientID]*remote)}
			if err := c.Serve(life, d); err != nil {
				once.Do(func() { failed = err })
				end()
			}
		})
	}
	<-ctx.Done()
	stopDevices()
	reporting.Wait()
	s.shutDown()
	stop()
	carrying.Wait()
	tasks.Wait()
	return failed
}

// shutDown disconnects every sender and waits until the clients have heard it.
func (s *ServerRouter) shutDown() {
	s.mu.Lock()
	s.closed = true
	var senders []*Sender
	for _, t := range s.topics {
		if t.conn != nil {
			senders = append(senders, t.conn)
		}
	}
	s.mu.Unlock()
	for _, sender := range senders {
		s.disconnect(sender, carrier.Reason(carrier.ErrShutdown))
	}
	timer := time.NewTimer(s.opts.Grace)
	defer timer.Stop()
	for _, c := range s.remotes() {
		select {
		case <-c.outbox.flushed():
		case <-timer.C:
			return
		}
	}
}

func (s *ServerRouter) shuttingDown() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.closed
}

func (s *ServerRouter) remotes() []*remote {
	s.clientsMu.Lock()
	defer s.clientsMu.Unlock()
	list := make([]*remote, 0, len(s.clients))
	for c := range s.clients {
		list = append(list, c)
	}
	return list
}

// Clients lists the clients that are connected, in the order in which they came.
func (s *ServerRouter) Clients() []ClientInfo {
	list := []ClientInfo{}
	for _, c := range s.remotes() {
		list = append(list, c.info)
	}
	slices.SortFunc(list, func(a, b ClientInfo) int { return cmp.Compare(a.ID, b.ID) })
	return list
}

// A door is where the clients of one carrier come in: it gives each an id that is unique across all carriers.
type door struct {
	server  *ServerRouter
	carrier carrier.Carrier
	serving context.Context
	tasks   *sync.WaitGroup

	mu      sync.RWMutex
	clients map[carrier.ClientID]*remote
}

func (d *door) client(id carrier.ClientID) *remote {
	d.mu.RLock()
	defer d.mu.RUnlock()
	return d.clients[id]
}

// ClientConnected implements carrier.Handler.
func (d *door) ClientConnected(cl carrier.Client) {
	s := d.server
	c := &remote{
		server: s, carrier: d.carrier, tasks: d.tasks, id: cl.ID, hello: cl.Hello, naming: cl.Naming,
		info:      ClientInfo{ID: s.nextID.Add(1), Name: cl.Name, UID: cl.UID, Addr: cl.Addr},
		senders:   make(map[string]*Sender),
		listeners: make(map[uint64]*Listener),
		left:      make(chan struct{}),
		signals:   signals{sink: cl.Signals, codec: cl.Codec, later: runner{tasks: d.tasks}, all: &s.queued, most: s.opts.Outbox.Memory / 4},
	}
	c.ctx, c.cancel = context.WithCancelCause(d.serving)
	c.endless = context.WithoutCancel(d.serving)
	c.asking = make(chan struct{}, requestWindow(cl.Window))
	c.work = runner{tasks: d.tasks} // as many as the carrier lets the client leave unanswered
	c.requests = runner{tasks: d.tasks, limit: s.opts.Outbox.Limit}
	window := eventWindow(cl.Window)
	if cl.Signals != nil {
		window = cl.Signals.Window()
		cl.Signals.Account(&s.held)
	}
	c.outbox = outbox{remote: c, OutboxOptions: s.opts.Outbox, flow: newFlow(window)}
	d.mu.Lock()
	d.clients[cl.ID] = c
	d.mu.Unlock()
	s.clientsMu.Lock()
	s.clients[c] = struct{}{}
	s.clientsMu.Unlock()
	s.log.Info("client connected", "client", c.info.String(), "hello", c.hello)
}

// HandleMessage implements carrier.Handler.
func (d *door) HandleMessage(id carrier.ClientID, m *carrier.Message, respond func(carrier.Reply)) {
	c := d.client(id)
	if c == nil {
		respond(carrier.Failed(carrier.ErrNoClient))
		return
	}
	c.work.do(func() { c.handle(m, respond) })
}

// HandleSignals implements carrier.SignalHandler.
func (d *door) HandleSignals(id carrier.ClientID, signals []carrier.Signal, answers carrier.Answers) {
	if c := d.client(id); c != nil {
		c.handleSignals(signals, answers)
	}
}

// SignalsAnswered implements carrier.SignalHandler.
func (d *door) SignalsAnswered(id carrier.ClientID, n int, failed *carrier.Reply) {
	c := d.client(id)
	if c == nil {
		return
	}
	if failed != nil {
		c.refused(failed.Err())
	}
	c.outbox.signalsAnswered(n)
}

// ClientDisconnected implements carrier.Handler.
func (d *door) ClientDisconnected(id carrier.ClientID, cause error) {
	c := d.client(id)
	if c == nil {
		return
	}
	c.cancel(fmt.Errorf("%w: %w", carrier.ErrGone, cause))
	c.outbox.close()
	c.work.do(func() {
		c.signals.later.do(func() { c.leave(cause) }) // what was read before is heard
	})
	d.mu.Lock()
	delete(d.clients, id)
	d.mu.Unlock()
	d.server.clientsMu.Lock()
	delete(d.server.clients, c)
	d.server.clientsMu.Unlock()
	d.server.log.Info("client gone", "client", c.info.String(), "reason", carrier.Reason(cause), "cause", cause)
}

// AllClientsDisconnected implements carrier.Handler.
func (d *door) AllClientsDisconnected(cause error) {
	d.server.log.Debug("carrier closed", "cause", cause)
}

// transmit sends a message to the client; it blocks while the client's window is full, until it goes.
func (c *remote) transmit(m *carrier.Message, done func(carrier.Reply, error)) error {
	return c.carrier.Transmit(c.endless, c.id, m, done)
}

// forward asks the client for an answer of one of its senders. done is called exactly once.
func (c *remote) forward(s *Sender, method string, params carrier.Value, done func(carrier.Reply, error)) {
	f := &forwarded{to: c, sender: s, method: method, params: params, done: done}
	f.timer = time.AfterFunc(c.server.opts.RequestTimeout, f.expire)
	if !c.requests.do(f.transmit) {
		f.timer.Stop()
		f.end(carrier.Reply{}, fmt.Errorf("%w: too many requests wait for %s", ErrBusy, c.info))
	}
}

// A forwarded request is on its way to the client whose sender it asks. It ends with the answer, or when that takes too
// long, whichever is first.
type forwarded struct {
	to     *remote
	sender *Sender
	method string
	params carrier.Value
	timer  *time.Timer

	mu   sync.Mutex
	done func(carrier.Reply, error) // nil once it has ended
}

func (f *forwarded) transmit() {
	c := f.to
	select {
	case c.asking <- struct{}{}:
	case <-c.ctx.Done():
	}
	if f.ended() {
		c.asked()
		return
	}
	m := &carrier.Message{Method: methodRequest, Params: carrier.ValueOf(&requestParams{f.sender.given, f.method, f.params})}
	if err := c.transmit(m, f.answered); err != nil {
		f.answered(carrier.Reply{}, err)
	}
}

func (f *forwarded) answered(r carrier.Reply, err error) {
	c := f.to
	f.timer.Stop()
	c.asked()
	if c.ctx.Err() != nil && err != nil { // whoever noticed it first: the client has gone, and why
		err = context.Cause(c.ctx)
	}
	if errors.Is(err, carrier.ErrGone) {
		err = fmt.Errorf("hub: sender %s went away before it answered %s: %w", f.sender.name, f.method, err)
	}
	f.end(r, err)
}

func (f *forwarded) expire() {
	limit := f.to.server.opts.RequestTimeout
	f.end(carrier.Reply{}, fmt.Errorf("hub: sender %s did not answer %s within %s: %w", f.sender.name, f.method, limit,
		context.DeadlineExceeded))
}

func (f *forwarded) ended() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.done == nil
}

func (f *forwarded) end(r carrier.Reply, err error) {
	f.mu.Lock()
	done := f.done
	f.done = nil
	f.mu.Unlock()
	if done != nil {
		done(r, err)
	}
}

// asked gives back a place that a request had in the client's window.
func (c *remote) asked() {
	select {
	case <-c.asking:
	default: // the client has gone
	}
}
