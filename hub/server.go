package hub

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"sighub/carrier"
	"sighub/hub/internal/deadline"
	"sighub/hub/internal/fair"
	"sighub/hub/internal/flow"
	"sighub/hub/internal/frames"
	"sighub/hub/internal/names"
	"sighub/hub/internal/rights"
	"sighub/hub/internal/runner"
	"sighub/hub/verb"
	"sighub/internal/lockrank"
	"sighub/journal"
)

// ServerOptions are those of a ServerRouter. Zero values are defaults.
type ServerOptions struct {
	Options
	Outbox OutboxOptions

	MaxSenders   int // of one client; 256 by default
	MaxListeners int // of one client; 4,096 by default

	// Memory bounds what clients make the router hold: senders, listeners, requests, and events and messages that wait. A
	// client whose carrier has opened an account for it is charged there. Nil: a Budget of the default size.
	Memory *carrier.Budget

	// Journal keeps events, so that they can be heard again. What clients report is then acknowledged when it is on disk. Serve
	// commits. Nil: nothing is kept, and what is acknowledged was handed on.
	Journal *journal.Journal
	// Keeps says which events the journal keeps. Nil: all. Others are acknowledged as they are without a journal.
	Keeps func(sender, event string) bool
	// AckEarly is how long an event may wait for the disk and be acknowledged all the same, so that a loss of power may take
	// as much of what was acknowledged. 0: only what is on disk is acknowledged.
	AckEarly time.Duration

	// RequestTimeout is how long a client may take to answer a request to one of its senders: 10 s by default.
	RequestTimeout time.Duration
	// Methods are further methods that any client may call, by name. They cannot replace a method that every hub has.
	// Their responses are encoded in the client's codec.
	Methods map[string]Method
	// Needs says which right a method of Methods needs, if a policy is in force: see [ServerRouter.SetPolicy]. 0: none, because the
	// method looks at [Caller] itself. A method that is not named here needs [verb.Admin].
	Needs map[string]verb.Verb
	// Denied is told what the policy in force did not allow, after the client is. It is called on the client's goroutine, and must
	// not take long. Nil: nobody is told.
	Denied func(Denial)

	// Grace is how long Serve, when it ends, waits at the most for each of these: for the disk, for what other hubs have begun to report, and
	// for clients to read what it has sent. 1 s by default.
	Grace time.Duration
}

// A Method answers a client's call. Calls of one client do not overlap. ctx is done when the client has gone.
type Method func(ctx context.Context, params carrier.Value) (any, error)

func (o ServerOptions) withDefaults() ServerOptions {
	o.Outbox = o.Outbox.withDefaults()
	if o.MaxSenders <= 0 {
		o.MaxSenders = 256
	}
	if o.MaxListeners <= 0 {
		o.MaxListeners = 4096
	}
	if o.Memory == nil {
		o.Memory = carrier.NewBudget(0)
	}
	if o.RequestTimeout <= 0 {
		o.RequestTimeout = 10 * time.Second
	}
	if o.Grace <= 0 {
		o.Grace = time.Second
	}
	return o
}

// A ServerRouter is a Router that clients reach through carriers, with senders and listeners of their own. Only the client
// that registered a sender may trigger its events, answer its requests or remove it.
type ServerRouter struct {
	*Router
	opts   ServerOptions
	nextID atomic.Uint64
	unsent atomic.Int64 // bytes of signals that all carriers together have not written yet

	batches sync.Pool // of *[]carrier.Signal, copies of signals that are handled later

	pace   fair.Pace // of the work of listing and registering
	places fair.Places
	inHand frames.InHand

	deadlines deadline.Queue // of requests to clients' senders

	kept      names.Kept
	clientsMu lockrank.Mutex[lockrank.Leaf]
	clients   []*client         // in the order of their ids
	carriers  []carrier.Carrier // that are served

	enforcing lockrank.Mutex[lockrank.Policy]
	expelled  rights.Expelled
}

// NewServerRouter returns a ServerRouter that serves nobody yet.
func NewServerRouter(o ServerOptions) *ServerRouter {
	s := &ServerRouter{Router: NewRouter(o.Options), opts: o.withDefaults()}
	s.deadlines.After = s.opts.RequestTimeout
	if s.journal = newKeeping(&o); s.journal != nil {
		s.connections = s.journal.LatestConnection()
	}
	return s
}

// Serve serves the clients of any number of carriers until ctx is done, and then shuts down in this order: it ends the
// carriers of devices, which acknowledge what they have handed on, and passes on what it has begun with of other hubs;
// disconnects every sender (reason "shutdown"); gives the clients a moment to hear of it; ends the journal; ends the other
// carriers; and returns nil when everything it started has stopped. If a carrier fails for good, Serve shuts down in the
// same way and returns that error.
//
// A router serves once: after Serve it accepts no more senders.
func (s *ServerRouter) Serve(ctx context.Context, carriers ...carrier.Carrier) error {
	// The carriers keep running while the clients are told that the hub shuts down.
	serving, stop := context.WithCancel(context.WithoutCancel(ctx))
	defer stop()
	ctx, end := context.WithCancel(ctx)
	defer end()
	var failed error
	var once sync.Once

	var tasks, carrying, reporting, committing sync.WaitGroup
	committed, endCommits := context.WithCancel(serving)
	defer endCommits()
	if k := s.journal; k != nil {
		committing.Go(func() {
			if err := k.serve(committed); err != nil {
				s.log.Error("the journal was not closed in order", "error", err)
			}
		})
	}
	devices, stopDevices := context.WithCancel(serving)
	defer stopDevices()
	s.clientsMu.Lock()
	s.carriers = carriers
	s.clientsMu.Unlock()
	for _, c := range carriers {
		group, life := &carrying, serving
		if isReporter(c) {
			group, life = &reporting, devices
		}
		group.Go(func() {
			d := &carrierHandler{server: s, carrier: c, serving: serving, tasks: &tasks, clients: make(map[carrier.ClientID]*client)}
			if err := c.Serve(life, d.handler()); err != nil {
				once.Do(func() { failed = err })
				end()
			}
		})
	}
	<-ctx.Done()
	s.journal.sync(s.opts.Grace) // so that devices are answered before they are told that the hub ends
	stopDevices()
	reporting.Wait()
	s.inHand.Close(s.opts.Grace)
	s.shutDown()
	s.journal.keepCursors()
	endCommits()
	committing.Wait()
	stop()
	carrying.Wait()
	tasks.Wait()
	return failed
}

// isReporter reports whether the clients of a carrier keep what they report until it is acknowledged.
func isReporter(c carrier.Carrier) bool {
	r, ok := c.(carrier.Reporter)
	return ok && r.Reports()
}

// mayTellGaps reports whether the clients of a carrier may tell that events were lost: those of others know of none.
func mayTellGaps(c carrier.Carrier) bool {
	_, relays := c.(carrier.Relay)
	return relays || isReporter(c)
}

// shutDown disconnects every sender and waits until the clients have heard of it.
func (s *ServerRouter) shutDown() {
	s.mu.Lock()
	s.closed = true
	var senders []*Sender
	topics := slices.Collect(maps.Values(s.topics))
	for _, t := range topics {
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
	for _, t := range topics { // a callback may hold up what another goroutine delivers
		select {
		case <-t.delivered():
		case <-timer.C:
			return
		}
	}
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

// remotes returns the clients in the order in which they connected.
func (s *ServerRouter) remotes() []*client {
	s.clientsMu.Lock()
	defer s.clientsMu.Unlock()
	return slices.Clone(s.clients)
}

// remotesAfter returns the clients behind an id, in the order in which they connected, up to a number. more reports whether there are
// others after these.
func (s *ServerRouter) remotesAfter(id uint64, most int) (list []*client, more bool) {
	s.clientsMu.Lock()
	defer s.clientsMu.Unlock()
	n, found := s.indexOf(id)
	if found {
		n++
	}
	rest := s.clients[n:]
	return slices.Clone(rest[:min(len(rest), most)]), len(rest) > most
}

// indexOf returns where a client with that id stands, or would. The lock is held.
func (s *ServerRouter) indexOf(id uint64) (n int, found bool) {
	return slices.BinarySearchFunc(s.clients, id, func(c *client, id uint64) int { return cmp.Compare(c.info.ID, id) })
}

// Expel disconnects the clients of an identity with [carrier.ErrRevoked], and returns how many there were. Whoever can still prove to have
// the identity may come back: so it is for a key or a token that was revoked, by which one of them may have come. A client that was let in
// before, and is not here yet, is disconnected as soon as it is: see [carrier.Client.Proven].
func (s *ServerRouter) Expel(identity string) (n int) {
	return s.expel(identity, func(c *client) string { return c.identity })
}

// EndSession disconnects the clients that have proven who they are in a session, which has ended: see [carrier.Client.Session]. It does so
// as Expel does, and returns how many there were.
func (s *ServerRouter) EndSession(session string) (n int) {
	return s.expel(session, func(c *client) string { return c.session })
}

// expel disconnects the clients that have a proof, as of tells it.
func (s *ServerRouter) expel(proof string, of func(c *client) string) (n int) {
	if proof == "" {
		return 0
	}
	s.expelled.Note(proof, time.Now()) // before those who are here are looked through
	for _, c := range s.remotes() {
		if of(c) == proof {
			n++
			c.expel()
		}
	}
	return n
}

// expel disconnects the client, because something by which its identity is proven was revoked, or has ended.
func (c *client) expel() {
	c.log().Warn("a client is disconnected, because something by which its identity is proven was revoked, or its session has ended",
		"client", c.info.String(), "identity", c.identity)
	c.outbox.mu.Lock()
	c.outbox.leave(fmt.Errorf("%w: %s", carrier.ErrRevoked, c.identity))
	c.outbox.mu.Unlock()
}

// CountClients returns how many clients are connected.
func (s *ServerRouter) CountClients() int {
	s.clientsMu.Lock()
	defer s.clientsMu.Unlock()
	return len(s.clients)
}

// Clients lists the connected clients in the order in which they connected.
func (s *ServerRouter) Clients() []ClientInfo {
	list := []ClientInfo{}
	for _, c := range s.remotes() {
		list = append(list, c.info)
	}
	return list
}

// A carrierHandler handles what the clients of one carrier do. It gives each client an id that is unique across all carriers.
type carrierHandler struct {
	server  *ServerRouter
	carrier carrier.Carrier
	serving context.Context
	tasks   *sync.WaitGroup

	mu      sync.RWMutex // nothing is locked under it
	clients map[carrier.ClientID]*client
}

func (d *carrierHandler) client(id carrier.ClientID) *client {
	d.mu.RLock()
	defer d.mu.RUnlock()
	return d.clients[id]
}

// ClientConnected implements carrier.Handler.
func (d *carrierHandler) ClientConnected(cl carrier.Client) {
	s := d.server
	c := &client{
		server: s, by: d, id: cl.ID, hello: cl.Hello, naming: cl.Naming,
		identity: cl.Identity, session: cl.Session, restricted: cl.Restricted, may: cl.May,
		info:    ClientInfo{ID: s.nextID.Add(1), Name: cl.Name, UID: cl.UID, Addr: cl.Addr},
		since:   s.now(),
		signals: signals{afterWaiting: runner.Runner{Tasks: d.tasks}},
		account: cl.Account,
		window:  requestWindow(cl.Window),
	}
	c.refusals.all = cmp.Or(cl.Refused, new(carrier.Refusals))
	if s.journal != nil {
		c.receipts.Book = s.journal.book
	}
	if c.account == nil {
		c.account = s.opts.Memory.Open(place(cl.Addr))
	} else {
		c.account.Share()
	}
	c.backlog.account = c.account
	c.ctx, c.cancel = context.WithCancelCause(d.serving)
	c.work = runner.Runner{Tasks: d.tasks} // bounded by how many messages the carrier lets the client leave unanswered
	c.requests = runner.Runner{Tasks: d.tasks, Limit: s.opts.Outbox.Limit}
	window := eventWindow(cl.Window)
	if cl.Signals != nil {
		window = cl.Signals.Window()
		cl.Signals.Account(&s.unsent)
	}
	c.outbox = outbox{
		client: c, OutboxOptions: &s.opts.Outbox,
		// One machine may have many addresses, which the carrier knows.
		waiting: fair.Waiting{Place: s.places.Enter(c.account.Place())},
		flow:    flow.New(window), feed: feed{sink: cl.Signals, codec: cl.Codec}, standing: s.policy.Load().Standing(c.identity),
	}
	d.mu.Lock()
	d.clients[cl.ID] = c
	d.mu.Unlock()
	s.clientsMu.Lock()
	n, _ := s.indexOf(c.info.ID) // the last one, unless another one was quicker
	s.clients = slices.Insert(s.clients, n, c)
	s.clientsMu.Unlock()
	s.log.Info("client connected", "client", c.info.String(), "hello", c.hello)
	s.receive(c)
	if s.expelled.Since(c.identity, cl.Proven) || s.expelled.Since(c.session, cl.Proven) {
		c.expel()
	}
}

// handler returns what the carrier is served with.
func (d *carrierHandler) handler() carrier.Handler {
	if d.server.journal != nil {
		return keepingHandler{d}
	}
	return d
}

// HandleMessage implements carrier.Handler.
func (d *carrierHandler) HandleMessage(id carrier.ClientID, m *carrier.Message, respond func(carrier.Reply)) {
	c := d.client(id)
	if c == nil {
		respond(carrier.Failed(carrier.ErrNoClient))
		return
	}
	if m.Method == methodRequest && m.Mark == nil && m.Together != nil && c.work.Idle() {
		c.handle(m, respond) // which only passes it on
		return
	}
	m.Together.End()
	size := messageCost + m.Params.Size() + m.ID.Size()
	c.backlog.enter(c.ctx, size)
	c.work.Do(func() {
		c.handle(m, respond)
		if c.signals.afterWaiting.Idle() {
			c.backlog.leave(size)
			return
		}
		c.signals.afterWaiting.Do(func() { c.backlog.leave(size) }) // the message may wait there
	})
}

// place returns where an address is, without what differs between clients there.
func place(addr string) string {
	if rest, ok := strings.CutPrefix(addr, "tcp://"); ok {
		if i := strings.LastIndexByte(rest, ':'); i >= 0 {
			return rest[:i]
		}
	}
	return addr
}

// HandleSignals implements carrier.SignalHandler.
func (d *carrierHandler) HandleSignals(id carrier.ClientID, signals []carrier.Signal, answers carrier.Answers) {
	if c := d.client(id); c != nil {
		c.handleSignals(signals, answers)
	}
}

// SignalsAnswered implements carrier.SignalHandler.
func (d *carrierHandler) SignalsAnswered(id carrier.ClientID, n int, failed *carrier.Reply) {
	c := d.client(id)
	if c == nil {
		return
	}
	if failed != nil {
		c.rejects(failed.Err())
		c.outbox.signalRefused(*failed)
	}
	c.outbox.signalsAnswered(n)
}

// ClientDisconnected implements carrier.Handler.
func (d *carrierHandler) ClientDisconnected(id carrier.ClientID, cause error) {
	c := d.client(id)
	if c == nil {
		return
	}
	c.cancel(fmt.Errorf("%w: %w", carrier.ErrGone, cause))
	c.outbox.close()
	c.requests.Close()
	c.work.Do(func() {
		c.signals.afterWaiting.Do(func() { c.leave(cause) }) // after what was read before
	})
	d.mu.Lock()
	delete(d.clients, id)
	d.mu.Unlock()
	d.server.clientsMu.Lock()
	if n, found := d.server.indexOf(c.info.ID); found {
		d.server.clients = slices.Delete(d.server.clients, n, n+1)
	}
	d.server.clientsMu.Unlock()
	d.server.places.Leave(c.account.Place())
	attrs := []any{"client", c.info.String(), "reason", carrier.Reason(cause), "cause", cause}
	d.server.log.Info("client gone", append(attrs, c.refusals.tell()...)...)
}

// AllClientsDisconnected implements carrier.Handler.
func (d *carrierHandler) AllClientsDisconnected(cause error) {
	d.server.log.Debug("carrier closed", "cause", cause)
}

// transmit sends a message to the client. It blocks while the client's window is full, until the client goes, which its carrier sees to.
func (c *client) transmit(m *carrier.Message, done func(carrier.Reply, error)) error {
	lockrank.MustBeFree("a message is transmitted")
	return c.by.carrier.Transmit(context.Background(), c.id, m, done)
}
