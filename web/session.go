package web

import (
	"context"
	"errors"
	"sync"
	"time"

	"sighub/carrier"
	"sighub/carrier/local"
	"sighub/internal/lockrank"
)

// A session is a client of the hub, for somebody who asks over HTTP. It makes one call at a time.
type session struct {
	peer  *local.Peer
	end   context.CancelFunc
	ready chan struct{} // closed when the hub knows it
	done  chan struct{} // closed when nothing of it is left
	id    carrier.ClientID
	heard chan heard
	dirty bool // it has a listener or a sender, and is of no use to others

	why error // it has ended: set when done is closed; nil: the hub ends
}

// A heard is something that the hub tells a session's listeners, with what answers it.
type heard struct {
	message *carrier.Message
	respond func(carrier.Reply)
}

// window is how many messages the hub leaves unanswered by a session.
const window = 16

// begin returns a session of a client of the hub, which it is until end is called, or until the hub ends it.
func begin(hub *local.Hub, as carrier.Client) *session {
	ctx, end := context.WithCancel(context.Background())
	s := &session{
		peer: hub.NewPeerAs(as), end: end, ready: make(chan struct{}), done: make(chan struct{}), heard: make(chan heard, window),
	}
	go func() {
		defer close(s.done)
		_ = s.peer.Serve(ctx, s) // it never fails
		as.Account.Close()
	}()
	return s
}

// ClientConnected implements carrier.Handler.
func (s *session) ClientConnected(c carrier.Client) {
	s.id = c.ID
	close(s.ready)
}

// HandleMessage implements carrier.Handler. There is room for as many messages as the hub leaves unanswered.
func (s *session) HandleMessage(_ carrier.ClientID, m *carrier.Message, respond func(carrier.Reply)) {
	select {
	case s.heard <- heard{m, respond}:
	default:
		respond(carrier.Failed(carrier.ErrLimit))
	}
}

// ClientDisconnected implements carrier.Handler. A session does not come back: its listeners and senders are gone.
func (s *session) ClientDisconnected(_ carrier.ClientID, cause error) {
	s.why = cause
	s.end()
}

// AllClientsDisconnected implements carrier.Handler.
func (s *session) AllClientsDisconnected(error) {}

// over reports whether the session has ended.
func (s *session) over() bool {
	select {
	case <-s.done:
		return true
	default:
		return false
	}
}

// close ends the session, and waits until it has.
func (s *session) close() {
	s.end()
	<-s.done
}

var errEnding = errors.New("the hub is starting or ending")

// call calls a method of the hub. The error may be a [carrier.StatusError], which is the hub's.
func (s *session) call(ctx context.Context, method string, params carrier.Object) (carrier.Value, error) {
	select {
	case <-s.ready:
	case <-s.done:
		return carrier.Value{}, errEnding
	case <-ctx.Done():
		return carrier.Value{}, context.Cause(ctx)
	}
	type answer struct {
		reply carrier.Reply
		err   error
	}
	answered := make(chan answer, 1)
	m := &carrier.Message{Method: method, Params: carrier.ValueOf(params)}
	if err := s.peer.Transmit(ctx, s.id, m, func(r carrier.Reply, err error) { answered <- answer{r, err} }); err != nil {
		return carrier.Value{}, err
	}
	a := <-answered
	if a.err == nil {
		a.err = a.reply.Err()
	}
	return a.reply.Response, a.err
}

// A visitor is who asks over HTTP.
type visitor struct {
	identity string // as the hub's policy knows it
	session  string // see carrier.Client
	place    string // see listen.Peer
	addr     string // for people to read
}

// sessions are those of all visitors. One that is not in use waits for a while, so that who asks again and again is one client.
type sessions struct {
	hub    *local.Hub
	budget *carrier.Budget

	mu     lockrank.Mutex[lockrank.Leaf]
	idle   map[visitor][]*waiting
	count  int // of those that are idle
	closed bool
	open   sync.WaitGroup // sessions
}

// A waiting is a session that is not in use.
type waiting struct {
	*session
	timer *time.Timer
}

const (
	idleTime = time.Minute // for which a session waits
	mostIdle = 32
	perIdle  = 2 // of one visitor
)

// errClosed: the site answers no more.
var errClosed = errEnding

// take returns a session of a visitor, who has not proven the identity before a time.
func (p *sessions) take(v visitor, proven time.Time) (*session, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		return nil, errClosed
	}
	for list := p.idle[v]; len(list) > 0; list = p.idle[v] {
		w := list[len(list)-1]
		p.forget(v, w)
		if w.timer.Stop(); !w.over() {
			return w.session, nil
		}
		p.open.Done()
	}
	p.open.Add(1)
	return begin(p.hub, carrier.Client{
		Name: "http", Addr: v.addr, Identity: v.identity, Session: v.session, Proven: proven, Account: p.budget.Open(v.place),
	}), nil
}

// forget takes a session from those that are idle. The lock is held.
func (p *sessions) forget(v visitor, w *waiting) bool {
	list := p.idle[v]
	for i, other := range list {
		if other == w {
			list = append(list[:i:i], list[i+1:]...)
			p.count--
			if p.idle[v] = list; len(list) == 0 {
				delete(p.idle, v)
			}
			return true
		}
	}
	return false
}

// give takes a session back that has no listener and no sender.
func (p *sessions) give(v visitor, s *session) {
	p.mu.Lock()
	if p.closed || s.over() || p.count >= mostIdle || len(p.idle[v]) >= perIdle {
		p.mu.Unlock()
		p.drop(s)
		return
	}
	defer p.mu.Unlock()
	w := &waiting{session: s}
	w.timer = time.AfterFunc(idleTime, func() {
		p.mu.Lock()
		mine := p.forget(v, w)
		p.mu.Unlock()
		if mine {
			p.drop(s)
		}
	})
	p.idle[v] = append(p.idle[v], w)
	p.count++
}

// drop ends a session.
func (p *sessions) drop(s *session) {
	s.close()
	p.open.Done()
}

// close ends the sessions that are idle, and waits for those that are in use, which the hub has ended.
func (p *sessions) close() {
	p.mu.Lock()
	p.closed = true
	var all []*session
	for _, list := range p.idle {
		for _, w := range list {
			w.timer.Stop()
			all = append(all, w.session)
		}
	}
	p.idle, p.count = nil, 0
	p.mu.Unlock()
	for _, s := range all {
		p.drop(s)
	}
	p.open.Wait()
}
