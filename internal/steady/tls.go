package steady

import (
	"crypto/tls"
	"errors"
	"net"
	"sync"
	"time"
)

const (
	// usualIdle is the time in which something must be taken of what TLS writes by itself, and usualRounds of these times are
	// for all of it: otherwise, a peer that asks for new keys and does not read would hold up who reads from it.
	usualIdle   = 10 * time.Second
	usualRounds = 4

	// closeTime bounds how long closing waits for the peer to take the word that nothing more follows.
	closeTime = time.Second
)

// A TLS is a connection over TLS. After a write of it has timed out, nothing more can be written, because a record may have
// gone out in part. So what is taken of a write is noticed below TLS, where it goes on.
type TLS struct {
	*tls.Conn
	below *below
}

// NewTLS returns what over makes of nc: tls.Server or tls.Client, with a configuration.
func NewTLS(nc net.Conn, over func(net.Conn) *tls.Conn) *TLS {
	b := &below{Conn: nc, idle: usualIdle}
	return &TLS{over(b), b}
}

// Below returns the connection that TLS is over.
func (t *TLS) Below() net.Conn { return t.below.Conn }

// WriteWithin writes b as [Write] does. After an error nothing more can be written.
func (t *TLS) WriteWithin(b []byte, idle time.Duration, end time.Time) error {
	t.below.within(idle, end)
	_, err := t.Write(b)
	t.below.within(idle, time.Time{})
	return err
}

// CloseWrite says that nothing more follows, and ends the connection in this direction.
func (t *TLS) CloseWrite() error {
	if err := t.Conn.CloseWrite(); err != nil {
		return err
	}
	if half, ok := t.below.Conn.(interface{ CloseWrite() error }); ok {
		return half.CloseWrite()
	}
	return errors.ErrUnsupported
}

// Close says that nothing more follows, if the peer takes that soon, and closes the connection.
func (t *TLS) Close() error {
	t.below.close()
	return t.Conn.Close()
}

// below is the connection below TLS. TLS itself sets deadlines for what it writes when it ends; these can only be earlier than
// those here.
type below struct {
	net.Conn

	mu      sync.Mutex
	idle    time.Duration
	end     time.Time // of the write that is going on; zero: usual
	failed  error     // of a write
	closing time.Time // by when everything has to be written; zero: it goes on
}

func (b *below) within(idle time.Duration, end time.Time) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.idle, b.end = idle, end
}

// close bounds what is still written, also what is being written.
func (b *below) close() {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.closing.IsZero() {
		b.closing = time.Now().Add(closeTime)
		_ = b.Conn.SetWriteDeadline(b.closing) // fails only when it is closed already
	}
}

// SetWriteDeadline implements [net.Conn]. It says by when the writes that follow must have ended; zero: as is usual.
func (b *below) SetWriteDeadline(by time.Time) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.end = by
	if by.IsZero() || !b.closing.IsZero() && b.closing.Before(by) {
		return nil
	}
	return b.Conn.SetWriteDeadline(by)
}

// SetDeadline implements [net.Conn].
func (b *below) SetDeadline(by time.Time) error {
	return errors.Join(b.Conn.SetReadDeadline(by), b.SetWriteDeadline(by))
}

// Write implements [net.Conn].
func (b *below) Write(p []byte) (n int, err error) {
	b.mu.Lock()
	err = b.failed
	b.mu.Unlock()
	if err != nil {
		return 0, err
	}
	begun := time.Now()
	n, err = write(b.Conn, p, func() (by time.Time, last bool) { return b.due(begun) })
	if err != nil {
		b.mu.Lock()
		b.failed = err
		b.mu.Unlock()
	}
	return n, err
}

// due returns by when something must be taken of a write, and whether that is the last time.
func (b *below) due(begun time.Time) (by time.Time, last bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	end := b.end
	if end.IsZero() {
		end = begun.Add(usualRounds * b.idle)
	}
	if !b.closing.IsZero() && b.closing.Before(end) {
		end = b.closing
	}
	if by = time.Now().Add(b.idle); by.Before(end) {
		return by, false
	}
	return end, true
}
