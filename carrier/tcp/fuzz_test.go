package tcp

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"sighub/carrier"
	"sighub/carrier/carriertest"
	"sighub/listen"
)

// A pipeHub is a Server whose clients come through pipes within the process.
type pipeHub struct {
	*Server
	*carriertest.Recorder
	t     testing.TB
	pipes *pipes
}

// pipes are a listener whose connections are made within the process.
type pipes struct {
	accept chan net.Conn
	closed chan struct{}
	close  func()
	made   atomic.Int64
}

func newPipes() *pipes {
	p := &pipes{accept: make(chan net.Conn), closed: make(chan struct{})}
	p.close = sync.OnceFunc(func() { close(p.closed) })
	return p
}

func (p *pipes) Accept() (net.Conn, error) {
	select {
	case nc := <-p.accept:
		return nc, nil
	case <-p.closed:
		return nil, net.ErrClosed
	}
}

func (p *pipes) Close() error   { p.close(); return nil }
func (p *pipes) Addr() net.Addr { return pipeAddr("hub") }

type pipeAddr string

func (a pipeAddr) Network() string { return "pipe" }
func (a pipeAddr) String() string  { return string(a) }

// A pipeEnd is the hub's end of a pipe.
type pipeEnd struct {
	net.Conn
	addr   pipeAddr
	closed chan struct{}
	once   sync.Once
}

func (e *pipeEnd) RemoteAddr() net.Addr { return e.addr }

func (e *pipeEnd) Close() error {
	e.once.Do(func() { close(e.closed) })
	return e.Conn.Close()
}

func newPipeHub(t testing.TB, l Limits) *pipeHub {
	t.Helper()
	p := newPipes()
	below, err := listen.Open(listen.Options{Listeners: []net.Listener{p}})
	if err != nil {
		t.Fatal(err)
	}
	h := &pipeHub{Server: On(below, Options{Limits: l}), Recorder: carriertest.NewRecorder(t, "hub"), t: t, pipes: p}
	serveCarrier(t, h.Server, h.Recorder)
	return h
}

// connect returns the client's end of a new pipe, and a function that waits until the hub's has ended.
func (h *pipeHub) connect() (net.Conn, func()) {
	near, far := net.Pipe()
	end := &pipeEnd{Conn: near, addr: pipeAddr(fmt.Sprint(h.pipes.made.Add(1))), closed: make(chan struct{})}
	h.pipes.accept <- end
	return far, func() {
		<-end.closed
		isEnd := func(c *conn) bool { return c.nc.RemoteAddr() == end.addr }
		if err := poll(context.Background(), func() bool { return !slices.ContainsFunc(h.all(), isEnd) }); err != nil {
			h.t.Error(err)
		}
	}
}

// FuzzServerStream: whatever a client sends, in whatever pieces, the server neither panics nor hangs nor keeps
// anything, and another client does not notice.
func FuzzServerStream(f *testing.F) {
	for _, seed := range []string{
		jsonHello + `{"id":1,"method":"echo","params":[1]}{"id":2,"status":0}`,
		`{"id":1,"method":"echo"}{"id":{},"method":5}[1] 3 {"status":"x"}`,
		`{"id":1,"method":x}`, `{"id":1,"method":"echo","params":[}}`, " \x00", deep,
		cborMark + "\x4e\xa3\x00\x01\x01\x65hello\x02\xa1\x14\x01\x4b\xa3\x00\x07\x01\x64echo\x02\x18\x2a",
		cborMark + "\x43\xff\xff\xff\x40\x5b\x00\x00\x00\x00\x40\x00\x00\x00", cborMark + "\xa0", "\x16\x03\x01",
	} {
		f.Add([]byte(seed), 7)
	}
	f.Fuzz(func(t *testing.T, data []byte, size int) {
		h := newPipeHub(t, Limits{MaxMessage: 2000, LegacyGap: 1})
		neighbour, neighbourEnded := h.connect()
		n := newSpeaker(t, neighbour)
		n.say(jsonHello)
		n.hearPart(`"status":0`)

		nc, ended := h.connect()
		if err := nc.SetDeadline(time.Now().Add(watchdog)); err != nil {
			t.Fatal(err)
		}
		var reading sync.WaitGroup
		reading.Go(func() { _, _ = io.Copy(io.Discard, nc) })
		size = max(1, size%len(append(data, 0)))
		for rest := data; len(rest) > 0; {
			k, err := nc.Write(rest[:min(size, len(rest))])
			if err != nil {
				break // the server has closed it
			}
			rest = rest[k:]
		}
		_ = nc.Close()
		ended()
		reading.Wait()
		n.echoes()
		if s := h.Stats(); s.Clients != 1 || len(h.all()) != 1 {
			t.Errorf("%d clients and %d connections are left, of 1", s.Clients, len(h.all()))
		}
		_ = neighbour.Close()
		neighbourEnded()
	})
}

// While too many bytes wait for a peer that does not read, its window counts as full.
func TestMaxPending(t *testing.T) {
	h := newPipeHub(t, Limits{MaxPending: 1000})
	nc, ended := h.connect()
	s := newSpeaker(t, nc)
	s.say(jsonHello)
	s.hear(jsonWelcome)
	if _, err := h.Client(t.Context()); err != nil {
		t.Fatal(err)
	}
	m := &carrier.Message{Method: "m", Params: carrier.ValueOf(strings.Repeat("x", 400))}
	sent := 0
	for {
		ctx, cancel := context.WithTimeout(context.Background(), 50*time.Millisecond)
		ended := make(chan error, 1)
		err := h.Transmit(ctx, 1, m, func(_ carrier.Reply, err error) { ended <- err })
		expired := ctx.Err() != nil
		cancel()
		if err == nil && expired {
			err = <-ended // it was told there, but nothing was sent
		}
		if errors.Is(err, context.DeadlineExceeded) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		sent++
	}
	if sent > 10 {
		t.Errorf("%d messages were taken", sent)
	}
	for range sent {
		s.hearPart("xxx")
	}
	if err := h.Transmit(context.Background(), 1, m, ignore); err != nil {
		t.Error(err)
	}
	_ = nc.Close()
	ended()
}

// Transmitting to clients that come and go leaves nothing behind.
func TestComeAndGo(t *testing.T) {
	h := newPipeHub(t, Limits{MaxMessage: 2000, LegacyGap: 1})
	var all sync.WaitGroup
	for range 50 {
		all.Go(func() {
			nc, ended := h.connect()
			if _, err := io.WriteString(nc, jsonHello); err != nil {
				t.Error(err)
			}
			buf := make([]byte, 1)
			if _, err := nc.Read(buf); err != nil {
				t.Error(err)
			}
			_ = nc.Close()
			ended()
		})
		all.Go(func() {
			for id := range carrier.ClientID(50) {
				_ = h.Transmit(context.Background(), id+1, &carrier.Message{Method: "m"}, ignore)
			}
		})
	}
	all.Wait()
	if s := h.Stats(); s.Clients != 0 || len(h.all()) != 0 {
		t.Errorf("left: %+v", s)
	}
}
