package hub

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"sighub/carrier"
	"sighub/hub/internal/receipts"
	"sighub/hub/internal/runner"
	"sighub/internal/lockrank"
)

// A client is one client of a ServerRouter: what it has registered, and what waits for it.
type client struct {
	server *ServerRouter
	by     *carrierHandler // by which it is connected
	ctx    context.Context // done when the client has gone
	cancel context.CancelCauseFunc

	left       atomic.Bool // it has gone, and what it registered is removed
	hello      bool
	restricted bool // it may do what everyone may, and what may says
	may        carrier.Rights

	id   carrier.ClientID // unique within its carrier
	info ClientInfo
	// identity is who the client has proven to be, for the policy.
	identity string
	session  string // in which it has proven that
	naming   string

	since    time.Time
	refusals refusals
	account  *carrier.Account // of everything that the client makes the hub hold; it says where the client is, too

	signals  signals
	receipts receipts.Receipts // answers to signals that wait for the journal
	backlog  backlog           // messages and signals that wait to be handled
	waited   time.Duration     // for other clients, in the call that is being handled
	work     runner.Runner     // handles messages, because a local callback may wait for what the client's reader brings
	outbox   outbox
	requests runner.Runner // transmits requests, so that they do not wait behind events
	window   int           // of requests to the client, for which it has not answered yet
	pending  atomic.Int64  // requests of the client's own that are not answered yet
	replays  atomic.Int64  // its listeners that are fed from the journal

	// Most clients do one thing of many, so what each needs is made when it is done first.
	mu        lockrank.Mutex[lockrank.Leaf]
	awaited   waiters            // for left
	asking    chan struct{}      // holds one element for each unanswered request to it, also after its time is over
	asks      *asking            // the latest of its requests that are not answered yet
	senders   map[string]*Sender // by the names the client gave them
	listeners map[uint64]*Listener
	equal     map[subscription]int // how many of them are equal; nil: they are few, and are counted
}

// A subscription is what listeners have in common that hear the same.
type subscription struct{ sender, event string }

// maxEqual is how many listeners of one client may hear the same. Others would wait while an event is delivered to more.
const maxEqual = 64

func (c *client) log() *slog.Logger { return c.server.log }

// name returns the hub's name for a sender of the client.
func (c *client) name(sender string) string {
	if c.naming == "" {
		return sender
	}
	return strings.NewReplacer("{device}", c.info.Name, "{sender}", sender).Replace(c.naming)
}

// leave removes everything that the client registered.
func (c *client) leave(cause error) {
	defer c.tellLeft()
	c.mu.Lock()
	senders, listeners := c.senders, c.listeners
	c.senders, c.listeners = nil, nil
	c.mu.Unlock()
	for _, s := range senders {
		c.server.kept.Keep(s.name, c.info.asNamed(), c.server.now())
		c.server.disconnect(s, carrier.Reason(cause))
		c.account.Give(s.cost)
	}
	for _, l := range listeners {
		c.dropListener(l)
	}
	c.account.Close()
}

// tellLeft notes that nothing is left of what the client registered.
func (c *client) tellLeft() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.left.Store(true)
	c.awaited.wake()
}

// whenLeft returns a channel that is closed when the client has gone and what it registered is removed.
func (c *client) whenLeft() <-chan struct{} {
	c.mu.Lock()
	defer c.mu.Unlock()
	left := c.awaited.wait()
	if c.left.Load() {
		c.awaited.wake()
	}
	return left
}

// calling returns what is done when the client's calls need not wait for their turn any more: see call.
func (c *client) calling() context.Context {
	if isReporter(c.by.carrier) {
		return c.by.serving
	}
	return c.ctx
}

// connect connects a sender of the client's. If the name still belongs to a client that has just gone, connect waits until
// that one is removed: a device that comes back at once would lose what it reports while it is refused.
func (c *client) connect(s *Sender) error {
	for {
		err := c.server.connect(s)
		if !errors.Is(err, ErrExists) {
			return err
		}
		owner, taken := c.server.ownerOf(s.name)
		if !taken {
			continue
		}
		if owner == nil || owner.ctx.Err() == nil {
			return err
		}
		select {
		case <-owner.whenLeft():
		case <-c.ctx.Done():
			return err
		}
	}
}

// goesSoon is how long a client may take to go that has what another one wants: one that was killed, and started again at once, is
// often here before it is known that its former run has gone.
const goesSoon = time.Second

// outlives waits until another client has gone that has what this one wants, if it goes soon, and reports whether it has. It has the
// other one's carrier look whether that one is still there, so that one that has vanished will have gone when this one asks again.
func (c *client) outlives(other *client) bool {
	if other == c {
		return false
	}
	defer func(began time.Time) { c.waited += time.Since(began) }(time.Now())
	if other.ctx.Err() == nil {
		if p, ok := other.by.carrier.(carrier.Prober); ok {
			p.Probe(other.id)
		}
		soon := time.NewTimer(goesSoon)
		defer soon.Stop()
		select {
		case <-other.ctx.Done():
		case <-soon.C:
			return false
		case <-c.ctx.Done():
			return false
		}
	}
	select {
	case <-other.whenLeft(): // what it said is handled
		return true
	case <-c.ctx.Done():
		return false
	}
}

// hangUp disconnects the client if its carrier can; if not, it removes the client's listeners.
func (c *client) hangUp(cause error) {
	c.by.tasks.Go(func() {
		c.log().Warn("a client is disconnected", "client", c.info.String(), "cause", cause)
		if d, ok := c.by.carrier.(carrier.Disconnecter); ok {
			d.Disconnect(c.id, cause)
			return
		}
		c.mu.Lock()
		listeners := c.listeners
		c.listeners, c.equal = nil, nil
		c.mu.Unlock()
		for _, l := range listeners {
			c.dropListener(l)
		}
		c.outbox.reopen()
	})
}

// A method answers with the response that it returns; or it returns deferred, and calls respond itself, then or later.
type method func(c *client, a *arguments, respond func(carrier.Reply)) (any, error)

// methods are what a client may ask for.
var methods = map[string]method{
	methodVersion:        (*client).getVersion,
	methodListSenders:    (*client).listSenders,
	methodAddSender:      (*client).addSender,
	methodRemoveSender:   (*client).removeSender,
	methodAddListener:    (*client).addListener,
	methodRemoveListener: (*client).removeListener,
	methodSignal:         (*client).signal,
	methodRequest:        (*client).request,
	methodListClients:    (*client).listClients,
	methodHistory:        (*client).history,
	methodLasts:          (*client).lastEvents,
	methodPosition:       (*client).position,
	methodListCursors:    (*client).listCursors,
	methodRemoveCursor:   (*client).removeCursor,
	methodAcknowledge:    (*client).acknowledge,
}

// deferred is returned by methods that call respond themselves.
var deferred any = new(int)

func (c *client) handle(m *carrier.Message, respond func(carrier.Reply)) {
	if m.Mark != nil && m.Method != methodSignal {
		respond = c.marked(*m.Mark, respond)
	}
	if m.Method == "" {
		c.answerRefusal(m, carrier.Reply{Status: carrier.StatusNoMethod}, respond)
		return
	}
	method := methods[m.Method]
	if method == nil {
		c.handleOther(m, respond)
		return
	}
	if (m.Method == methodRemoveSender || m.Method == methodAddSender) && !c.signals.afterWaiting.Idle() {
		c.signals.afterWaiting.Do(func() { c.call(method, m, respond) }) // after the events that were sent before
		return
	}
	c.call(method, m, respond)
}

// call calls a method, in its turn if it makes work: one that lists or registers. It is not called if the client goes before its
// turn has come: nobody would read the answer, and what the client registered is about to be removed. But a device that goes keeps
// what it reported until that is acknowledged, so what it reported of a sender that it was adding is not refused.
func (c *client) call(method method, m *carrier.Message, respond func(carrier.Reply)) {
	switch m.Method {
	case methodSignal, methodRequest, methodVersion:
		c.callNow(method, m, respond)
	default:
		c.server.pace.DoOrWait(c.calling(), func() time.Duration {
			c.waited = 0
			c.callNow(method, m, respond)
			return c.waited
		})
	}
}

func (c *client) callNow(method method, m *carrier.Message, respond func(carrier.Reply)) {
	var a *arguments
	if m.Method == methodRequest {
		a, _ = usedArguments.Get().(*arguments)
		defer a.reuse()
		a.parse(m.Params)
	} else {
		a = parseArguments(m.Params)
	}
	a.id, a.mark, a.together = m.ID.Size(), m.Mark, m.Together
	var response any
	err := a.err
	if err == nil {
		err = c.allowed(m.Method)
	}
	if err == nil {
		in := c.server.policy.Load()
		response, err = method(c, a, respond)
		for now := c.server.policy.Load(); now != in && looks[m.Method]; now = c.server.policy.Load() { // it may have seen too much
			in = now
			response, err = method(c, a, respond)
		}
	}
	switch {
	case err != nil:
		c.refuse(m.Method, err)
		if m.Mark != nil && m.Method == methodSignal {
			respond = c.marked(*m.Mark, respond)
		}
		respond(carrier.Failed(err))
	case response != deferred:
		respond(carrier.Done(response))
	}
}

// handleOther answers one of [ServerOptions.Methods].
func (c *client) handleOther(m *carrier.Message, respond func(carrier.Reply)) {
	method := c.server.opts.Methods[m.Method]
	if method == nil {
		c.answerRefusal(m, carrier.Reply{Status: carrier.StatusNoSuchMethod}, respond)
		return
	}
	if err := c.allowed(m.Method); err != nil {
		c.refuse(m.Method, err)
		respond(carrier.Failed(err))
		return
	}
	c.server.pace.Do(c.calling(), func() {
		response, err := method(context.WithValue(c.ctx, callerKey{}, c), m.Params)
		if err != nil {
			c.refuse(m.Method, err)
			respond(carrier.Failed(err))
			return
		}
		respond(carrier.Done(response))
	})
}

// answerRefusal refuses a message with this answer.
func (c *client) answerRefusal(m *carrier.Message, r carrier.Reply, respond func(carrier.Reply)) {
	c.refuse(m.Method, r.Err())
	respond(r)
}

func (c *client) getVersion(*arguments, func(carrier.Reply)) (any, error) {
	return protocolVersion, nil
}

func (c *client) addSender(a *arguments, _ func(carrier.Reply)) (any, error) {
	given := a.text("sender")
	events := a.texts("events")
	var requests []*string
	if v := a.value("requests"); !v.IsNull() {
		requests = a.texts("requests")
	}
	if a.err != nil {
		return nil, a.err
	}
	o, more := SenderOptions{Units: a.units()}, a.flag("more")
	if a.err != nil {
		return nil, a.err
	}
	for _, event := range events {
		if event == nil {
			return nil, fmt.Errorf("%w: an event must not be null", ErrArguments)
		}
		o.Events = append(o.Events, *event)
	}
	if requests != nil {
		o.Requests = make(map[string]RequestHandler, len(requests))
		for _, method := range requests {
			if method == nil {
				o.Default = forwardedRequest
			} else {
				o.Requests[*method] = forwardedRequest
			}
		}
	}
	var before *Sender
	if more {
		if before = c.extend(given, &o); before != nil && before.producer != nil {
			return nil, fmt.Errorf("%w: more is not for a sender with a producer", ErrArguments)
		}
	}
	s, err := newSender(c.name(given), o)
	if err != nil {
		return nil, err
	}
	s.owner, s.given = c, given
	offered := s.events
	if err := c.mayOffer(s.name, offered); err != nil {
		return nil, err
	}

	c.mu.Lock()
	if c.senders[given] == nil && len(c.senders) >= c.server.opts.MaxSenders {
		c.mu.Unlock()
		return nil, fmt.Errorf("%w: a client may have %d senders", carrier.ErrLimit, c.server.opts.MaxSenders)
	}
	c.mu.Unlock()
	if err := c.mayTake(s.name); err != nil {
		return nil, err
	}
	if err := c.account.Take(s.cost); err != nil {
		return nil, fmt.Errorf("%w: sender %s", err, s.name)
	}
	var answer any
	if producer := a.optionalText("producer"); producer != "" || a.err != nil {
		if a.err != nil {
			c.account.Give(s.cost)
			return nil, a.err
		}
		if s.producer, err = c.produce(producer); err != nil {
			c.account.Give(s.cost)
			return nil, err
		}
		answer = map[string]uint64{"next": s.producer.last + 1}
	}
	if before != nil {
		err = c.server.replace(before, s)
	} else {
		err = c.connect(s)
	}
	if err != nil {
		c.account.Give(s.cost)
		if other := c.sharing(s.name, err); other != nil {
			return map[string]carrier.ClientID{"client": other.id}, nil
		}
		return nil, err
	}
	c.mu.Lock()
	if c.senders == nil {
		c.senders = make(map[string]*Sender)
	}
	c.senders[given] = s
	if before != nil {
		before.empty()
		c.account.Give(before.cost)
	}
	c.mu.Unlock()
	if err := c.mayOffer(s.name, offered); err != nil { // another policy has come meanwhile, perhaps before it could find the sender
		c.revokeSender(s)
		return nil, err
	}
	return answer, nil
}

// sharing returns the client that has a sender, if it is another one of the same carrier, which passes on what this one publishes; else nil.
// err is what this one was told that wanted to have it.
func (c *client) sharing(name string, err error) *client {
	if _, shares := c.by.carrier.(carrier.Sharer); !shares || !errors.Is(err, ErrExists) {
		return nil
	}
	if owner, taken := c.server.ownerOf(name); taken && owner != nil && owner != c && owner.by.carrier == c.by.carrier {
		return owner
	}
	return nil
}

// extend adds what a sender of the client's offers already to what it is to offer. It returns that sender, or nil if the client has no
// sender of that name.
func (c *client) extend(given string, o *SenderOptions) *Sender {
	c.mu.Lock()
	defer c.mu.Unlock()
	s := c.senders[given]
	if s == nil {
		return nil
	}
	o.Events = append(slices.Clone(s.events), o.Events...)
	if s.units != nil {
		units := maps.Clone(s.units)
		maps.Copy(units, o.Units)
		o.Units = units
	}
	if o.Default == nil {
		o.Default = s.fallback
	}
	if s.requests != nil {
		requests := maps.Clone(s.requests)
		maps.Copy(requests, o.Requests)
		o.Requests = requests
	}
	return s
}

// forwardedRequest stands for the handlers of a client's sender, whose requests are forwarded to the client.
func forwardedRequest(context.Context, string, carrier.Value) (any, error) { return nil, ErrNotYours }

func (c *client) removeSender(a *arguments, _ func(carrier.Reply)) (any, error) {
	given := a.text("sender")
	if a.err != nil {
		return nil, a.err
	}
	c.mu.Lock()
	s, err := c.own(given)
	delete(c.senders, given)
	c.mu.Unlock()
	if err != nil {
		return nil, err
	}
	c.server.kept.Keep(s.name, c.info.asNamed(), c.server.now())
	c.server.disconnect(s, "removed")
	c.mu.Lock()
	s.empty()
	c.mu.Unlock()
	c.account.Give(s.cost)
	return nil, nil
}

// own returns the client's sender to which the client gave that name. The lock is held.
func (c *client) own(given string) (*Sender, error) {
	if s := c.senders[given]; s != nil {
		return s, nil
	}
	return nil, fmt.Errorf("%w, or it was never added: %s", ErrNotYours, given)
}
