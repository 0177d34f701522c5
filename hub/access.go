package hub

import (
	"context"
	"fmt"
	"maps"
	"slices"

	"sighub/carrier"
	"sighub/hub/internal/rights"
	"sighub/hub/verb"
)

// An AccessPolicy decides who may do what: see [ServerRouter.SetPolicy].
type AccessPolicy = verb.Policy

// A Denial is something that a policy did not allow.
type Denial struct {
	Client   ClientInfo
	Identity string
	Verb     verb.Verb
	Sender   string
	Name     string // of the event or the method
}

// SetPolicy puts a policy into force for all clients, by their [carrier.Client.Identity]. Nil allows everything to everybody, as it is
// at first. The hub's own senders, listeners and requests are not restricted.
//
// When SetPolicy returns, nothing that the policy denies is put into the stream of any client any more. Listeners that may hear nothing
// any more are removed, and told so by a last [Gap] with the cause "revoked". What waited for others, and may not be heard any more,
// is dropped, and told by a Gap with the cause "denied". Senders that may not be there any more are disconnected with the reason
// "revoked", and requests of clients that may not make them any more end with [carrier.ErrDenied], although they may have been
// carried out. Clients that the policy does not know are disconnected with [carrier.ErrRevoked].
//
// SetPolicy may be called at any time, but not by a policy.
func (s *ServerRouter) SetPolicy(p AccessPolicy) {
	in := rights.PutInForce(p)
	var lost []*revocation
	s.enforcing.Lock()
	s.policy.Store(in)
	for _, signals := range s.allSignals() {
		hear(in, signals)
	}
	for _, c := range s.remotes() {
		if r := c.obey(in); r != nil {
			lost = append(lost, r)
		}
	}
	s.enforcing.Unlock()
	for _, r := range lost {
		r.tell()
	}
}

// allSignals returns the signals of each sender that is connected.
func (r *Router) allSignals() (all [][]*Signal) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, t := range r.topics {
		if t.conn != nil {
			all = append(all, slices.Collect(maps.Values(t.conn.signals)))
		}
	}
	return all
}

// hear notes who may hear the events of a sender.
func hear(in *rights.InForce, signals []*Signal) {
	var before *rights.Hearing
	for _, g := range signals {
		before = in.Hearing(g.sender.name, g.event, before)
		g.hears.Store(before)
	}
}

// hears reports whether the client may hear an event. The lock is held. As long as a policy is being put into force, the signal and the
// outbox may belong to different ones.
func (o *outbox) hears(g *Signal) bool {
	ok, tells := g.hears.Load().Has(&o.standing)
	if !tells {
		ok = o.client.server.policy.Load().May(o.client.identity, verb.Listen, g.sender.name, g.event)
	}
	return ok
}

// hearsOf reports whether the client may hear of the event that was lost, if an event tells of a loss. The lock is held.
func (o *outbox) hearsOf(d *delivery) bool {
	if d.signal.lost != nil {
		return o.hears(d.signal.lost)
	}
	var sight rights.Sight
	return mayHearOf(&sight, o.standing.In, o.client.identity, d.event.Sender, d.event.Data)
}

// receive has a client that is connected obey the policy, if another one was put into force since it got its standing, or if the policy
// does not know it.
func (s *ServerRouter) receive(c *client) {
	if s.policy.Load() == nil {
		return
	}
	s.enforcing.Lock()
	r := c.obey(s.policy.Load())
	s.enforcing.Unlock()
	r.tell()
}

// A revocation is what a client has lost and is to be told of. Nil: nothing.
type revocation struct {
	client    *client
	stranger  bool // nobody knows it any more
	listeners int
	dropped   int // events that waited
	senders   []*Sender
	asks      []*asking
}

// obey gives the client its standing by a policy, and takes from it what that does not allow. ServerRouter.enforcing is held.
func (c *client) obey(in *rights.InForce) *revocation {
	r := &revocation{client: c, stranger: !in.Knows(c.identity)}
	ended := make(map[*Listener]uint64)
	if in != nil {
		c.mu.Lock()
		listeners := slices.Collect(maps.Values(c.listeners))
		for _, s := range c.senders {
			if ok, _ := in.MayOffer(c.identity, s.name, s.events); !ok {
				r.senders = append(r.senders, s)
			}
		}
		for q := c.asks; q != nil; q = q.before {
			r.asks = append(r.asks, q)
		}
		c.mu.Unlock()
		var sight rights.Sight
		for _, l := range listeners {
			if !sight.Hears(in, c.identity, l.sender, l.event) && c.takeListener(l) {
				l.removed.Store(true)
				ended[l] = 0
			}
		}
		r.asks = slices.DeleteFunc(r.asks, func(q *asking) bool { return in.May(c.identity, verb.Request, q.sender, q.method) })
	}
	r.dropped = c.outbox.obey(in.Standing(c.identity), ended)
	for l := range ended {
		c.dropListener(l)
	}
	r.listeners = len(ended)
	if r.listeners+r.dropped+len(r.senders)+len(r.asks) == 0 && !r.stranger {
		return nil
	}
	return r
}

// tell ends what the client may not have any more, and tells those who are concerned.
func (r *revocation) tell() {
	if r == nil {
		return
	}
	c := r.client
	for _, s := range r.senders {
		c.revokeSender(s)
	}
	for _, q := range r.asks {
		q.stop(fmt.Errorf("%w: this client may not request method %q of sender %q any more; it may have been carried out",
			carrier.ErrDenied, q.method, q.sender))
	}
	c.log().Warn("a client has lost rights", "client", c.info.String(), "known", !r.stranger, "listeners", r.listeners,
		"events", r.dropped, "senders", len(r.senders), "requests", len(r.asks))
	if r.stranger {
		c.outbox.mu.Lock()
		c.outbox.leave(fmt.Errorf("%w: the hub does not know the client", carrier.ErrRevoked))
		c.outbox.mu.Unlock()
	}
}

// obey drops what waits and may not be heard any more, and returns how many events those are. Listeners that have ended are told so.
func (o *outbox) obey(standing rights.Standing, ended map[*Listener]uint64) (dropped int) {
	o.mu.Lock()
	o.standing = standing
	if standing.In != nil && o.takes() {
		dropped = o.purge(standing.In, ended)
		for l, n := range ended {
			o.finish(l, n)
		}
		o.makeRoom()
		o.fill()
	}
	o.mu.Unlock()
	o.flush(nil, false)
	return dropped
}

// purge drops what a policy denies. It counts the events of listeners that have ended; others are told of a gap. The lock is held.
func (o *outbox) purge(in *rights.InForce, ended map[*Listener]uint64) (dropped int) {
	var sight rights.Sight
	identity := o.client.identity
	var missed []entry
	purged := false
	for i := range o.queue.entries {
		e := &o.queue.entries[i]
		l := e.listener
		if l == nil || e.final {
			continue
		}
		_, over := ended[l]
		if !over && sight.Hears(in, identity, e.event.Sender, e.event.Name) &&
			(e.event.Name != Gap || mayHearOf(&sight, in, identity, e.event.Sender, e.event.Data)) {
			continue
		}
		switch {
		case e.gap:
		case over:
			ended[l]++
			dropped++
		default:
			missed = append(missed, entry{listener: l, event: e.event})
			dropped++
		}
		o.left(e)
		*e = entry{}
		purged = true
	}
	if purged {
		o.queue.compact()
	}
	o.purgeGaps(&sight, in, ended)
	for i := range missed {
		if e := &missed[i]; sight.Hears(in, identity, e.event.Sender, Gap) {
			o.miss(e.listener, &e.event, causeDenied)
		} else {
			o.client.refusals.missed.Add(causeDenied, 1)
		}
	}
	return dropped
}

// purgeGaps drops gaps that wait to be told, of senders of whom nothing may be heard any more.
func (o *outbox) purgeGaps(sight *rights.Sight, in *rights.InForce, ended map[*Listener]uint64) {
	for _, list := range []map[gapKey]*Loss{o.gaps.before, o.gaps.behind} {
		for key := range list {
			if _, over := ended[key.listener]; over || !sight.Hears(in, o.client.identity, key.sender, Gap) {
				cost := o.gaps.cost(0)
				delete(list, key)
				o.account().Give(cost - o.gaps.cost(0))
			}
		}
	}
}

// finish tells a listener that it has ended, if there is room to remember that until it is told.
func (o *outbox) finish(l *Listener, dropped uint64) {
	if !o.client.hello { // it does not know gaps
		return
	}
	now := o.client.server.now()
	ev := Event{Sender: l.sender, Name: Gap, Time: now, Data: carrier.ValueOf(Loss{
		Count: dropped, First: now.UTC(), Last: now.UTC(), Cause: causeRevoked,
	})}
	if o.account().Take(entryCost+ev.size()) == nil {
		o.queue.push(entry{listener: l, event: ev, final: true})
		o.bytes += ev.size()
	}
}

// revokeSender disconnects a sender of the client's that it may not have any more.
func (c *client) revokeSender(s *Sender) {
	c.mu.Lock()
	there := c.senders[s.given] == s
	if there {
		delete(c.senders, s.given)
	}
	c.mu.Unlock()
	if !there {
		return
	}
	c.server.disconnect(s, carrier.Reason(carrier.ErrRevoked))
	c.mu.Lock()
	s.empty()
	c.mu.Unlock()
	c.account.Give(s.cost)
}

// permit returns an error unless the policy in force allows something to the client.
func (c *client) permit(v verb.Verb, sender, name string) error {
	if c.server.policy.Load().May(c.identity, v, sender, name) {
		return nil
	}
	return c.deny(v, sender, name)
}

func (c *client) deny(v verb.Verb, sender, name string) error {
	if tell := c.server.opts.Denied; tell != nil {
		tell(Denial{c.info, c.identity, v, sender, name})
	}
	return rights.Denied(v, sender, name)
}

// mayOffer returns an error unless the client may have a sender, and trigger all its events.
func (c *client) mayOffer(sender string, events []string) error {
	ok, event := c.server.policy.Load().MayOffer(c.identity, sender, events)
	switch {
	case ok:
		return nil
	case event == "":
		return c.deny(verb.Add, sender, "")
	default:
		return c.deny(verb.Trigger, sender, event)
	}
}

// mayTake returns an error if the name of a sender is kept for somebody else.
func (c *client) mayTake(name string) error {
	switch {
	case c.restricted:
		return c.server.kept.Allows(name, c.info.asNamed(), c.server.now())
	case c.server.policy.Load() != nil && c.info.UID == "" && !c.isAdmin():
		return c.server.kept.Belongs(name)
	}
	return nil
}

// isAdmin reports whether the client may know where others are.
func (c *client) isAdmin() bool { return c.server.policy.Load().May(c.identity, verb.Admin, "", "") }

// mayName returns those of a sender's events of which the listener may know.
func (l *Listener) mayName(events []string) []string {
	if l.client == nil {
		return events
	}
	in := l.router.policy.Load()
	return slices.DeleteFunc(events, func(event string) bool { return !in.May(l.client.identity, verb.Listen, l.sender, event) })
}

// needs returns which right a method needs, whatever its params are; 0: none.
func (s *ServerRouter) needs(method string) verb.Verb {
	if methods[method] != nil {
		return rights.ForMethod(method)
	}
	if v, known := s.opts.Needs[method]; known {
		return v
	}
	return verb.Admin
}

// looks are the methods that look at what is there and change nothing.
var looks = map[string]bool{methodListSenders: true, methodListClients: true, methodHistory: true, methodLasts: true,
	methodListCursors: true}

type callerKey struct{}

// Caller returns who calls a method of [ServerOptions.Methods], by the context that it is given.
func Caller(ctx context.Context) (info ClientInfo, identity string, ok bool) {
	c, ok := ctx.Value(callerKey{}).(*client)
	if !ok {
		return ClientInfo{}, "", false
	}
	return c.info, c.identity, true
}

// eyes are whoever looks at what is there. Nil: somebody who may see everything.
type eyes struct {
	in       *rights.InForce
	identity string
	id       uint64              // of the client, who sees its own senders as they are
	own      map[string][]string // events that it listens to, by sender
	admin    bool
}

// eyes returns the client's; nil while no policy is in force.
func (c *client) eyes() *eyes {
	in := c.server.policy.Load()
	if in == nil {
		return nil
	}
	e := &eyes{in: in, identity: c.identity, id: c.info.ID, own: make(map[string][]string), admin: c.isAdmin()}
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, l := range c.listeners {
		e.own[l.sender] = append(e.own[l.sender], l.event)
	}
	return e
}

func (e *eyes) hear(sender, event string) bool {
	return e.in.May(e.identity, verb.Listen, sender, event)
}

// see takes out of what is told of a sender what may not be seen, and reports whether the sender may be seen at all. Of one that is not
// connected, only the events that it has offered are given: who else waits for it nobody sees.
func (e *eyes) see(s *SenderInfo) bool {
	if e == nil {
		return true
	}
	if !s.Connected {
		waits, ok := e.own[s.Name]
		if !ok {
			return false
		}
		for _, event := range waits {
			if event != "" && !isBuiltIn(event) && !slices.Contains(s.Events, event) {
				s.Events = append(s.Events, event)
			}
		}
		slices.Sort(s.Events)
		s.Events = append(s.Events, Disconnect, Connect)
	}
	mine := s.Client != nil && s.Client.ID == e.id
	if s.Client != nil && !e.admin && !mine {
		s.Client = s.Client.public()
	}
	if mine {
		return true
	}
	s.Events = slices.DeleteFunc(s.Events, func(event string) bool { return !e.hear(s.Name, event) })
	if s.Units != nil {
		s.Units = maps.Clone(s.Units)
		maps.DeleteFunc(s.Units, func(event, _ string) bool { return !e.hear(s.Name, event) })
	}
	s.Requests = slices.DeleteFunc(s.Requests, func(method *string) bool {
		name := ""
		if method != nil {
			name = *method
		}
		return !e.in.May(e.identity, verb.Request, s.Name, name)
	})
	if len(s.Requests) == 0 {
		s.Requests = nil
	}
	return len(s.Events) > 0 || s.Requests != nil
}

// channelsFor lists the names of channels that may be seen: of senders that may be heard, and those that are listened to by whoever
// looks.
func (r *Router) channelsFor(e *eyes) []string {
	if e == nil {
		return r.Channels()
	}
	seen := make(map[string]bool)
	for _, event := range e.own[""] {
		if isChannel(event) && !isBuiltIn(event) {
			seen[event] = true
		}
	}
	for name := range sorted(r, &r.names, r.topics).After("") {
		var events []string
		r.mu.Lock()
		if t := r.topics[name]; t != nil && t.conn != nil {
			events = t.conn.events // which never change
		}
		r.mu.Unlock()
		for _, event := range events {
			if isChannel(event) && !seen[event] && e.hear(name, event) {
				seen[event] = true
			}
		}
	}
	return append(slices.Sorted(maps.Keys(seen)), Disconnect, Connect)
}
