package steady

import (
	"context"
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

	// record is the most that is encrypted at a time (RFC 8446, 5.1).
	record = 16 << 10

	// maxRest is how much of what was encrypted may wait while nobody may wait for the peer to take it: a record and its frame, and
	// what TLS says by itself, which a peer can ask for without end.
	maxRest = 2 * record

	// keepRest is how much room for it is kept.
	keepRest = 1 << 10
)

var errUnread = errors.New("steady: the peer does not read what it asks for")

// A TLS is a connection over TLS. After a write of it has timed out, nothing more can be written, because a record may have
// gone out in part. So what is taken of a write is noticed below TLS, where it goes on.
type TLS struct {
	*tls.Conn
	below *below
}

// NewTLS returns what over makes of nc: tls.Server or tls.Client, with a configuration. socket is what is below nc, or nc.
func NewTLS(nc, socket net.Conn, over func(net.Conn) *tls.Conn) *TLS {
	b := &below{Conn: nc, socket: socket, try: Try(socket), waits: true, idle: usualIdle}
	return &TLS{over(b), b}
}

// Below returns the socket that TLS is over.
func (t *TLS) Below() net.Conn { return t.below.socket }

// Handshake waits until both ends have said what they have to.
func (t *TLS) Handshake() error { return t.HandshakeContext(context.Background()) }

// HandshakeContext is Handshake, until ctx is done.
func (t *TLS) HandshakeContext(ctx context.Context) error {
	err := t.Conn.HandshakeContext(ctx)
	if err == nil {
		t.below.mayWait(false)
	}
	return err
}

// WriteWithin writes b as [Write] does, and before it what TryWrite has left. After an error nothing more can be written.
func (t *TLS) WriteWithin(b []byte, idle time.Duration, end time.Time) error {
	t.below.within(idle, end)
	_, err := t.Write(b)
	if err == nil {
		err = t.below.flush()
	}
	t.below.within(idle, time.Time{})
	return err
}

// TryWrite writes what the system takes of b without waiting: n bytes. all reports whether nothing is left to be sent, neither of b
// nor of what the n bytes were encrypted to. If something is, WriteWithin must follow, with the rest of b, which may be nothing. No
// other write may go on meanwhile.
func (t *TLS) TryWrite(b []byte) (n int, all bool, err error) {
	t.below.trying(true)
	defer t.below.trying(false)
	for n < len(b) && t.below.ready() {
		k, err := t.Write(b[n:min(len(b), n+record)])
		n += k
		if err != nil {
			return n, false, err
		}
	}
	return n, n == len(b) && t.below.ready(), nil
}

// CloseWrite says that nothing more follows, and ends the connection in this direction.
func (t *TLS) CloseWrite() error {
	t.below.mayWait(true)
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
	socket net.Conn
	try    func([]byte) (int, error) // nil: not available, so each write may wait

	writing sync.Mutex // held by whoever writes; before mu
	rest    []byte     // what was to be written, and was not taken; under both

	mu      sync.Mutex
	waits   bool // a write waits until all is taken; otherwise what is not taken is kept
	tries   bool // no write waits, whatever waits says
	idle    time.Duration
	end     time.Time // of the write that is going on; zero: usual
	failed  error     // of a write
	closing time.Time // by when everything has to be written; zero: it goes on
}

// mayWait says whether a write waits until all is taken. Once the connection closes, it does.
func (b *below) mayWait(waits bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.waits = waits || b.try == nil || !b.closing.IsZero()
}

// trying says whether no write may wait.
func (b *below) trying(tries bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.tries = tries && b.try != nil
}

// ready reports whether something can be written without waiting, because nothing is left of what was written before.
func (b *below) ready() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.tries && len(b.rest) == 0
}

func (b *below) within(idle time.Duration, end time.Time) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.idle, b.end = idle, end
	b.waits = !end.IsZero() || b.try == nil || !b.closing.IsZero()
}

// close bounds what is still written, also what is being written.
func (b *below) close() {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.closing.IsZero() {
		b.waits, b.closing = true, time.Now().Add(closeTime)
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

// Write implements [net.Conn]. Only one write goes on at a time: TLS sees to that.
func (b *below) Write(p []byte) (n int, err error) {
	b.writing.Lock()
	defer b.writing.Unlock()
	if waited, err := b.wait(p); err != nil {
		return 0, err
	} else if waited {
		return len(p), nil
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(b.rest) == 0 {
		if n, err = b.try(p); err != nil {
			b.failed = err
			return n, err
		}
	}
	if b.rest = append(b.rest, p[n:]...); len(b.rest) > maxRest {
		b.failed = errUnread
	}
	return len(p), b.failed
}

// flush waits until what is left has been taken.
func (b *below) flush() error {
	b.writing.Lock()
	defer b.writing.Unlock()
	_, err := b.wait(nil)
	return err
}

// wait writes what is left and p, and waits until all is taken. If it may not wait, it does nothing, and returns false.
func (b *below) wait(p []byte) (waited bool, err error) {
	b.mu.Lock()
	rest, waits, err := b.rest, b.waits && !b.tries, b.failed
	b.mu.Unlock()
	if err != nil || !waits {
		return false, err
	}
	begun := time.Now()
	due := func() (by time.Time, last bool) { return b.due(begun) }
	if _, err = write(b.Conn, rest, due); err == nil {
		_, err = write(b.Conn, p, due)
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.failed = err
	if b.rest = rest[:0]; cap(rest) > keepRest {
		b.rest = nil
	}
	return true, err
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
