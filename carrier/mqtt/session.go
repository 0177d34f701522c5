package mqtt

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"sighub/carrier"
	"sighub/internal/lockrank"
	"sighub/internal/mqtt/packet"
)

// A session is a client of the hub: what a client of MQTT has subscribed to, and what it publishes. It lives as long as a connection or,
// if it is kept without a journal, longer: then it has no link in between.
type session struct {
	server   *Server
	key      sessionKey
	id       carrier.ClientID
	account  *carrier.Account
	refusals carrier.Refusals
	window   int // signals that the hub may leave unanswered
	calls    *carrier.Calls
	left     chan struct{} // closed when it has ended

	// turn is had by whoever calls the handler for this client: the goroutine that reads, or one that tells the hub of messages that
	// need no answer. It has no rank in lockrank: nobody waits for it while holding a lock or delivering events.
	turn  sync.Mutex
	tasks sync.WaitGroup // goroutines of the session

	publishing publishing
	asking     asking
	orders     orders
	messages   keptMessages
	visits     visits

	writer // its lock guards the following, too

	link      *link  // nil: the client is away
	addr      string // of the latest link
	version   byte
	maxPacket int // bytes that the client takes
	flight    flight
	answers   []answer // that the hub has not heard
	answering bool     // a goroutine tells it
	acks      acks
	subs      map[string]*subscription // by filter
	listeners map[uint64]*subscription // by the hub's number
	changes   uint64                   // of subscriptions and versions: what is known of a route may be old
	queue     *queue                   // nil, unless it is kept without a journal
	kept      *keptSession             // nil, unless it is kept in the journal; of keptSessions
	final     bool                     // it is not kept in memory any more
	closed    bool
	ending    atomic.Bool
}

// open makes a client of the hub.
func (s *Server) open(l *link, key sessionKey) *session {
	c := &session{
		server: s, key: key, account: s.options.Budget.Open(l.nc.Peer().Place), window: l.receiveMax, calls: carrier.NewCalls(requestPlaces), left: make(chan struct{}),
		subs: make(map[string]*subscription), listeners: make(map[uint64]*subscription),
	}
	c.publishing.init()
	c.asking.init()
	c.writer.buffers, c.writer.timeout = &s.buffers, s.options.Limits.WriteTimeout
	c.writer.taken = func(n uint64) { c.flight.taken = n }
	c.writer.failed, c.writer.written = c.writeFailed, c.wrote
	return c
}

// attach gives the session a connection.
func (c *session) attach(l *link) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.link, c.addr, c.version, c.maxPacket = l, l.addr, l.version, l.maxPacket
	c.nc, c.err = l.nc, nil
	c.ended.Store(false)
	c.changes++
}

// connect announces the client to the hub.
func (c *session) connect(l *link) {
	c.id = c.server.clients.Add(c)
	lockrank.MustBeFree("a handler is called")
	c.turn.Lock()
	defer c.turn.Unlock()
	c.server.handler.ClientConnected(carrier.Client{
		ID: c.id, Name: c.key.client, Identity: c.key.identity, Proven: l.proven, Session: l.named, Addr: l.addr, Codec: carrier.JSON, Hello: true,
		Window: requestPlaces, Account: c.account, Refused: &c.refusals, Signals: c,
	})
}

// end ends the client: what it has registered is removed. Its connection has ended.
func (c *session) end(cause error) {
	if c.ending.Swap(true) {
		<-c.left
		return
	}
	c.mu.Lock()
	c.closed = true
	c.writer.end(errClosed)
	c.mu.Unlock()
	lockrank.MustBeFree("what waits for replies is failed")
	c.calls.Fail(fmt.Errorf("%w: %w", carrier.ErrGone, cause))
	c.endAsking()
	c.tasks.Wait()
	if c.messages.leave != nil {
		c.messages.leave()
	}
	c.server.clients.Remove(c.id)
	c.turn.Lock()
	c.server.handler.ClientDisconnected(c.id, cause)
	c.turn.Unlock()
	c.endVisits()
	c.mu.Lock()
	c.queue.drop(c.account)
	c.mu.Unlock()
	c.account.Close()
	c.server.leave(c) // last: whoever comes back finds everything free that was this one's
	close(c.left)
}

// leave takes a session off the list, if it is there.
func (s *Server) leave(c *session) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.sessions[c.key] == c {
		delete(s.sessions, c.key)
	}
}

// disconnect ends the client's connection and the session.
func (c *session) disconnect(cause error) {
	c.mu.Lock()
	l := c.link
	c.final = c.final || l == nil || errorIsFinal(cause)
	c.mu.Unlock()
	if l != nil {
		l.fail(cause)
		return
	}
	c.server.kept.rouse()
}

// over reports whether a session is not to go on with another connection.
func (c *session) over() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.final || c.closed
}

// message has the hub handle a message, and calls respond with the answer or the refusal. The turn is the caller's.
func (c *session) message(method string, params carrier.Object, respond func(carrier.Reply)) {
	lockrank.MustBeFree("a handler is called")
	c.server.handler.HandleMessage(c.id, &carrier.Message{Method: method, Params: carrier.ValueOf(params)}, respond)
}

// writeFailed ends a connection that cannot be written to.
func (c *session) writeFailed(err error) {
	c.mu.Lock()
	l := c.link
	c.mu.Unlock()
	if l != nil {
		l.writeFailed(err)
	}
}

// wrote notes that the signals before n were written: those that the client does not acknowledge are answered.
func (c *session) wrote(n uint64, _ int) {
	c.mu.Lock()
	c.flight.written = max(c.flight.written, n)
	if c.queue != nil {
		c.pump()
	}
	c.putKept()
	c.collect()
	c.mu.Unlock()
}

// collect collects answers for the hub, and has a goroutine tell it, unless the one that reads does so anyway. The lock is held.
func (c *session) collect() {
	for {
		a := c.flight.next()
		if a.n == 0 {
			break
		}
		if last := len(c.answers) - 1; last >= 0 && a.failed == nil && c.answers[last].failed == nil {
			c.answers[last].n += a.n
		} else {
			c.answers = append(c.answers, a)
		}
	}
	if len(c.answers) > 0 && !c.answering && !c.holding && !c.closed {
		c.answering = true
		c.tasks.Go(c.tell)
	}
}

// tell tells the hub of answers, on a goroutine of its own.
func (c *session) tell() {
	c.turn.Lock()
	defer c.turn.Unlock()
	for {
		c.tellAnswers()
		c.mu.Lock()
		if len(c.answers) == 0 || c.closed {
			c.answering = false
			c.mu.Unlock()
			return
		}
		c.mu.Unlock()
	}
}

// tellAnswers tells the hub of the answers that there are. The turn is the caller's.
func (c *session) tellAnswers() {
	for {
		c.mu.Lock()
		if len(c.answers) == 0 || c.closed {
			c.mu.Unlock()
			return
		}
		a := c.answers[0]
		c.answers = c.answers[:copy(c.answers, c.answers[1:])]
		c.mu.Unlock()
		lockrank.MustBeFree("a handler is called")
		c.server.handler.SignalsAnswered(c.id, a.n, a.failed)
	}
}

// refuse counts what is refused of the client.
func (c *session) refuse(what string, err error) {
	cause := carrier.Cause(err)
	if e, ok := errors.AsType[*packet.Error](err); ok {
		cause = causeOf(e.Reason)
	}
	c.refusals.Add(cause, 1)
	c.mu.Lock()
	who := c.key.client + " (" + c.addr + ")"
	c.mu.Unlock()
	c.server.options.Logger.Warn("refused", "client", who, "what", what, "cause", cause, "error", err)
}

// causeOf returns the word for a reason: see [carrier.Cause].
func causeOf(r packet.Reason) string {
	switch r {
	case packet.NotAuthorized, packet.BadLogin, packet.BadAuthMethod:
		return "denied"
	case packet.TooLarge:
		return "size"
	case packet.QuotaExceeded, packet.ReceiveMaximum:
		return "limit"
	case packet.BadTopic, packet.BadFilter, packet.BadClientID:
		return "name"
	case packet.KeepAliveTimeout:
		return "timeout"
	case packet.UnsupportedVersion:
		return "stranger"
	default:
		return "malformed"
	}
}

// reasonOf returns the reason that the client is told of the hub's answer.
func reasonOf(r carrier.Reply) packet.Reason {
	switch r.Status {
	case carrier.StatusDone:
		return packet.Success
	case carrier.StatusDenied:
		return packet.NotAuthorized
	case carrier.StatusLimit:
		return packet.QuotaExceeded
	case carrier.StatusTooLarge:
		return packet.TooLarge
	case carrier.StatusMalformed:
		return packet.BadPayload
	}
	for _, kind := range []struct {
		begins string
		reason packet.Reason
	}{
		{carrier.ErrValue.Error(), packet.BadPayload},
		{carrier.ErrTime.Error(), packet.BadPayload},
		{"hub: bad name", packet.BadTopic},
		{"hub: sender is already connected", packet.NotAuthorized},
		{"hub: sender belongs", packet.NotAuthorized},
		{errTaken.Error(), packet.NotAuthorized},
	} {
		if strings.HasPrefix(r.Exception, kind.begins) {
			return kind.reason
		}
	}
	return packet.Implementation
}

// expiry returns how long a session is kept.
func (s *Server) expiry(seconds uint32) time.Duration {
	return min(time.Duration(seconds)*time.Second, s.options.Limits.SessionTime)
}
