package listen

import (
	"container/list"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"sync/atomic"
	"syscall"
	"time"

	"sighub/internal/steady"
)

// A Peer is who is at the other end of a connection, as far as the connection tells.
type Peer struct {
	// Addr is where the other end is, for people to read: "tcp://192.0.2.7:50000", "tls://192.0.2.7:50000". The clients of a
	// Unix socket have no addresses of their own: it is the socket's.
	Addr string

	// Place is what may be one client with many connections: an IPv4 address, an IPv6 network of 64 bits, which is what one
	// household or machine has, a user of this machine, or all of this machine.
	Place string

	// IP is the address of the other end, without a zone. It is not valid for a Unix socket.
	IP netip.Addr

	// Local is set for a Unix socket and for loopback: the other end is on this machine.
	Local bool

	// Secure is set for a Unix socket, for loopback and over TLS: nobody in between hears what is said, so secrets may be.
	Secure bool

	// Unix is set for a Unix socket. UID is the user at its other end, and Groups are those that the user's program is a
	// member of. UID is -1 if that is not known, as in a container whose users the system cannot tell.
	Unix   bool
	UID    int
	Groups []int

	// KeyHash is the SHA-256 of the client's public key (its SubjectPublicKeyInfo), if the client has shown one: then it has
	// proven that it has the private key. Whose key it is, is not known here. All zeros: none.
	KeyHash [32]byte

	// OwnKey is the SHA-256 of the public key that this end has shown. All zeros: none.
	OwnKey [32]byte

	// ByAddress is set if the listener takes an address for an identity: see [Address].
	ByAddress bool

	// ALPN is the protocol that was agreed on in TLS; empty if none was.
	ALPN string
}

// A Conn is a connection to somebody who is a stranger until Admit is called. [Server] makes them, and [Plain] makes one of any
// connection.
type Conn interface {
	net.Conn

	// Peer returns who is at the other end.
	Peer() Peer

	// Raw returns the socket, for what a net.Conn cannot do; nil if there is none, or if TLS is above it, because what is
	// written to the socket would be clear text then. While the peer is a stranger, reading from the socket would pass by
	// the bounds, and miss what was read already.
	Raw() syscall.Conn

	// WriteWithin writes b. Something of it must be taken within each idle, and all of it until end: else the error wraps
	// [os.ErrDeadlineExceeded], and nothing more can be written.
	WriteWithin(b []byte, idle time.Duration, end time.Time) error

	// TryWrite writes what the system takes of b without waiting: n bytes. all reports whether nothing is left to be sent, neither of
	// b nor of what TLS made of it. If something is, WriteWithin must follow, with the rest of b, which may be nothing. Where no system
	// can be asked, nothing is taken. No other write may go on meanwhile.
	TryWrite(b []byte) (n int, all bool, err error)

	// CloseWrite says that nothing more follows.
	CloseWrite() error

	// KeepAlive says how the system finds that the other end has vanished: while nothing is sent, and after which time without
	// an acknowledgement of what was sent (TCP_USER_TIMEOUT, where there is one; 0: the system's). It reports false where the
	// system knows at once, as on a Unix socket.
	KeepAlive(idle net.KeepAliveConfig, sent time.Duration) bool

	// Unacknowledged reports whether the other end's system has not acknowledged all that was written or, on a Unix socket, the other
	// end has not read all of it. It reports false where that is not known.
	Unacknowledged() bool

	// Admit records that the peer is no stranger any more, so the bounds for strangers end. The deadline of reading, which is
	// when a stranger's time is over, stays until the caller sets another. In an error, which wraps [ErrMadeWay] or
	// [ErrLate], the connection was closed meanwhile.
	Admit() error

	// Abort closes the connection at once: nothing that waits to be sent is sent.
	Abort()
}

// What a [Server] ends connections for.
var (
	// ErrFull is the error of a connection for which there was no room.
	ErrFull = errors.New("listen: there are as many connections as there may be")

	// ErrMadeWay is the error of a stranger whose place others needed.
	ErrMadeWay = errors.New("listen: others needed the place of a stranger")

	// ErrLate is the error of a stranger that was not admitted in time.
	ErrLate = errors.New("listen: the time of a stranger is over")

	// ErrTooMuch is the error of a stranger that has said too much.
	ErrTooMuch = errors.New("listen: a stranger has said more than it may")
)

// A conn is a connection of a [Server].
type conn struct {
	net.Conn // what its protocol reads and writes: a peeker over what is below, or over TLS
	socket   net.Conn
	try      func([]byte) (int, error) // at the socket; nil: not available
	tls      *steady.TLS               // nil in clear text
	server   *Server
	socketAt *socket
	peer     Peer

	heard    atomic.Int64 // bytes, while it is a stranger
	admitted atomic.Bool
	met      atomic.Bool // a protocol has it
	why      atomic.Pointer[error]
	closed   atomic.Bool

	waiting *list.Element // under the door's lock: its place among the strangers
	by      time.Time     // the same: when its time as a stranger is over
	patient bool          // the same: that time has not begun
}

// Peer implements [Conn].
func (c *conn) Peer() Peer { return c.peer }

// Raw implements [Conn].
func (c *conn) Raw() syscall.Conn {
	if c.tls != nil {
		return nil
	}
	raw, _ := c.socket.(syscall.Conn)
	return raw
}

// WriteWithin implements [Conn].
func (c *conn) WriteWithin(b []byte, idle time.Duration, end time.Time) error {
	if c.tls != nil {
		return c.tls.WriteWithin(b, idle, end)
	}
	_, err := steady.Write(c.socket, b, idle, end)
	return err
}

// TryWrite implements [Conn].
func (c *conn) TryWrite(b []byte) (n int, all bool, err error) {
	if c.tls != nil {
		return c.tls.TryWrite(b)
	}
	return tryWrite(c.try, b)
}

func tryWrite(try func([]byte) (int, error), b []byte) (n int, all bool, err error) {
	if try == nil {
		return 0, false, nil
	}
	n, err = try(b)
	return n, n == len(b) && err == nil, err
}

// Write implements [net.Conn].
func (c *conn) Write(b []byte) (int, error) {
	if c.tls != nil {
		return c.tls.Write(b)
	}
	return c.socket.Write(b)
}

// Read implements [net.Conn]. The byte that decided the protocol comes first.
func (c *conn) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	if err != nil {
		err = c.because(err)
	}
	return n, err
}

// because returns why the server ended the connection, or else err.
func (c *conn) because(err error) error {
	if why := c.why.Load(); why != nil {
		return *why
	}
	return err
}

// CloseWrite implements [Conn].
func (c *conn) CloseWrite() error {
	if c.tls != nil {
		return c.tls.CloseWrite()
	}
	return closeWrite(c.socket)
}

// KeepAlive implements [Conn].
func (c *conn) KeepAlive(idle net.KeepAliveConfig, sent time.Duration) bool {
	return watch(c.socket, idle, sent)
}

// Unacknowledged implements [Conn].
func (c *conn) Unacknowledged() bool { return unacknowledged(c.socket) }

func watch(nc net.Conn, idle net.KeepAliveConfig, sent time.Duration) bool {
	tc, ok := nc.(*net.TCPConn)
	if ok {
		setUserTimeout(tc, sent)
		_ = tc.SetKeepAliveConfig(idle) // fails only when the connection is closed
	}
	return ok
}

func closeWrite(nc net.Conn) error {
	if half, ok := nc.(interface{ CloseWrite() error }); ok {
		return half.CloseWrite()
	}
	return errors.ErrUnsupported
}

// Admit implements [Conn].
func (c *conn) Admit() error {
	if !c.server.door.known(c) {
		return c.because(net.ErrClosed)
	}
	c.admitted.Store(true)
	return nil
}

// Close implements [net.Conn].
func (c *conn) Close() error {
	c.server.door.leave(c)
	if c.closed.Swap(true) {
		return nil
	}
	if c.tls != nil {
		return c.tls.Close()
	}
	return c.socket.Close()
}

// Abort implements [Conn].
func (c *conn) Abort() {
	c.server.door.leave(c)
	abort(c.socket)
}

func abort(nc net.Conn) {
	if t, ok := nc.(interface{ SetLinger(sec int) error }); ok {
		_ = t.SetLinger(0) // it fails only when it is closed already
	}
	_ = nc.Close() // nobody is left to be told
}

// end closes the connection of a stranger that was evicted.
func (c *conn) end() { _ = c.socket.Close() } // it may be closed already

// A bounded is what is below everything else of a conn. It bounds what is read from a stranger.
type bounded struct {
	net.Conn
	c *conn
}

// Read implements [net.Conn].
func (b bounded) Read(p []byte) (n int, err error) {
	if !b.c.admitted.Load() && b.c.bounds() {
		left := int64(b.c.server.options.StrangerBytes) - b.c.heard.Load()
		if left <= 0 {
			return 0, fmt.Errorf("%w: %d bytes", ErrTooMuch, b.c.heard.Load())
		}
		p = p[:min(int64(len(p)), left)]
		defer func() { b.c.heard.Add(int64(n)) }()
	}
	return b.Conn.Read(p)
}

// bounds reports whether what is read from it while it is a stranger is bounded.
func (c *conn) bounds() bool { return !c.peer.Local || c.server.options.Strict }

// CloseWrite says that nothing more follows.
func (b bounded) CloseWrite() error { return closeWrite(b.Conn) }

// A peeker is a connection whose first byte can be looked at.
type peeker struct {
	net.Conn
	first [1]byte
	has   bool
}

// peek returns the first byte.
func (p *peeker) peek() (byte, error) {
	for !p.has {
		n, err := p.Conn.Read(p.first[:])
		if p.has = n > 0; !p.has && err != nil {
			return 0, err
		}
	}
	return p.first[0], nil
}

// Read implements [net.Conn].
func (p *peeker) Read(b []byte) (int, error) {
	if p.has && len(b) > 0 {
		p.has = false
		return copy(b, p.first[:]), nil
	}
	return p.Conn.Read(b)
}
