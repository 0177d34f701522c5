package listen

import (
	"errors"
	"io"
	"net"
	"os"
	"slices"
	"time"
)

// errStranger is the error of a connection in a protocol that nobody here speaks.
var errStranger = errors.New("listen: it speaks another protocol")

// meet finds out what a stranger speaks, and hands its connection on.
func (s *Server) meet(c *conn) {
	err := s.introduce(c)
	if err == nil {
		return
	}
	log := s.options.Logger
	switch err = c.because(err); {
	case errors.Is(err, ErrMadeWay), errors.Is(err, ErrLate): // it was counted
	case errors.Is(err, os.ErrDeadlineExceeded):
		s.count("timeout")
		log.Warn("connection closed: what it began to say was not complete in time", "client", c.peer.Addr)
	case errors.Is(err, ErrTooMuch):
		s.count("size")
		log.Warn("connection closed: it has said too much before it was known", "client", c.peer.Addr, "error", err)
	case errors.Is(err, errStranger):
		s.count("stranger") // it was logged
	case errors.Is(err, errClear):
		s.count("tls")
		log.Warn("connection closed: it speaks clear text, and this address takes TLS only", "client", c.peer.Addr)
	case errors.Is(err, errTLS):
		s.count("tls")
		log.Warn("connection closed: TLS has failed", "client", c.peer.Addr, "error", err)
	default: // it has gone, or the Server ends
		log.Debug("connection closed before anything was said", "client", c.peer.Addr, "error", err)
	}
	_ = c.Close() // there is nobody left who would want to know
}

// introduce finds out what a stranger speaks, and hands its connection on. After an error, it is to be closed.
func (s *Server) introduce(c *conn) error {
	top := &peeker{Conn: bounded{c.socket, c}}
	c.Conn = top
	first, err := top.peek()
	if err != nil {
		return err
	}
	if c.peer.ByAddress { // until now it could be a silent one
		c.hurry()
	}
	if first == handshake && s.options.Certificate != nil && c.socketAt.address.TLS != Off {
		if err := c.startTLS(); err != nil {
			return err
		}
		if first, err = c.Conn.(*peeker).peek(); err != nil {
			return err
		}
	}
	if q := s.find(c, first); q != nil {
		if !q.put(c) {
			return net.ErrClosed
		}
		return nil
	}
	switch {
	case BeginsHTTP(first) && c.socketAt.speaks("http") && c.agreed(alpnHTTP):
		return s.answerHTTP(c)
	case beginsMQTT(first) && c.socketAt.speaks("mqtt") && c.agreed(alpnMQTT) && !c.clear():
		return s.answerMQTT(c)
	case c.clear():
		c.linger() // it may know what it means to be closed without a reset
		return errClear
	default:
		return s.dismiss(c)
	}
}

// agreed reports whether a protocol of this name in TLS may be spoken: the client has named it there, or none.
func (c *conn) agreed(alpn string) bool { return c.peer.ALPN == "" || c.peer.ALPN == alpn }

// find returns the queue for who begins with this byte, or nil.
func (s *Server) find(c *conn, first byte) *queue {
	if c.clear() {
		return nil
	}
	for _, q := range s.queues {
		for _, p := range q.protocols {
			if p.Begins(first) && c.socketAt.speaks(p.Name) && c.agreed(p.ALPN) {
				return q
			}
		}
	}
	return nil
}

// speaks reports whether a protocol may be spoken there.
func (l *socket) speaks(name string) bool {
	return len(l.address.Speaks) == 0 || slices.Contains(l.address.Speaks, name)
}

// goodbyeTime is how long a stranger has to take its answer, and lingerTime how long to read it.
const (
	goodbyeTime = time.Second
	lingerTime  = 200 * time.Millisecond
)

// linger lets a stranger read what was written last: closing a connection while something unread lies in it resets it, and the
// peer may then lose even what it has received.
func (c *conn) linger() {
	if c.CloseWrite() != nil || c.SetReadDeadline(time.Now().Add(lingerTime)) != nil {
		return
	}
	_, _ = io.Copy(io.Discard, c) // until the peer closes, too; it may not say much more
}
