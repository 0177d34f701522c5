package web

import (
	"context"
	"io"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/coder/websocket"
	"go.uber.org/goleak"

	"sighub/carrier"
	"sighub/carrier/carriertest"
	"sighub/carrier/tcp"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// TestConformance: WebSockets are a medium like any other.
func TestConformance(t *testing.T) {
	for name, codec := range map[string]carrier.Codec{"CBOR": carrier.CBOR, "JSON": carrier.JSON} {
		t.Run(name, func(t *testing.T) {
			carriertest.Run(t, func(t testing.TB) *carriertest.Pair { return connect(t, codec) })
		})
	}
}

func BenchmarkCarrier(b *testing.B) {
	carriertest.Bench(b, func(t testing.TB) *carriertest.Pair { return connect(t, carrier.CBOR) })
}

func connect(t testing.TB, codec carrier.Codec) *carriertest.Pair {
	limits := tcp.Limits{MaxMessage: 64 << 10, WriteTimeout: time.Second, Signals: 300}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	hub := New(l, Options{Streams: tcp.Options{Limits: limits}})
	t.Cleanup(func() { _ = hub.Close() }) // for the cases that serve nothing
	line := newCable(t, l.Addr().String())
	var failed atomic.Int64
	dial := func() carrier.Carrier {
		d := Dialer{URL: "ws://" + line.addr + Path, Codec: codec}
		return tcp.NewClient(d.URL, tcp.ClientOptions{
			Name: "peer", Codec: codec, Limits: limits, Dial: d.Dial, Failed: func(error) { failed.Add(1) },
		})
	}
	raw := func(subprotocol string, kind websocket.MessageType, text string) {
		ws := dialRaw(t, l.Addr().String(), subprotocol)
		if err := ws.Write(t.Context(), kind, []byte(text)); err != nil {
			t.Error(err)
		}
		_ = ws.CloseNow()
	}
	return &carriertest.Pair{
		Hub: hub, Peer: dial(), Dial: dial,
		MaxData: limits.MaxMessage - 64, // what else a message holds
		Medium:  carriertest.Medium{Name: "peer", PackedIDs: true},
		Cut:     line.cut,
		Malformed: func() carrier.Status {
			ws := dialRaw(t, l.Addr().String(), JSON)
			if err := ws.Write(t.Context(), websocket.MessageText, []byte(`{"id":1,"method":2}`)); err != nil {
				t.Error(err)
			}
			_, b, err := ws.Read(t.Context())
			if !strings.HasPrefix(string(b), `{"id":1,"status":-4,`) {
				t.Errorf("answered with %s, %v", b, err)
			}
			_ = ws.CloseNow()
			return carrier.StatusMalformed
		},
		Silence: line.silence,
		Break:   func() { _ = l.Close() },
		Tries:   func() int { return int(failed.Load()) },
		Flood:   func(size int) { flood(t, dialRaw(t, l.Addr().String(), JSON), size) },
		Half: func() {
			raw(JSON, websocket.MessageText, `{"id":1,"method":"echo","par`)
			raw(CBOR, websocket.MessageBinary, "\xd9\xd9\xf7\x58\x40\xa3\x00\x01")
			nc := handshake(t, l.Addr().String())
			_, _ = io.WriteString(nc, "\x81\xff\x00\x00") // half a head of a frame
			_ = nc.Close()
		},
		Garbage: func() {
			raw(JSON, websocket.MessageText, `{"id":1,"method":"echo","params":"works"]`)
			raw(JSON, websocket.MessageText, "GET / HTTP/1.1\r\n\r\n")
			raw(JSON, websocket.MessageBinary, `{"id":1,"method":"echo","params":"works"}`) // in the other type
			raw(JSON, websocket.MessageText, "\xd9\xd9\xf7\x43\xff\xff\xff")                // in the other dialect
			raw(CBOR, websocket.MessageBinary, "\xd9\xd9\xf7\x43\xff\xff\xff")
			raw(CBOR, websocket.MessageBinary, `{"id":1,"method":"echo","params":"works"}`)
			for _, frame := range []string{
				"\x81\x02{}",                               // without a mask
				"\xf1\x80\x00\x00\x00\x00",                 // with bits that mean nothing
				"\x83\x80\x00\x00\x00\x00",                 // of no type
				"\x80\x80\x00\x00\x00\x00",                 // which goes on with nothing
				"\x89\xfe\x00\x80\x00\x00\x00\x00",         // a ping that is too long
				"\x81\xff\xff\xff\xff\xff\xff\xff\xff\xff", // of a negative length
			} {
				nc := handshake(t, l.Addr().String())
				if _, err := io.WriteString(nc, frame); err != nil {
					t.Error(err)
				}
				_ = nc.SetReadDeadline(time.Now().Add(5 * time.Second))
				_, _ = io.Copy(io.Discard, nc) // until the hub closes it
				_ = nc.Close()
			}
		},
	}
}

func dialRaw(t testing.TB, addr, subprotocol string) *websocket.Conn {
	t.Helper()
	ws, _, err := websocket.Dial(context.Background(), "ws://"+addr+Path, &websocket.DialOptions{Subprotocols: []string{subprotocol}})
	if err != nil {
		t.Fatal(err)
	}
	return ws
}

// handshake returns a connection on which frames may follow.
func handshake(t testing.TB, addr string) net.Conn {
	t.Helper()
	nc, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	_, err = io.WriteString(nc, "GET "+Path+" HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"+
		"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n")
	if err != nil {
		t.Fatal(err)
	}
	var head []byte
	for one := make([]byte, 1); !strings.HasSuffix(string(head), "\r\n\r\n"); {
		if _, err := io.ReadFull(nc, one); err != nil {
			t.Fatal(err)
		}
		head = append(head, one...)
	}
	if !strings.HasPrefix(string(head), "HTTP/1.1 101 ") {
		t.Fatalf("answered with %s", head)
	}
	return nc
}

// flood writes one message of a size and then as many bytes of small ones, until the hub takes no more.
func flood(t testing.TB, ws *websocket.Conn, size int) {
	defer func() { _ = ws.CloseNow() }()
	write := func(w io.Writer, text string) bool {
		_, err := io.WriteString(w, text)
		return err == nil
	}
	for _, piece := range []string{strings.Repeat("x", 1<<16), strings.Repeat(`{"id":1,"method":"echo","params":"`+strings.Repeat("y", 100)+`"}`, 1000)} {
		ctx, cancel := context.WithTimeout(context.Background(), 3*time.Second)
		w, err := ws.Writer(ctx, websocket.MessageText)
		ok := err == nil
		if ok && piece[0] == 'x' {
			ok = write(w, `{"id":1,"method":"echo","params":"`)
		}
		for n := 0; ok && n < size; n += len(piece) {
			ok = write(w, piece)
		}
		if ok && piece[0] == 'x' {
			ok = write(w, `"}`)
		}
		ok = ok && w.Close() == nil
		cancel()
		if !ok {
			return
		}
	}
}

// A cable passes connections on to a hub until it is cut.
type cable struct {
	addr   string
	all    sync.WaitGroup
	silent atomic.Bool

	mu    sync.Mutex
	conns []net.Conn
}

func newCable(t testing.TB, hub string) *cable {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	c := &cable{addr: l.Addr().String()}
	c.all.Go(func() {
		for {
			near, err := l.Accept()
			if err != nil {
				return
			}
			far, err := net.Dial("tcp", hub)
			if err != nil {
				_ = near.Close()
				continue
			}
			c.mu.Lock()
			c.conns = append(c.conns, near, far)
			c.mu.Unlock()
			c.all.Go(func() { c.pass(near, far) })
			c.all.Go(func() { c.pass(far, near) })
		}
	})
	t.Cleanup(func() {
		_ = l.Close()
		c.cut()
		c.all.Wait()
	})
	return c
}

func (c *cable) pass(from, to net.Conn) {
	for buf := make([]byte, 1<<16); ; {
		n, err := from.Read(buf)
		if c.silent.Load() {
			return // neither end hears what comes now, nor that the other one closes
		}
		if n > 0 {
			if _, err := to.Write(buf[:n]); err != nil {
				break
			}
		}
		if err != nil {
			break
		}
	}
	_ = from.(*net.TCPConn).CloseRead()
	_ = to.(*net.TCPConn).CloseWrite()
}

func (c *cable) silence() { c.silent.Store(true) }

// cut resets every connection.
func (c *cable) cut() {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, nc := range c.conns {
		_ = nc.(*net.TCPConn).SetLinger(0)
		_ = nc.Close()
	}
	c.conns = nil
}
