package mqtt

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net"
	"slices"
	"sync"

	"sighub/carrier"
	"sighub/internal/buffers"
	"sighub/internal/lockrank"
	"sighub/listen"
)

// A Server is the hub's end: it is a [carrier.Carrier] of the clients that speak MQTT.
type Server struct {
	options  Options
	listener net.Listener
	handler  carrier.SignalHandler
	keeper   carrier.Keeper // nil: the hub keeps no journal
	buffers  buffers.Pool
	clients  carrier.Clients[*session]
	refused  carrier.Refusals // of strangers
	kept     keptSessions
	wills    wills

	mu       lockrank.Mutex[lockrank.Leaf]
	links    map[*link]struct{}
	sessions map[sessionKey]*session // by what a client is known by; with a link, or kept
}

// A sessionKey tells sessions apart: clients of different identities may have the same identifier.
type sessionKey struct{ identity, client string }

// On returns a Server for the clients of MQTT of all addresses of a [listen.Server], which somebody else serves and closes.
func On(below *listen.Server, o Options) *Server { return New(below.Protocol(Protocols()...), o) }

// New returns a Server for those whose connections a listener accepts. The Server closes the listener.
func New(l net.Listener, o Options) *Server {
	s := &Server{
		options: o.withDefaults(), listener: l, links: make(map[*link]struct{}), sessions: make(map[sessionKey]*session),
	}
	s.wills.init()
	return s
}

// Addrs returns nothing: whoever listens has the addresses.
func (s *Server) Addrs() []string { return nil }

// Close closes a Server that is not going to be served.
func (s *Server) Close() error { return s.listener.Close() }

// Connections returns how many connections are open that a [listen.Server] does not count: none.
func (s *Server) Connections() int { return 0 }

// Refused returns what was refused of strangers so far, which never became clients, by cause.
func (s *Server) Refused() map[string]uint64 { return s.refused.Counts() }

// Serve implements [carrier.Carrier]. A client is connected once its CONNECT is accepted.
func (s *Server) Serve(ctx context.Context, h carrier.Handler) error {
	s.handler = carrier.AsSignalHandler(h)
	s.keeper, _ = h.(carrier.Keeper)
	var work, links sync.WaitGroup
	accepting, stop := context.WithCancel(ctx)
	defer stop()
	s.kept.load(s)
	work.Go(func() { s.sweep(accepting) })
	work.Go(func() { s.tellWills(accepting) })
	work.Go(func() {
		<-accepting.Done()
		_ = s.listener.Close() // ends accept, which reports any error
	})
	err := s.accept(ctx, &links)
	stop()
	why := carrier.ErrShutdown
	if err != nil {
		why = fmt.Errorf("%w: %w", carrier.ErrUnplugged, err)
	}
	s.mu.Lock()
	open := slices.Collect(maps.Keys(s.links))
	s.mu.Unlock()
	for _, l := range open {
		l.fail(why)
	}
	links.Wait()
	work.Wait()
	for _, c := range s.all() {
		c.end(why)
	}
	lockrank.MustBeFree("a handler is called")
	h.AllClientsDisconnected(why)
	return err
}

// accept serves each connection on a goroutine of its own, until ctx is done or accepting fails.
func (s *Server) accept(ctx context.Context, links *sync.WaitGroup) error {
	for {
		nc, err := s.listener.Accept()
		if ctx.Err() != nil || errors.Is(err, net.ErrClosed) {
			if err == nil {
				_ = nc.Close() // it is too late
			}
			return nil
		}
		if err != nil {
			return fmt.Errorf("mqtt: no client can be accepted any more: %w", err)
		}
		l := newLink(s, listen.Plain(nc))
		s.mu.Lock()
		s.links[l] = struct{}{}
		s.mu.Unlock()
		links.Go(func() {
			l.run(ctx)
			s.mu.Lock()
			defer s.mu.Unlock()
			delete(s.links, l)
		})
	}
}

// Transmit implements [carrier.Carrier]. The messages that there are for clients of MQTT are requests of their senders.
func (s *Server) Transmit(ctx context.Context, id carrier.ClientID, m *carrier.Message, done func(carrier.Reply, error)) error {
	c, err := s.clients.Find(id)
	if err == nil && c == nil { // see removeCursors
		err = carrier.ErrGone
	}
	if err != nil {
		return err
	}
	return c.transmit(ctx, m, done)
}

// Disconnect implements [carrier.Disconnecter]. What is pending is still written, for at most a second or so.
func (s *Server) Disconnect(id carrier.ClientID, cause error) {
	if c, err := s.clients.Find(id); err == nil && c != nil {
		c.disconnect(cause)
	}
}
