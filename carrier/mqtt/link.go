package mqtt

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"sync/atomic"
	"syscall"
	"time"

	"sighub/carrier"
	"sighub/internal/lockrank"
	"sighub/internal/mqtt/packet"
	"sighub/internal/plain"
	"sighub/listen"
)

const (
	firstRead  = 512 // bytes of the buffer for a stranger
	smallRead  = 4 << 10
	largeRead  = 64 << 10 // while small ones are filled
	slowReads  = 64       // small reads after which it is small again
	maxConnect = 64 << 10 // bytes of a CONNECT

	flushTime  = time.Second            // for what is pending when a connection ends
	lingerTime = 200 * time.Millisecond // for the client to read it
)

// A link is one connection. One goroutine reads from it, and makes every call of its session for what it reads.
type link struct {
	server  *Server
	nc      listen.Conn
	addr    string
	account *carrier.Account
	session *session  // nil until the CONNECT is accepted
	proven  time.Time // see carrier.Client
	named   string    // its Session

	version    byte
	receiveMax int           // signals that the client takes unacknowledged
	maxPacket  int           // bytes that the client takes
	keepAlive  time.Duration // after which a silent client has gone; 0: never
	expiry     time.Duration // how long the session is kept
	will       *will
	problems   bool // the client wants to know reasons in words
	welcome    bool // its CONNACK is written, or about to be

	buf     []byte // what was read and not handled
	charged int    // bytes of its capacity in the account
	slow    int    // how often little was read since it was large

	deadline time.Time // of reading; zero: none
	begun    time.Time // when what is incomplete was begun

	closing atomic.Bool
	discard atomic.Bool   // its session is not kept, whatever was agreed on
	gone    chan struct{} // closed when it has ended
	mu      lockrank.Mutex[lockrank.Conn]
	why     error // the first cause of the connection's end
}

func newLink(s *Server, nc listen.Conn) *link {
	l := &link{server: s, nc: nc, addr: addrOf(nc.Peer().Addr), account: s.options.Budget.Open(nc.Peer().Place), problems: true, gone: make(chan struct{})}
	nc.KeepAlive(listen.KeepAlive, s.options.Limits.WriteTimeout)
	return l
}

// addrOf returns the address of a peer, for people to read.
func addrOf(addr string) string {
	for from, to := range map[string]string{"tcp://": "mqtt://", "tls://": "mqtts://", "unix://": "mqtt+unix://"} {
		if rest, ok := strings.CutPrefix(addr, from); ok {
			return to + rest
		}
	}
	return addr
}

// run serves the connection until it ends.
func (l *link) run(ctx context.Context) {
	l.buf = make([]byte, 0, firstRead)
	err := l.greet(ctx)
	if err == nil {
		err = l.read()
	}
	if l.session == nil {
		l.dismiss(err)
		return
	}
	l.finish(err)
	l.end()
}

// dismiss ends the connection of somebody who was not let in.
func (l *link) dismiss(err error) {
	if err := l.cause(); err != nil {
		l.end()
		return
	}
	if e, ok := errors.AsType[*packet.Error](err); ok {
		l.server.refused.Add(causeOf(e.Reason), 1)
		l.server.options.Logger.Warn("connection closed: the CONNECT is refused", "client", l.addr, "error", err)
		if l.version != 0 {
			l.writeLast(packet.AppendConnack(nil, l.version, false, e.Reason, l.reasonText(e.Text)))
		}
	} else if errors.Is(err, os.ErrDeadlineExceeded) {
		l.server.refused.Add("timeout", 1)
		l.server.options.Logger.Warn("connection closed: what it began to say was not complete in time", "client", l.addr)
	}
	l.end()
}

func (l *link) end() {
	_ = l.nc.Close() // there is nobody left who would want to know
	l.account.Give(l.charged)
	l.account.Close()
	close(l.gone)
}

// writeLast writes something, and gives the client time to read it.
func (l *link) writeLast(b []byte) {
	if l.nc.WriteWithin(b, flushTime, time.Now().Add(flushTime)) == nil {
		l.linger()
	}
}

// linger lets the client read what was written last: to close a connection while something unread lies in it resets it.
func (l *link) linger() {
	if l.nc.CloseWrite() != nil || l.nc.SetReadDeadline(time.Now().Add(lingerTime)) != nil {
		return
	}
	_, _ = io.CopyN(io.Discard, l.nc, 1<<20) // until the client closes, too
}

// reasonText returns the property that says a reason in words.
func (l *link) reasonText(text string) []byte {
	if !l.problems {
		return nil
	}
	return packet.AppendReasonText(nil, plain.Text(text))
}

// errGoodbye is the error of a client that has said DISCONNECT.
var errGoodbye = fmt.Errorf("%w: it said DISCONNECT", carrier.ErrClosed)

// finish ends the connection of a session, and the session unless it is kept.
func (l *link) finish(err error) {
	c := l.session
	why := l.cause()
	e, refused := errors.AsType[*packet.Error](err)
	if why == nil {
		why = causeOfError(err)
		if refused && e.Reason == packet.KeepAliveTimeout {
			why = fmt.Errorf("%w: %w", carrier.ErrTimeout, err)
		} else if refused {
			why = fmt.Errorf("%w: %w", carrier.ErrMalformed, err)
			if !errors.Is(err, errCounted) {
				c.refuse("packet", err)
			}
		}
		l.fail(why)
	}
	c.turn.Lock()
	c.deliver()
	if !errors.Is(why, carrier.ErrShutdown) {
		c.leaveWill(l, why)
	}
	c.settleLate()
	c.tellAnswers()
	c.turn.Unlock()
	if l.version == packet.V5 && l.welcome && !errors.Is(err, errGoodbye) && !errors.Is(err, io.EOF) {
		reason, text := farewell(why)
		if refused {
			reason, text = e.Reason, e.Text
		}
		c.mu.Lock()
		text = c.text(text, 0)
		c.reply(func(b []byte) []byte { return packet.AppendDisconnect(b, reason, text) })
		c.mu.Unlock()
	}
	c.drain(flushTime)
	if !errors.Is(err, io.EOF) && !errors.Is(err, errGoodbye) {
		l.linger()
	}
	_ = l.nc.Close() // reading and writing have reported any error
	c.detach(l, why)
}

// farewell returns what a client of MQTT 5 is told when the hub ends its connection.
func farewell(why error) (packet.Reason, string) {
	switch {
	case errors.Is(why, errTakenOver):
		return packet.TakenOver, ""
	case errors.Is(why, carrier.ErrShutdown):
		return packet.ShuttingDown, ""
	case errors.Is(why, carrier.ErrRevoked):
		return packet.NotAuthorized, why.Error()
	case errors.Is(why, carrier.ErrTimeout):
		return packet.KeepAliveTimeout, ""
	case errors.Is(why, carrier.ErrLimit):
		return packet.QuotaExceeded, why.Error()
	default:
		return packet.Unspecified, why.Error()
	}
}

// causeOfError returns the cause for which a connection has ended, from the error of reading.
func causeOfError(err error) error {
	switch {
	case errors.Is(err, carrier.ErrClosed), errors.Is(err, carrier.ErrLimit), errors.Is(err, carrier.ErrDenied):
		return err
	case errors.Is(err, io.EOF):
		return fmt.Errorf("%w: %w", carrier.ErrClosed, err)
	case errors.Is(err, os.ErrDeadlineExceeded), errors.Is(err, syscall.ETIMEDOUT):
		return fmt.Errorf("%w: %w", carrier.ErrTimeout, err)
	default:
		return fmt.Errorf("%w: %w", carrier.ErrUnplugged, err)
	}
}

// fail begins to end the connection; only the first cause counts. It may be called by any goroutine.
func (l *link) fail(cause error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.why == nil {
		l.why = cause
		l.closing.Store(true)
		_ = l.nc.SetReadDeadline(time.Unix(1, 0)) // fails only when it is closed already
	}
}

func (l *link) cause() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.why
}

// writeFailed deals with a write that has failed.
func (l *link) writeFailed(err error) {
	if errors.Is(err, os.ErrDeadlineExceeded) {
		if !l.closing.Load() {
			l.server.options.Logger.Warn("connection closed: it does not read what waits for it", "client", l.addr, "error", err)
		}
		l.fail(fmt.Errorf("%w: it reads nothing: %w", carrier.ErrTimeout, err))
		_ = l.nc.Close() // ends a read at once
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.why == nil {
		_ = l.nc.SetReadDeadline(time.Now().Add(flushTime)) // what it has said before may be unread
	}
}

// handle handles one packet of a client that is let in.
func (l *link) handle(p *packet.Raw) error {
	c := l.session
	if p.Type == packet.Publish {
		return c.publish(l, p)
	}
	c.deliver() // what came before goes first
	switch p.Type {
	case packet.Puback:
		return c.puback(l, p)
	case packet.Subscribe, packet.Unsubscribe:
		return c.order(l, p)
	case packet.Pingreq:
		c.mu.Lock()
		defer c.mu.Unlock()
		c.reply(packet.AppendPingresp)
		return packet.ParsePing(p.Body)
	case packet.Disconnect:
		return l.goodbye(p)
	default:
		return &packet.Error{Reason: packet.ProtocolError, Text: p.Type.String() + " is not expected of this client"}
	}
}

// goodbye handles a DISCONNECT.
func (l *link) goodbye(p *packet.Raw) error {
	var props packet.Properties
	reason, err := packet.ParseDisconnect(l.version, p.Body, &props)
	if err != nil {
		return err
	}
	if props.Has(packet.PropSessionExpiry) {
		if l.expiry == 0 && props.SessionExpiry > 0 {
			return &packet.Error{Reason: packet.ProtocolError, Text: "a session that was not to be kept cannot be kept when it ends"}
		}
		l.expiry = l.server.expiry(props.SessionExpiry)
	}
	if reason == packet.Success {
		l.will = nil
	}
	return errGoodbye
}

// puback handles the client's answer to a message.
func (c *session) puback(l *link, p *packet.Raw) error {
	var props packet.Properties
	id, reason, err := packet.ParseAck(l.version, p.Body, &props)
	if err != nil {
		return err
	}
	var failed *carrier.Reply
	if reason >= packet.Unspecified {
		failed = &carrier.Reply{Status: carrier.StatusFailed, Exception: fmt.Sprintf("mqtt: the client refuses it (reason 0x%02X)", byte(reason))}
	}
	c.mu.Lock()
	known := c.acknowledged(id, failed)
	c.collect()
	c.mu.Unlock()
	if !known {
		c.refusals.Add("malformed", 1) // it may be late, and of a connection before
	}
	return nil
}
