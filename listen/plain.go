package listen

import (
	"net"
	"syscall"
	"time"

	"sighub/internal/steady"
)

// Plain returns a Conn over a connection that no [Server] has accepted: one that was dialed, or that another listener has. No
// bounds hold for it, so Admit does nothing.
func Plain(nc net.Conn) Conn {
	if c, ok := nc.(Conn); ok {
		return c
	}
	p := &plain{Conn: nc, peer: peerOf(nc, addrOf(nc.LocalAddr()))}
	p.socket = nc
	if over, ok := nc.(*steady.TLS); ok {
		p.tls, p.socket = over, over.Below()
	} else {
		p.raw, _ = nc.(syscall.Conn)
		p.try = steady.Try(nc)
	}
	return p
}

type plain struct {
	net.Conn
	peer Peer
	tls  *steady.TLS
	raw  syscall.Conn
	try  func([]byte) (int, error) // at the socket; nil: not available

	socket net.Conn // below TLS
}

func (p *plain) Peer() Peer        { return p.peer }
func (p *plain) Raw() syscall.Conn { return p.raw }
func (p *plain) CloseWrite() error { return closeWrite(p.Conn) }
func (p *plain) Admit() error      { return nil }
func (p *plain) Abort()            { abort(p.socket) }

func (p *plain) Unacknowledged() bool { return unacknowledged(p.socket) }

func (p *plain) KeepAlive(idle net.KeepAliveConfig, sent time.Duration) bool {
	return watch(p.socket, idle, sent)
}

func (p *plain) TryWrite(b []byte) (n int, all bool, err error) {
	if p.tls != nil {
		return p.tls.TryWrite(b)
	}
	return tryWrite(p.try, b)
}

func (p *plain) WriteWithin(b []byte, idle time.Duration, end time.Time) error {
	if p.tls != nil {
		return p.tls.WriteWithin(b, idle, end)
	}
	_, err := steady.Write(p.Conn, b, idle, end)
	return err
}
