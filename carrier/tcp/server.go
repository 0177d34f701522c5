package tcp

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net"
	"slices"
	"sync"

	"sighub/carrier"
	"sighub/internal/lockrank"
	"sighub/listen"
)

// A Server is the hub's end: any number of clients connect to it. It is a [carrier.Carrier].
type Server struct {
	peers    *peers
	options  Options
	listener net.Listener
	below    *listen.Server // served with it; nil if the listener is somebody else's

	mu   lockrank.Mutex[lockrank.Leaf]
	open map[*conn]struct{}
}

// Listen listens at addr: "tcp://HOST:PORT", "HOST:PORT" or "unix:///PATH". Port 0 takes a free one. A socket file that is left
// from a program that has ended is replaced. Serve removes its own when it ends, unless it is another program's by then.
func Listen(addr string, o Options) (*Server, error) {
	o = o.withDefaults()
	below, err := listen.Open(listen.Options{
		Addresses:     []listen.Address{{At: addr, Mode: o.SocketMode, Group: o.SocketGroup, ByAddress: o.ByAddress}},
		MaxConns:      o.MaxClients,
		MaxPerAddress: o.MaxPerAddress,
		StrangerTime:  o.Limits.HelloTimeout,
		WriteTimeout:  o.Limits.WriteTimeout,
		Certificate:   o.Certificate,
		Strict:        o.Login != nil,
		Logger:        o.Logger,
	})
	if err != nil {
		return nil, err
	}
	return On(below, o), nil
}

// On returns a Server for the clients of all addresses of a [listen.Server], which is served and closed with it. Of the
// options, those that say where and how many connections are accepted are not used.
func On(below *listen.Server, o Options) *Server {
	s := New(below.Protocol(Protocols()...), o)
	s.below = below
	return s
}

// New returns a Server for those whose connections a listener accepts. If the listener is not one of a [listen.Server], nothing
// bounds how many connections there are, nor how long they take until their first message. The Server closes the listener.
func New(l net.Listener, o Options) *Server {
	o = o.withDefaults()
	return &Server{peers: &peers{log: o.Logger}, options: o, listener: l, open: make(map[*conn]struct{})}
}

// Protocols returns the two dialects, as a [listen.Server] tells them from other protocols.
func Protocols() []listen.Protocol {
	return []listen.Protocol{
		{Name: "json", ALPN: ALPN, Certificates: true, Begins: beginsJSON},
		{Name: "cbor", ALPN: ALPN, Certificates: true, Begins: beginsCBOR},
	}
}

// Addr returns the address listened at, with the port that was taken: "tcp://127.0.0.1:3000". If there are several, it is the
// first one.
func (s *Server) Addr() string {
	a := s.listener.Addr()
	return a.Network() + "://" + a.String()
}

// Close closes a Server that is not going to be served.
func (s *Server) Close() error {
	if s.below != nil {
		return s.below.Close()
	}
	return s.listener.Close()
}

// Serve implements [carrier.Carrier]. A client is connected once its first message has been read. When ctx is
// done, what is pending is written to the clients, for at most a second or so.
func (s *Server) Serve(ctx context.Context, h carrier.Handler) error {
	s.peers.serve(h)
	var below, conns sync.WaitGroup
	var failed error
	accepting, stop := context.WithCancel(ctx)
	defer stop()
	if s.below != nil {
		below.Go(func() { failed = s.below.Serve(accepting) })
	}
	below.Go(func() {
		<-accepting.Done()
		_ = s.listener.Close() // ends accept, which reports any error
	})
	err := s.accept(ctx, &conns)
	stop()
	below.Wait()
	if failed != nil {
		err = fmt.Errorf("tcp: %w", failed)
	}

	why := carrier.ErrShutdown
	if err != nil {
		why = fmt.Errorf("%w: %w", carrier.ErrUnplugged, err)
	}
	for _, c := range s.all() {
		c.fail(why)
	}
	conns.Wait()
	lockrank.MustBeFree("a handler is called")
	h.AllClientsDisconnected(why)
	return err
}

// accept serves each connection on a goroutine of its own, until ctx is done or accepting fails.
func (s *Server) accept(ctx context.Context, conns *sync.WaitGroup) error {
	greet := func(c *conn, m *carrier.Message, packed []byte, held int) { s.greet(ctx, c, m, packed, held) }
	for {
		nc, err := s.listener.Accept()
		if ctx.Err() != nil || s.below != nil && errors.Is(err, net.ErrClosed) {
			if err == nil {
				_ = nc.Close() // it is too late
			}
			return nil // the listener was closed because of that, or the error comes from below
		}
		if err != nil {
			return fmt.Errorf("tcp: no client can be accepted any more: %w", err)
		}
		c := s.meet(listen.Plain(nc), greet)
		conns.Go(func() { s.serve(c) })
	}
}

// meet returns the connection, which counts from now on.
func (s *Server) meet(nc listen.Conn, greet func(*conn, *carrier.Message, []byte, int)) *conn {
	c := newConn(s.peers, nc, nc.Peer().Addr, &s.options.Limits)
	c.greet, c.accepted = greet, true
	c.charge(s.options.Budget.Open(nc.Peer().Place))
	s.mu.Lock()
	defer s.mu.Unlock()
	s.open[c] = struct{}{}
	return c
}

func (s *Server) serve(c *conn) {
	_ = c.run() // the handler was told the cause
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.open, c)
}

// all returns the connections.
func (s *Server) all() []*conn {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Collect(maps.Keys(s.open))
}

// Transmit implements [carrier.Carrier]. The window is also full while [Limits].MaxPending bytes wait to be written.
func (s *Server) Transmit(ctx context.Context, id carrier.ClientID, m *carrier.Message, done func(carrier.Reply, error)) error {
	return s.peers.transmit(ctx, id, m, done)
}

// TryTransmit implements [carrier.Trier].
func (s *Server) TryTransmit(id carrier.ClientID, m *carrier.Message, done func(carrier.Reply, error)) (ok bool, err error) {
	return s.peers.tryTransmit(id, m, done)
}

// Disconnect implements [carrier.Disconnecter]. What is pending is still written, for at most a second or so.
func (s *Server) Disconnect(id carrier.ClientID, cause error) { s.peers.disconnect(id, cause) }

// Connections returns how many connections are open, those included that have not said anything.
func (s *Server) Connections() int {
	if s.below != nil {
		open, _ := s.below.Connections()
		return open
	}
	return len(s.all())
}

// Refused returns what was refused of strangers so far, which never became clients, by cause.
func (s *Server) Refused() map[string]uint64 { return s.withBelow(s.peers.strangers.Counts()) }

// Stats returns the counts so far.
func (s *Server) Stats() Stats {
	stats := s.peers.stats()
	stats.Refused = s.withBelow(stats.Refused)
	return stats
}

// withBelow adds what was refused before anything came here.
func (s *Server) withBelow(counts map[string]uint64) map[string]uint64 {
	if s.below == nil {
		return counts
	}
	for cause, n := range s.below.Refused() {
		if counts == nil {
			counts = make(map[string]uint64)
		}
		counts[cause] += n
	}
	return counts
}
