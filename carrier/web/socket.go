package web

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/coder/websocket"

	"sighub/carrier"
	"sighub/internal/lockrank"
	"sighub/listen"
)

// The subprotocols: the dialects of package tcp.
const (
	JSON = "sighub.json"
	CBOR = "sighub.cbor"
)

const (
	controlTime = 5 * time.Second        // for a frame of the WebSocket's own, such as the answer to a ping
	closeTime   = 200 * time.Millisecond // for the other end to answer a close
	pingEvery   = 30 * time.Second       // proxies end a connection on which nothing is said for a minute
)

// A socket is a WebSocket as a connection: what is read is the content of its messages, one after the other, and each write is one
// message.
type socket struct {
	listen.Conn // below; it is read and written by ws alone
	below       *below
	ws          *websocket.Conn
	kind        websocket.MessageType
	peer        listen.Peer
	message     io.Reader // that is being read; nil: none

	begun   bool // reading has, or whoever connects reads: the hub does not mark its CBOR
	writing atomic.Bool
	pinging sync.WaitGroup

	mu     lockrank.Mutex[lockrank.Leaf]
	pinger *time.Timer // nil: it is closed, or does not ping
}

// A below is what is below a WebSocket, with the time that a write may take.
type below struct {
	listen.Conn
	mu   lockrank.Mutex[lockrank.Leaf]
	idle time.Duration
	end  time.Time // of the write of a message that is going on; zero: none is
}

// Write implements [net.Conn].
func (b *below) Write(p []byte) (int, error) {
	b.mu.Lock()
	idle, end := b.idle, b.end
	b.mu.Unlock()
	if end.IsZero() {
		idle, end = controlTime, time.Now().Add(controlTime)
	}
	if err := b.WriteWithin(p, idle, end); err != nil {
		return 0, err
	}
	return len(p), nil
}

// within sets the time for the writes from now on.
func (b *below) within(idle time.Duration, end time.Time) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.idle, b.end = idle, end
}

// newSocket returns the connection over a WebSocket, for whoever is at the other end of b.
func newSocket(b *below, ws *websocket.Conn, peer listen.Peer) *socket {
	ws.SetReadLimit(-1) // whose messages are split anew, and bounded, above
	s := &socket{Conn: b.Conn, below: b, ws: ws, kind: websocket.MessageText, peer: peer}
	if ws.Subprotocol() == CBOR {
		s.kind = websocket.MessageBinary
	}
	return s
}

// Peer implements [listen.Conn].
func (s *socket) Peer() listen.Peer { return s.peer }

// Raw implements [listen.Conn]. What is written to the socket below would not be in frames.
func (s *socket) Raw() syscall.Conn { return nil }

// Read implements [net.Conn].
func (s *socket) Read(p []byte) (n int, err error) {
	for n == 0 && err == nil {
		if s.message == nil {
			if s.message, err = s.next(); err != nil {
				break
			}
		}
		n, err = s.message.Read(p)
		if errors.Is(err, io.EOF) {
			s.message, err = nil, nil
		}
	}
	if n > 0 && !s.begun {
		s.begun = true
		if binary := p[0] == cborMark; binary != (s.kind == websocket.MessageBinary) {
			return 0, fmt.Errorf("%w: the stream begins with %#02x, which is not %s", carrier.ErrMalformed, p[0], s.dialect())
		}
	}
	return n, s.ended(err)
}

// cborMark is the first byte of a stream of CBOR.
const cborMark = 0xd9

// next returns the next message.
func (s *socket) next() (io.Reader, error) {
	kind, r, err := s.ws.Reader(context.Background())
	if err == nil && kind != s.kind {
		err = fmt.Errorf("%w: a message of type %v, but %s was agreed on", carrier.ErrMalformed, kind, s.dialect())
	}
	return r, err
}

func (s *socket) dialect() string {
	if s.kind == websocket.MessageBinary {
		return CBOR
	}
	return JSON
}

// ended says what an error means for a stream.
func (s *socket) ended(err error) error {
	if err != nil && websocket.CloseStatus(err) != -1 {
		return io.EOF
	}
	return err
}

// Write implements [net.Conn].
func (s *socket) Write(p []byte) (int, error) {
	if err := s.WriteWithin(p, controlTime, time.Now().Add(controlTime)); err != nil {
		return 0, err
	}
	return len(p), nil
}

// TryWrite implements [listen.Conn]. A frame that was taken in part could not go on, so nothing is.
func (s *socket) TryWrite([]byte) (n int, all bool, err error) { return 0, false, nil }

// WriteWithin implements [listen.Conn].
func (s *socket) WriteWithin(p []byte, idle time.Duration, end time.Time) error {
	s.writing.Store(true)
	defer s.writing.Store(false)
	s.below.within(idle, end)
	defer s.below.within(0, time.Time{})
	return s.ws.Write(context.Background(), s.kind, p)
}

// CloseWrite implements [listen.Conn]. Nothing can be read after it, since both ends close a WebSocket together.
func (s *socket) CloseWrite() error {
	if s.writing.Load() {
		return errBusy
	}
	_ = s.below.SetReadDeadline(time.Now().Add(closeTime)) // fails only when it is closed already
	s.below.within(closeTime, time.Now().Add(closeTime))
	_ = s.ws.Close(websocket.StatusGoingAway, "") // the other end may have gone
	return net.ErrClosed
}

var errBusy = errors.New("web: a message is being written")

// Close implements [net.Conn].
func (s *socket) Close() error {
	s.mu.Lock()
	if s.pinger != nil && s.pinger.Stop() {
		s.pinging.Done()
	}
	s.pinger = nil
	s.mu.Unlock()
	err := s.ws.CloseNow()
	s.pinging.Wait()
	return errors.Join(err, s.below.Close())
}

// keepUp pings now and then, until the connection is closed.
func (s *socket) keepUp() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.pinging.Add(1)
	s.pinger = time.AfterFunc(pingEvery, s.ping)
}

func (s *socket) ping() {
	defer s.pinging.Done()
	if !s.writing.Load() { // else something is said
		ctx, cancel := context.WithTimeout(context.Background(), controlTime)
		_ = s.ws.Ping(ctx) // whoever has vanished is found by other means
		cancel()
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.pinger != nil {
		s.pinging.Add(1)
		s.pinger.Reset(pingEvery)
	}
}
