package listen

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net"
	"slices"
	"sync"
	"syscall"
	"time"

	"sighub/internal/lockrank"
	"sighub/internal/steady"
)

// A Server listens at its addresses, and hands connections on to protocols.
type Server struct {
	options Options
	door    *door
	sockets []*socket
	queues  []*queue
	done    chan struct{} // closed when nothing is handed on any more
	finish  func()        // closes it, once
	meeting sync.WaitGroup

	mu      lockrank.Mutex[lockrank.Leaf]
	refused map[string]uint64
}

// A socket is one of a Server's that listens.
type socket struct {
	net.Listener
	addr    string
	address Address
}

// A Protocol is what some clients speak.
type Protocol struct {
	// Name is what the protocol is called in [Address].Speaks.
	Name string

	// ALPN is its name in TLS. A client that names it there must speak it, and one that names another must not.
	ALPN string

	// Certificates is set if a client that names the protocol in TLS is asked for a certificate. It need not have one, and any
	// is taken: see [Peer].KeyHash.
	Certificates bool

	// Begins reports whether a client that says this byte first speaks the protocol.
	Begins func(first byte) bool
}

// Open listens at all addresses, or at none.
func Open(o Options) (*Server, error) {
	o = o.withDefaults()
	for _, a := range o.Addresses {
		if a.TLS == Required && o.Certificate == nil {
			return nil, fmt.Errorf("listen: %s takes TLS only, and there is no certificate: give one, or a folder where one can be kept", a.At)
		}
	}
	s := &Server{options: o, door: newDoor(o), done: make(chan struct{})}
	s.finish = sync.OnceFunc(func() { close(s.done) })
	for _, a := range o.Addresses {
		l, err := a.open()
		if err != nil {
			return nil, errors.Join(err, s.Close())
		}
		s.sockets = append(s.sockets, &socket{l, addrOf(l.Addr()), a})
	}
	for _, l := range o.Listeners {
		s.sockets = append(s.sockets, &socket{Listener: l, addr: addrOf(l.Addr())})
	}
	return s, nil
}

// Addrs returns the addresses listened at, with the ports that were taken: "tcp://127.0.0.1:3000".
func (s *Server) Addrs() (list []string) {
	for _, l := range s.sockets {
		list = append(list, l.addr)
	}
	return list
}

// Protocol returns a listener that accepts the connections of those who speak one of these protocols: each is a [Conn]. It must
// be called before Serve. Accept ends with [net.ErrClosed] when Serve ends, or when the listener was closed.
func (s *Server) Protocol(p ...Protocol) net.Listener {
	q := &queue{server: s, protocols: p, conns: make(chan *conn), closed: make(chan struct{})}
	q.end = sync.OnceFunc(func() { close(q.closed) })
	s.queues = append(s.queues, q)
	return q
}

// Close closes the sockets of a Server. One that is served ends with an error then.
func (s *Server) Close() (err error) {
	for _, l := range s.sockets {
		err = errors.Join(err, l.Close())
	}
	return err
}

// lookAround is how often it is looked for strangers whose time is over, while there are any, and strangerGrace is how much longer than its time a
// stranger stays while its protocol tells it so.
const (
	lookAround    = time.Second
	strangerGrace = 2 * time.Second
)

// Serve accepts connections until ctx is done, or until a socket fails, which is an error. Then it closes the sockets, and the
// connections that it has not handed on.
func (s *Server) Serve(ctx context.Context) error {
	ctx, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	var work sync.WaitGroup
	for _, l := range s.sockets {
		work.Go(func() {
			if err := s.accept(ctx, l); err != nil {
				stop(err)
			}
		})
	}
	if s.options.Certificate != nil {
		work.Go(func() { s.options.Certificate.Keep(ctx) })
	}
	for ctx.Err() == nil {
		select {
		case <-ctx.Done():
		case <-s.door.knocked:
			s.endOverdue(ctx)
		}
	}
	why := context.Cause(ctx)
	_ = s.Close() // ends accepting, which reports any error
	work.Wait()
	s.finish()
	for _, c := range s.door.unmet() {
		c.Abort()
	}
	s.meeting.Wait()
	if _, failed := errors.AsType[*socketError](why); failed {
		return why
	}
	return nil
}

// endOverdue ends strangers when their time is over, until the last one has gone or ctx is done.
func (s *Server) endOverdue(ctx context.Context) {
	tick := time.NewTicker(lookAround)
	defer tick.Stop()
	for more := true; more; {
		select {
		case <-ctx.Done():
			return
		case now := <-tick.C:
			var late []*conn
			late, more = s.door.overdue(now.Add(-strangerGrace))
			for _, c := range late {
				c.end()
				s.count("timeout")
			}
		}
	}
}

// A socketError is the error of a socket that has failed.
type socketError struct {
	addr string
	err  error
}

func (e *socketError) Error() string {
	return fmt.Sprintf("listen: cannot listen at %s any more: %s", e.addr, e.err)
}
func (e *socketError) Unwrap() error { return e.err }

// Pauses before accepting is tried again.
const (
	shortestPause = 5 * time.Millisecond
	longestPause  = time.Second
)

// accept meets each that connects, on a goroutine of its own, until ctx is done or the socket fails.
func (s *Server) accept(ctx context.Context, l *socket) error {
	pause := shortestPause
	for ctx.Err() == nil {
		nc, err := l.Accept()
		switch {
		case err == nil:
			pause = shortestPause
			s.admit(nc, l)
		case ctx.Err() != nil: // the socket was closed because of that
		case passing(err):
			s.options.Logger.Warn("a client cannot be accepted", "address", l.addr, "error", err)
			select {
			case <-time.After(pause):
			case <-ctx.Done():
			}
			pause = min(2*pause, longestPause)
		default:
			return &socketError{l.addr, err}
		}
	}
	return nil
}

// passing reports whether accepting may work again later: there is no room at the moment, or something is wrong with one connection,
// or with its network, which Linux tells in this way (accept(2)).
func passing(err error) bool {
	return slices.ContainsFunc([]error{
		syscall.EMFILE, syscall.ENFILE, syscall.ENOBUFS, syscall.ENOMEM, syscall.ECONNABORTED, syscall.EINTR, syscall.ECONNRESET, syscall.EPERM,
		syscall.EPROTO, syscall.ENOPROTOOPT, syscall.ENETDOWN, syscall.EHOSTDOWN, syscall.EHOSTUNREACH, syscall.ENETUNREACH, syscall.ETIMEDOUT,
	}, func(e error) bool { return errors.Is(err, e) })
}

// admit begins to meet a stranger, unless there are too many.
func (s *Server) admit(nc net.Conn, l *socket) {
	c := &conn{socket: nc, server: s, socketAt: l, peer: peerOf(nc, l.addr), by: time.Now().Add(s.options.StrangerTime)}
	c.peer.ByAddress, c.patient = l.address.ByAddress, l.address.ByAddress
	c.try = steady.Try(nc)
	out, again, err := s.door.admit(c)
	if out != nil {
		out.end()
		s.count("limit")
	}
	if err != nil {
		_ = nc.Close() // which protocol it speaks is not known, so it cannot be told
		s.count("limit")
		if !again { // logged once, not for each of many
			s.options.Logger.Warn("connection closed: there are as many clients as there may be", "client", c.peer.Addr, "error", err)
		}
		return
	}
	setUserTimeout(nc, s.options.WriteTimeout)
	if !c.peer.ByAddress {
		_ = nc.SetReadDeadline(c.by) // fails only when it is closed already
	}
	s.meeting.Go(func() { s.meet(c) })
}

// hurry begins the time of a stranger that could be patient.
func (c *conn) hurry() {
	by := time.Now().Add(c.server.options.StrangerTime)
	c.server.door.begin(c, by)
	_ = c.socket.SetReadDeadline(by) // fails only when it is closed already
}

// count counts a connection that was refused, or that was ended while it was a stranger's.
func (s *Server) count(cause string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.refused == nil {
		s.refused = make(map[string]uint64)
	}
	s.refused[cause]++
}

// Refused returns how many connections were refused, or were ended here while they were strangers', by cause: "limit" for those
// that were too many or made way for others, "timeout" for those that were late, "size" for those that said too much before
// they were admitted, "stranger" for those that speak what nobody speaks here, "tls" for those whose
// TLS failed, or who spoke clear text where they must not.
func (s *Server) Refused() map[string]uint64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return maps.Clone(s.refused)
}

// Connections returns how many connections are open, and how many of them are strangers'.
func (s *Server) Connections() (open, strangers int) { return s.door.count() }

// A queue is the listener of a protocol.
type queue struct {
	server    *Server
	protocols []Protocol
	conns     chan *conn
	closed    chan struct{}
	end       func()
}

// Accept implements [net.Listener].
func (q *queue) Accept() (net.Conn, error) {
	select {
	case c := <-q.conns:
		return c, nil
	case <-q.closed:
	case <-q.server.done:
	}
	return nil, net.ErrClosed
}

// put hands a connection on, and reports whether it was taken.
func (q *queue) put(c *conn) bool {
	c.met.Store(true)
	select {
	case q.conns <- c:
		return true
	case <-q.closed:
	case <-q.server.done:
	}
	return false
}

// Close implements [net.Listener].
func (q *queue) Close() error {
	q.end()
	return nil
}

// Addr implements [net.Listener]. It is the first address of the Server.
func (q *queue) Addr() net.Addr {
	if len(q.server.sockets) == 0 {
		return &net.TCPAddr{}
	}
	return q.server.sockets[0].Addr()
}
