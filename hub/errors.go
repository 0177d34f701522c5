package hub

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"sighub/carrier"
	"sighub/hub/internal/names"
	"sighub/hub/internal/past"
	"sighub/internal/lockrank"
)

// Errors of this package, wrapped with details. errors.Is also finds them in the errors with which a hub answers a
// [ClientRouter]. In these it finds, too, [carrier.ErrLimit], [carrier.ErrTooLarge], [carrier.ErrValue],
// [carrier.ErrTime] and, if a sender did not answer in time, [context.DeadlineExceeded]. Of other errors that a
// [RequestHandler] returns, a caller elsewhere gets only the text.
var (
	ErrName         = carrier.NewRefusal("hub: bad name", "name")
	ErrExists       = carrier.NewRefusal("hub: sender is already connected", "exists")
	ErrNotConnected = carrier.NewRefusal("hub: not connected", "sender")
	ErrNoSender     = carrier.NewRefusal("hub: no such sender", "sender")
	ErrNoEvent      = carrier.NewRefusal("hub: no such event", "event")
	ErrNoListener   = carrier.NewRefusal("hub: no such listener", "listener")
	ErrNoRequest    = carrier.NewRefusal("hub: no such request", "request")
	ErrNotYours     = carrier.NewRefusal("hub: sender belongs to another client", "owner")
	ErrBusy         = carrier.NewRefusal("hub: the queue is full", "busy")
	ErrArguments    = carrier.NewRefusal("hub: invalid arguments", "arguments")
	ErrCursor       = past.ErrTaken
	ErrNoCursor     = past.ErrNone
	ErrNoJournal    = carrier.NewRefusal("hub: the hub keeps no journal", "journal")
)

// A remoteError is an answer that refuses, and which of the errors above it tells of.
type remoteError struct {
	*carrier.StatusError
	kind error
}

// Unwrap makes errors.Is find the kind, and errors.As the [carrier.StatusError].
func (e *remoteError) Unwrap() []error { return []error{e.StatusError, e.kind} }

// answerError returns the error that an answer tells of; nil if what it answers was done. If err is not nil, there is no
// answer, and that is the error.
//
// A reply has no field for the kind of an error, only a text, which begins with that of one of the errors above.
func answerError(r carrier.Reply, err error) error {
	if err == nil {
		err = r.Err()
	}
	refusal, ok := errors.AsType[*carrier.StatusError](err)
	if !ok {
		return err
	}
	for _, kind := range []error{
		carrier.ErrValue, carrier.ErrTime, carrier.ErrDenied,
		ErrName, ErrExists, ErrNotConnected, ErrNoSender, ErrNoEvent, ErrNoListener, ErrNoRequest, ErrNotYours, ErrBusy, ErrArguments,
		ErrCursor, ErrNoCursor, ErrNoJournal,
	} {
		if strings.HasPrefix(refusal.Exception, kind.Error()) {
			return &remoteError{refusal, kind}
		}
	}
	if strings.HasPrefix(refusal.Exception, "hub: sender ") && strings.HasSuffix(refusal.Exception, context.DeadlineExceeded.Error()) {
		return &remoteError{refusal, context.DeadlineExceeded}
	}
	return err
}

// A refusals is what a client was refused, and what it was not told.
type refusals struct {
	all    *carrier.Refusals // what was refused of it, also by its carrier, by cause
	missed carrier.Refusals  // events that its listeners were not told, by cause

	mu       lockrank.Mutex[lockrank.Leaf]
	latest   *Refusal
	limiters map[string]*logLimiter // by cause, of which there are few; and of other trouble with the client
}

// Trouble with a client that is not a refusal of what it asks for, as its log is limited.
const (
	troubleUnsent   = "unsent"   // an event could not be sent to it
	troubleRejected = "rejected" // it did not accept an event
	troubleDropped  = "dropped"  // events for it were dropped
)

// note keeps the latest refusal.
func (r *refusals) note(latest *Refusal) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.latest = latest
}

// limiter returns what limits the log of a cause or a trouble.
func (r *refusals) limiter(of string) *logLimiter {
	r.mu.Lock()
	defer r.mu.Unlock()
	l := r.limiters[of]
	if l == nil {
		if r.limiters == nil {
			r.limiters = make(map[string]*logLimiter)
		}
		l = new(logLimiter)
		r.limiters[of] = l
	}
	return l
}

// tell returns what the log is to say of the refusals when the client has gone, because some of them were not logged.
func (r *refusals) tell() (attrs []any) {
	if refused := r.all.Counts(); len(refused) > 0 {
		attrs = append(attrs, "refused", refused)
	}
	if missed := r.missed.Counts(); len(missed) > 0 {
		attrs = append(attrs, "missed", missed)
	}
	return attrs
}

// A Refusal is one thing that was refused, in words.
type Refusal struct {
	Time  time.Time `json:"time"`
	What  string    `json:"what"` // the method, or the event as "sender event"
	Cause string    `json:"cause"`
	Error string    `json:"error"`
}

// The causes of events that are not told, beside those of errors.
const (
	causeSlow    = "slow"    // the listener did not keep up
	causeRefused = "refused" // the listener's client answered with an error
	causeJournal = "journal" // the journal had no room for it, or has it no more
	causeDenied  = "denied"  // the client may not hear it any more
	causeRevoked = "revoked" // the same, and the listener has ended
	causeSeveral = "several" // of a loss: there were several
)

// causeMethod is the cause of a message for which there is no method.
const causeMethod = "method"

// longestRefusal bounds the text that is kept and logged of a refusal, in bytes: it may contain what a stranger wrote.
const longestRefusal = 200

// refuse counts something that the hub refuses of the client, and logs some of it: the first with each cause.
func (c *client) refuse(what string, err error) {
	cause := carrier.Cause(err)
	if e, ok := errors.AsType[*carrier.StatusError](err); ok && (e.Status == carrier.StatusNoSuchMethod || e.Status == carrier.StatusNoMethod) {
		cause = causeMethod
	}
	r := Refusal{Time: c.server.now().UTC(), What: shorten(what), Cause: cause, Error: shorten(err.Error())}
	c.refusals.all.Add(cause, 1)
	c.refusals.note(&r)
	c.limited(cause, func(log *slog.Logger) {
		log.Warn("refused", "what", r.What, "cause", r.Cause, "error", r.Error)
	})
}

// shorten cuts a text that is too long to keep.
func shorten(text string) string {
	if len(text) <= longestRefusal {
		return text
	}
	return strings.ToValidUTF8(text[:longestRefusal], "") + "…" // a character is not cut in two
}

// refuseSignal refuses a signal of the client, which arrived at the given time. If it is lost in that way, those who would
// have heard it are told of a gap. The client does not wait for those of them that are slow.
func (c *client) refuseSignal(s *carrier.Signal, at time.Time, err error, reading bool) {
	c.refuse(s.Route.Sender+" "+s.Route.Event, err)
	c.mu.Lock()
	sender, ownErr := c.own(s.Route.Sender)
	if ownErr != nil || !isLost(err) {
		c.mu.Unlock()
		return
	}
	gap := sender.gapOf(s.Route.Event) // under the lock, for the sender may be emptied
	c.mu.Unlock()
	cause := carrier.Cause(err)
	sender.refused.Add(cause, 1)
	loss, taken := Loss{Event: s.Route.Event}, at
	if s.Time != 0 && !errors.Is(err, carrier.ErrTime) {
		taken = time.Unix(0, s.Time)
	}
	loss.add(taken, cause)
	d := delivery{
		event:  Event{Sender: sender.name, Name: Gap, Time: at, Data: carrier.ValueOf(loss)},
		signal: gap, borrowed: reading, grouped: true, fanout: c.signals.fan(),
	}
	_ = sender.topic.trigger(c.ctx, &d) // it fails if the sender has gone, which its listeners are told
	c.signals.fan().forget()
}

// isLost reports whether a signal that is refused with this error is lost: it would be refused again.
func isLost(err error) bool {
	return errors.Is(err, carrier.ErrValue) || errors.Is(err, carrier.ErrMalformed) || errors.Is(err, carrier.ErrTime) || errors.Is(err, ErrNoEvent)
}

// gapOf returns the handle that tells of lost events to those who listen to gaps and to those who listen to the event, of this
// sender or any. They are told if they may hear the event.
func (s *Sender) gapOf(event string) *Signal {
	g := &Signal{sender: s, event: Gap, routes: s.signals[Gap].routes, kept: s.signals[Gap].kept, lost: s.signals[event]}
	g.hears.Store(s.signals[Gap].hears.Load())
	switch {
	case g.lost == nil: // the sender does not offer it
		g.lost = &Signal{sender: s, event: event}
		hear(s.topic.router.policy.Load(), []*Signal{g.lost})
	case event != Gap:
		g.routes[ofLost], g.routes[ofLostChannel] = g.lost.routes[ofEvent], g.lost.routes[ofChannel]
	}
	return g
}

// A ClientStatus says how a client of a ServerRouter is.
type ClientStatus struct {
	ClientInfo
	Identity  string    `json:"identity,omitempty"` // that the client has proven
	Hello     bool      `json:"hello"`
	Since     time.Time `json:"since"`
	Senders   int       `json:"senders"`
	Listeners int       `json:"listeners"`

	Waiting int   `json:"waiting"` // events that wait to be sent to it
	Held    int64 `json:"held"`    // bytes that the hub holds for it, or because of it
	// Behind reports whether senders do not wait for the client any more, because it has not kept up.
	Behind bool `json:"behind,omitempty"`

	Refused map[string]uint64 `json:"refused,omitempty"` // of what it sent, by cause
	Missed  map[string]uint64 `json:"missed,omitempty"`  // events that its listeners were not told, by cause
	Latest  *Refusal          `json:"latest,omitempty"`  // of what was refused
}

// status says how the client is.
func (c *client) status() ClientStatus {
	st := ClientStatus{
		ClientInfo: c.info, Identity: c.identity, Hello: c.hello, Since: c.since.UTC(), Held: c.account.Used(),
		Refused: c.refusals.all.Counts(), Missed: c.refusals.missed.Counts(),
	}
	c.mu.Lock()
	st.Senders, st.Listeners = len(c.senders), len(c.listeners)
	c.mu.Unlock()
	c.refusals.mu.Lock()
	st.Latest = c.refusals.latest
	c.refusals.mu.Unlock()
	o := &c.outbox
	o.mu.Lock()
	st.Waiting, st.Behind = o.queue.len(), o.state == lagging
	o.mu.Unlock()
	return st
}

// A Refuser is a carrier that refuses some connections before they are clients.
type Refuser interface {
	// Refused returns the numbers of what was refused of strangers, by cause; nil if nothing was.
	Refused() map[string]uint64
}

// refusedStrangers returns what all carriers refused of strangers, by cause.
func (s *ServerRouter) refusedStrangers() map[string]uint64 {
	s.clientsMu.Lock()
	carriers := s.carriers
	s.clientsMu.Unlock()
	sum := make(map[string]uint64)
	for _, c := range carriers {
		if r, ok := c.(Refuser); ok {
			for cause, n := range r.Refused() {
				sum[cause] += n
			}
		}
	}
	if len(sum) == 0 {
		return nil
	}
	return sum
}

// A logLimiter keeps what happens again and again from filling the log. The first occurrence is logged at once, later ones
// together, once a minute.
type logLimiter struct {
	mu     lockrank.Mutex[lockrank.Leaf]
	told   time.Time
	untold int
}

const logEvery = time.Minute

// note counts an occurrence. It returns how many are to be logged now.
func (s *logLimiter) note() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.untold++
	if now := time.Now(); s.told.IsZero() || now.Sub(s.told) >= logEvery {
		n := s.untold
		s.told, s.untold = now, 0
		return n
	}
	return 0
}

// limited calls log if the limiter of a cause or a trouble allows it, with a logger that names the client and how many times it happened.
// log runs on a goroutine of its own, because the caller may hold a lock.
func (c *client) limited(of string, log func(*slog.Logger)) {
	if n := c.refusals.limiter(of).note(); n > 0 {
		c.by.tasks.Go(func() { log(c.log().With("client", c.info.String(), "times", n)) })
	}
}

// unsent logs an event that cannot be sent to the client.
func (c *client) unsent(ev *Event, err error) {
	sender, event := ev.Sender, ev.Name
	c.limited(troubleUnsent, func(log *slog.Logger) {
		log.Warn("an event cannot be sent to a listener", "sender", sender, "event", event, "error", err)
	})
}

// rejects counts and logs an event that a listener of the client did not accept.
func (c *client) rejects(err error) {
	c.refusals.missed.Add(causeRefused, 1)
	c.limited(troubleRejected, func(log *slog.Logger) { log.Warn("a listener did not accept an event", "error", err) })
}

// dropping logs that a listener begins to miss events of a sender.
func (c *client) dropping(sender string, waiting int) {
	c.limited(troubleDropped, func(log *slog.Logger) {
		log.Warn("events for a listener are dropped", "told", c.hello, "sender", sender, "waiting", waiting)
	})
}

// rightFor are the rights that methods need. All others, such as those of [ServerOptions.Methods], need [carrier.RightList]: they
// tell what there is.
var rightFor = map[string]carrier.Rights{
	methodVersion:        0,
	methodAddSender:      0,
	methodRemoveSender:   0,
	methodSignal:         0,
	methodAddListener:    carrier.RightListen,
	methodRemoveListener: carrier.RightListen,
	methodHistory:        carrier.RightListen,
	methodLasts:          carrier.RightListen,
	methodPosition:       carrier.RightListen,
	methodListCursors:    carrier.RightListen,
	methodRemoveCursor:   carrier.RightListen,
	methodAcknowledge:    carrier.RightListen,
	methodRequest:        carrier.RightRequest,
}

// allowed returns an error unless the client may call a method, whatever its params are.
func (c *client) allowed(method string) error {
	if c.server.policy.Load() != nil {
		if v := c.server.needs(method); v != 0 {
			if err := c.permit(v, "", method); err != nil {
				return err
			}
		}
	}
	if !c.restricted {
		return nil
	}
	need, known := rightFor[method]
	if !known {
		need = carrier.RightList
	}
	if need&^c.may == 0 {
		return nil
	}
	return fmt.Errorf("%w: %s needs the right %q: give it to the client with may at its port", carrier.ErrDenied, method, need)
}

// Reserve keeps names of senders for the hub's own: restricted clients may not have them.
func (s *ServerRouter) Reserve(names ...string) { s.kept.Reserve(names...) }

// asNamed returns what the names of senders are kept for.
func (c *ClientInfo) asNamed() names.Client {
	return names.Client{UID: c.UID, Addr: c.Addr, Text: c.String()}
}
