package web

import (
	"bufio"
	"net"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/coder/websocket"
)

// upgrade makes a WebSocket of a connection, and hands it on as a stream. Whoever is at its other end stays a stranger until the
// first message, if it is one.
func (s *Server) upgrade(w http.ResponseWriter, r *http.Request, c *guest) {
	b := &below{Conn: c}
	ws, err := websocket.Accept(taken{w, b}, r, &websocket.AcceptOptions{
		Subprotocols: []string{CBOR, JSON}, CompressionMode: websocket.CompressionDisabled,
		InsecureSkipVerify: true, // hosts.check has looked at the origin
	})
	if err != nil {
		s.options.Streams.Logger.Warn("a request is refused", "client", c.Peer().Addr, "cause", "websocket", "error", err)
		return // Accept has answered
	}
	peer := c.Peer()
	peer.Addr = wsAddr(peer.Addr)
	socket := newSocket(b, ws, peer)
	_ = b.SetReadDeadline(time.Now().Add(s.options.Streams.Limits.HelloTimeout)) // fails only when it is closed already
	socket.keepUp()
	if !s.sockets.put(socket) {
		_ = socket.Close() // the hub ends
	}
}

// wsAddr returns the address of a peer, for people to read.
func wsAddr(addr string) string {
	for from, to := range map[string]string{"tcp://": "ws://", "tls://": "wss://", "unix://": "ws+unix://"} {
		if rest, ok := strings.CutPrefix(addr, from); ok {
			return to + rest
		}
	}
	return addr
}

// A taken is a ResponseWriter whose connection is taken over with what is below a WebSocket.
type taken struct {
	http.ResponseWriter
	below *below
}

// Hijack implements [http.Hijacker].
func (t taken) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	nc, rw, err := http.NewResponseController(t.ResponseWriter).Hijack()
	if err != nil {
		return nil, nil, err
	}
	if rw.Writer.Buffered() > 0 { // the answer to the request goes first
		if err := rw.Writer.Flush(); err != nil {
			_ = nc.Close() // the other error matters
			return nil, nil, err
		}
	}
	rw.Writer.Reset(t.below)
	return t.below, rw, nil
}

// sockets is the listener that accepts WebSockets.
type sockets struct {
	addr   net.Addr
	new    chan *socket
	closed chan struct{}
	close  func()

	mu   sync.Mutex // nothing is locked under it
	lost error      // why accepting has failed
}

func newSockets(addr net.Addr) *sockets {
	l := &sockets{addr: addr, new: make(chan *socket), closed: make(chan struct{})}
	l.close = sync.OnceFunc(func() { close(l.closed) })
	return l
}

// put hands a WebSocket on, and reports whether it was taken.
func (l *sockets) put(s *socket) bool {
	select {
	case l.new <- s:
		return true
	case <-l.closed:
		return false
	}
}

// fail ends accepting with an error.
func (l *sockets) fail(err error) {
	l.mu.Lock()
	l.lost = err
	l.mu.Unlock()
	l.close()
}

// Accept implements [net.Listener].
func (l *sockets) Accept() (net.Conn, error) {
	select {
	case s := <-l.new:
		return s, nil
	case <-l.closed:
		l.mu.Lock()
		defer l.mu.Unlock()
		if l.lost != nil {
			return nil, l.lost
		}
		return nil, net.ErrClosed
	}
}

// Close implements [net.Listener].
func (l *sockets) Close() error {
	l.close()
	return nil
}

// Addr implements [net.Listener].
func (l *sockets) Addr() net.Addr { return l.addr }
