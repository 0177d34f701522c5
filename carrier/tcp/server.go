package tcp

import (
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"sync"
	"syscall"

	"sighub/carrier"
	"sighub/carrier/tcp/internal/socketfile"
	"sighub/internal/lockrank"
)

// A Server is the hub's end: any number of clients connect to it. It is a [carrier.Carrier].
type Server struct {
	peers    *peers
	options  Options
	listener net.Listener
	addr     string
	door     *door
}

// Listen listens at addr: "tcp://HOST:PORT", "HOST:PORT" or "unix:///PATH". Port 0 takes a free one. A socket file that is left
// from a program that has ended is replaced. Serve removes its own when it ends, unless it is another program's by then.
func Listen(addr string, o Options) (*Server, error) {
	network, where, err := parseAddr(addr)
	if err != nil {
		return nil, err
	}
	var l net.Listener
	if network == "unix" {
		l, err = socketfile.Listen(where, o.SocketMode, o.SocketGroup)
	} else {
		config := net.ListenConfig{KeepAliveConfig: keepAlive}
		l, err = config.Listen(context.Background(), network, where)
	}
	if err != nil {
		return nil, fmt.Errorf("tcp: cannot listen at %s: %w: %s", addr, err, listenHint(network, err))
	}
	s := newServer(o)
	s.listener = l
	s.addr = network + "://" + l.Addr().String()
	return s, nil
}

func newServer(o Options) *Server {
	o = o.withDefaults()
	return &Server{
		peers:   &peers{log: o.Logger},
		options: o,
		door:    newDoor(o.MaxClients, o.MaxPerAddress),
	}
}

// Addr returns the address listened at, with the port that was taken: "tcp://127.0.0.1:3000".
func (s *Server) Addr() string { return s.addr }

// Close closes a Server that is not going to be served.
func (s *Server) Close() error { return s.listener.Close() }

// Serve implements [carrier.Carrier]. A client is connected once its first message has been read. When ctx is
// done, what is pending is written to the clients, for at most a second or so.
func (s *Server) Serve(ctx context.Context, h carrier.Handler) error {
	s.peers.serve(h)
	var watch, conns sync.WaitGroup
	accepting, stop := context.WithCancel(ctx)
	watch.Go(func() {
		<-accepting.Done()
		_ = s.listener.Close() // ends accept, which reports any error
	})
	err := s.accept(ctx, &conns)
	stop()
	watch.Wait()

	why := carrier.ErrShutdown
	if err != nil {
		why = fmt.Errorf("%w: %w", carrier.ErrUnplugged, err)
	}
	for _, c := range s.door.all() {
		c.fail(why)
	}
	conns.Wait()
	lockrank.MustBeFree("a handler is called")
	h.AllClientsDisconnected(why)
	return err
}

// accept serves each connection on a goroutine of its own, until ctx is done or listening fails.
func (s *Server) accept(ctx context.Context, conns *sync.WaitGroup) error {
	var pause carrier.Backoff
	for ctx.Err() == nil {
		nc, err := s.listener.Accept()
		switch {
		case err == nil:
			pause.Reset()
			if c := s.admit(nc); c != nil {
				conns.Go(func() { s.serve(c) })
			}
		case ctx.Err() != nil: // the listener was closed because of that
		case passing(err):
			s.peers.log.Warn("a client cannot be accepted", "address", s.addr, "error", err)
			_ = pause.Wait(ctx) // it fails when ctx is done, which ends the loop
		default:
			return fmt.Errorf("tcp: cannot listen at %s any more: %w", s.addr, err)
		}
	}
	return nil
}

// passing reports whether accepting may work again later.
func passing(err error) bool {
	return slices.ContainsFunc([]error{
		syscall.EMFILE, syscall.ENFILE, syscall.ENOBUFS, syscall.ENOMEM, syscall.ECONNABORTED, syscall.EINTR,
	}, func(e error) bool { return errors.Is(err, e) })
}

// admit returns the connection, or nil if it was closed because there are too many.
func (s *Server) admit(nc net.Conn) *conn {
	at, local := placeOf(nc)
	c := newConn(s.peers, nc, peerAddr(nc, s.addr), s.options.Limits)
	c.greet, c.door, c.place = s.greet, s.door, at
	silent, again, err := s.door.admit(c, local)
	if silent != nil {
		silent.fail(errMadeWay)
	}
	if err == nil {
		c.charge(s.options.Budget.Open(at))
		return c
	}
	_ = nc.Close() // which dialect it speaks is not known, so it cannot be told
	c.count(carrier.Cause(err))
	if !again { // logged once, not for each of many
		s.peers.log.Warn("connection closed: there are as many clients as there may be", "client", c.addr, "error", err)
	}
	return nil
}

func (s *Server) serve(c *conn) {
	_ = c.run() // the handler was told the cause
	s.door.leave(c)
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
func (s *Server) Connections() int { return s.door.count() }

// Refused returns what was refused of strangers so far, which never became clients, by cause.
func (s *Server) Refused() map[string]uint64 { return s.peers.strangers.Counts() }

// Stats returns the counts so far.
func (s *Server) Stats() Stats { return s.peers.stats() }
