package mqtt

import (
	"context"
	"slices"
	"time"

	"sighub/carrier"
	"sighub/internal/lockrank"
	"sighub/internal/mqtt/topic"
)

// A will is what is published when a client goes without a word.
type will struct {
	topic   string
	payload []byte
	delay   time.Duration // for how long it waits for the client to come back
}

// wills are those that wait for their clients to come back. A will is told when its delay is over, or when the session of its client
// ends, whichever comes first; never, if the client takes up the session before that (MQTT 5, 3.1.3.2.2). They do not outlive the
// Server: who listens hears of its end anyway.
type wills struct {
	wake chan struct{}

	mu   lockrank.Mutex[lockrank.Leaf]
	list []*waitingWill
}

// A waitingWill is a will whose client has gone.
type waitingWill struct {
	will
	key     sessionKey
	client  carrier.Client // as it was, without what belongs to its connection
	account *carrier.Account
	left    time.Time // when the client has gone
	due     time.Time
}

func (w *wills) init() { w.wake = make(chan struct{}, 1) }

// leaveWill tells the will of a client that goes, or has it wait. The turn is the caller's.
func (c *session) leaveWill(l *link, why error) {
	if l.will == nil {
		return
	}
	keep := l.expiry
	if l.discard.Load() || errorIsFinal(why) {
		keep = 0
	}
	if wait := min(l.will.delay, keep); wait <= 0 || !c.server.wills.add(c, l, wait) {
		c.sendWill(l.will)
	}
}

// add has a will wait, and reports whether there is room for it.
func (w *wills) add(c *session, l *link, wait time.Duration) bool {
	now := time.Now()
	one := &waitingWill{
		will: *l.will, key: c.key, left: now, due: now.Add(wait), account: c.server.options.Budget.Open(l.nc.Peer().Place),
		client: carrier.Client{Name: c.key.client, Identity: c.key.identity, Proven: l.proven, Addr: l.addr, Codec: carrier.JSON, Hello: true, Window: 1},
	}
	w.mu.Lock()
	ok := len(w.list) < c.server.options.Limits.Sessions && one.account.Take(willCost+len(one.topic)+len(one.payload)) == nil
	if ok {
		w.list = append(w.list, one)
	}
	w.mu.Unlock()
	if !ok {
		one.account.Close()
		return false
	}
	w.rouse()
	return true
}

const willCost = 512 // bytes, beside topic and payload

func (w *wills) rouse() {
	select {
	case w.wake <- struct{}{}:
	default:
	}
}

// taken notes that the client of a session has come back in time.
func (w *wills) taken(key sessionKey) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.list = slices.DeleteFunc(w.list, func(one *waitingWill) bool {
		gone := one.key == key && !one.due.IsZero()
		if gone {
			one.account.Close()
		}
		return gone
	})
}

// ended notes that a session has ended at a time: a will of it that waits then does so no more.
func (w *wills) ended(key sessionKey, at time.Time) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, one := range w.list {
		if one.key == key && !one.left.After(at) {
			one.due = time.Time{}
			w.rouse()
		}
	}
}

// next takes out the wills that are due, and returns how long it takes until the next one is.
func (w *wills) next(now time.Time) (due []*waitingWill, wait time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	wait = time.Hour
	w.list = slices.DeleteFunc(w.list, func(one *waitingWill) bool {
		left := one.due.Sub(now)
		if left > 0 {
			wait = min(wait, left)
			return false
		}
		due = append(due, one)
		return true
	})
	return due, wait
}

// tellWills tells wills when they are due, until ctx is done.
func (s *Server) tellWills(ctx context.Context) {
	w := &s.wills
	for ctx.Err() == nil {
		due, wait := w.next(time.Now())
		for _, one := range due {
			s.tellWill(ctx, one)
			one.account.Close()
		}
		if len(due) > 0 {
			continue
		}
		t := time.NewTimer(wait)
		select {
		case <-ctx.Done():
		case <-w.wake:
		case <-t.C:
		}
		t.Stop()
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, one := range w.list {
		one.account.Close()
	}
}

// tellWill tells a will that has waited. A session in memory is a client of the hub still, and has its senders. Another one has gone: then
// a client like it comes for a moment.
func (s *Server) tellWill(ctx context.Context, one *waitingWill) {
	s.mu.Lock()
	c := s.sessions[one.key]
	s.mu.Unlock()
	if c != nil && c.isAway() {
		c.turn.Lock()
		defer c.turn.Unlock()
		c.sendWill(&one.will)
		return
	}
	name, err := topic.Parse(one.topic)
	if err != nil {
		return // it was checked
	}
	if one.topic == topic.Status && s.options.Shelf != nil {
		s.tellHome(homeEnds)
		return
	}
	client := one.client
	client.ID = s.clients.Add(nil)
	defer s.clients.Remove(client.ID)
	lockrank.MustBeFree("a handler is called")
	s.handler.ClientConnected(client)
	var p publishing
	for _, m := range []carrier.Message{
		{Method: "add_sender", Params: carrier.ValueOf(carrier.Object{
			{Key: "sender", Value: name.Sender}, {Key: "events", Value: []string{name.Name}}, {Key: "more", Value: true},
		})},
		{Method: "signal", Params: carrier.ValueOf(carrier.Object{
			{Key: "info", Value: carrier.Object{{Key: "sender", Value: name.Sender}, {Key: "event", Value: name.Name}}},
			{Key: "data", Value: p.value(one.payload)},
		})},
	} {
		answered := make(chan carrier.Reply, 1)
		s.handler.HandleMessage(client.ID, &m, func(r carrier.Reply) { answered <- r })
		var r carrier.Reply
		select {
		case r = <-answered:
		case <-ctx.Done():
		}
		if ctx.Err() != nil || r.Status != carrier.StatusDone {
			if ctx.Err() == nil {
				s.options.Logger.Warn("a will is refused", "client", one.key.client, "error", r.Err())
			}
			break
		}
	}
	s.handler.ClientDisconnected(client.ID, carrier.ErrClosed)
}

// isAway reports whether the session is kept in memory while its client is away.
func (c *session) isAway() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.link == nil && c.queue != nil && !c.closed
}

// sendWill publishes a will. The turn is the caller's.
func (c *session) sendWill(w *will) {
	name, err := topic.Parse(w.topic)
	if err != nil {
		return // it was checked
	}
	if w.topic == topic.Status && c.server.options.Shelf != nil {
		c.homeSays(string(w.payload))
		return
	}
	r := &inRoute{Name: name, route: carrier.Route{Sender: name.Sender, Event: name.Name}}
	o := c.offer(r)
	switch {
	case o.refused != nil:
		if !o.counted {
			c.refuse("will", o.refused.Err())
		}
		return
	case o.others():
		if err := c.sendBy(&o, r, 0, &carrier.Signal{Data: c.value(w.payload)}); err != nil {
			c.refuse("will", err)
		}
		return
	}
	c.acks.push(&c.writer, ack{signal: true})
	c.publishing.batch = append(c.publishing.batch, carrier.Signal{Route: &r.route, Data: c.value(w.payload)})
	c.deliver()
}
