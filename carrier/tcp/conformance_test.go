package tcp

import (
	"io"
	"net"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"

	"sighub/carrier"
	"sighub/carrier/carriertest"
	"sighub/listen"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestConformance(t *testing.T) {
	for _, c := range []struct {
		name  string
		unix  bool
		codec carrier.Codec
	}{
		{"CBOR", false, carrier.CBOR},
		{"CBORText", false, carrier.CBORText},
		{"JSON", false, carrier.JSON},
		{"UnixCBOR", true, carrier.CBOR},
		{"UnixJSON", true, carrier.JSON},
	} {
		t.Run(c.name, func(t *testing.T) {
			carriertest.Run(t, func(t testing.TB) *carriertest.Pair {
				addr := "tcp://127.0.0.1:0"
				if c.unix {
					addr = "unix://" + filepath.Join(t.TempDir(), "hub")
				}
				return connect(t, addr, c.codec)
			})
		})
	}
}

func connect(t testing.TB, addr string, codec carrier.Codec) *carriertest.Pair {
	return connectTLS(t, addr, codec, Options{}, ClientOptions{})
}

// connectTLS connects over TLS if there is a certificate.
func connectTLS(t testing.TB, addr string, codec carrier.Codec, o Options, client ClientOptions) *carriertest.Pair {
	dialRaw := dialRaw
	if o.Certificate != nil {
		dialRaw = dialTLS
	}
	limits := Limits{MaxMessage: 64 << 10}
	limits.WriteTimeout = time.Second
	limits.Signals = 300 // so that windows are filled again and again
	o.Limits = limits
	hub, err := Listen(addr, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = hub.Close() }) // for the cases that serve nothing
	line := newCable(t, hub.Addr())
	var failed atomic.Int64
	dial := func() carrier.Carrier {
		client.Name, client.Codec, client.Limits, client.Failed = "peer", codec, limits, func(error) { failed.Add(1) }
		return NewClient(line.addr, client)
	}
	raw := func(b string) {
		nc := dialRaw(t, hub.Addr())
		if _, err := io.WriteString(nc, b); err != nil {
			t.Error(err)
		}
		_ = nc.Close()
	}
	return &carriertest.Pair{
		Hub: hub, Peer: dial(), Dial: dial,
		MaxData: limits.MaxMessage - 64, // what else a message holds
		Medium:  carriertest.Medium{Name: "peer", PackedIDs: true},
		Cut:     line.cut,
		Malformed: func() carrier.Status {
			s := newSpeaker(t, dialRaw(t, hub.Addr()))
			s.say(`{"id":1,"method":2}`)
			s.hear(`{"id":1,"status":-4,"exception":"carrier: malformed message: the method is 2, not a text"}`) // or it fails
			_ = s.nc.Close()
			return carrier.StatusMalformed
		},
		Silence: line.silence,
		Break:   func() { _ = hub.Close() },
		Tries:   func() int { return int(failed.Load()) },
		Flood:   func(size int) { flood(t, dialRaw(t, hub.Addr()), size) },
		Half: func() {
			raw(`{"id":1,"method":"echo","par`)
			raw(cborMark + "\x58\x40\xa3\x00\x01")
		},
		Garbage: func() {
			raw("GET / HTTP/1.1\r\n\r\n")
			raw("\x16\x03\x01\x02\x00\x01\x00")
			raw(`{"id":1,"method":"echo","params":"works"]`)
			raw(`{"id":1,"method":garbage`)
			raw(cborMark + "\xa1\x00\x01")
			raw(cborMark + "\x43\xff\xff\xff")
		},
	}
}

func dialRaw(t testing.TB, addr string) net.Conn {
	t.Helper()
	network, where, err := listen.ParseAddr(addr)
	if err != nil {
		t.Fatal(err)
	}
	nc, err := net.Dial(network, where)
	if err != nil {
		t.Fatal(err)
	}
	return nc
}

// flood writes one message of a size and then as many bytes of small ones, until the hub takes no more.
func flood(t testing.TB, nc net.Conn, size int) {
	defer func() { _ = nc.Close() }()
	piece := []byte(strings.Repeat("x", 1<<16))
	write := func(b []byte) bool {
		if err := nc.SetWriteDeadline(time.Now().Add(time.Second)); err != nil {
			t.Error(err)
		}
		_, err := nc.Write(b)
		return err == nil
	}
	ok := write([]byte(`{"id":1,"method":"echo","params":"`))
	for n := 0; ok && n < size; n += len(piece) {
		ok = write(piece)
	}
	ok = ok && write([]byte(`"}`))
	piece = []byte(strings.Repeat(`{"id":1,"method":"echo","params":"`+strings.Repeat("y", 100)+`"}`, 1000))
	for n := 0; ok && n < size; n += len(piece) {
		ok = write(piece)
	}
}

// A cable passes connections on to a hub until it is cut.
type cable struct {
	t        testing.TB
	hub      string
	addr     string
	listener net.Listener
	all      sync.WaitGroup

	mu     sync.Mutex
	conns  []net.Conn
	silent atomic.Bool
}

func newCable(t testing.TB, hub string) *cable {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	c := &cable{t: t, hub: hub, addr: "tcp://" + l.Addr().String(), listener: l}
	c.all.Go(c.accept)
	t.Cleanup(func() {
		_ = l.Close()
		c.cut()
		c.all.Wait()
	})
	return c
}

func (c *cable) accept() {
	for {
		near, err := c.listener.Accept()
		if err != nil {
			return
		}
		network, where, _ := listen.ParseAddr(c.hub)
		far, err := net.Dial(network, where)
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
}

func (c *cable) pass(from, to net.Conn) {
	for buf := make([]byte, 1<<16); ; {
		n, err := from.Read(buf)
		if c.silent.Load() {
			break // what comes now is left where it is
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
	if c.silent.Load() {
		return // neither end hears that the other one closes
	}
	_ = from.(interface{ CloseRead() error }).CloseRead()
	_ = to.(interface{ CloseWrite() error }).CloseWrite()
}

// silence lets nothing pass any more.
func (c *cable) silence() { c.silent.Store(true) }

// cut resets every connection.
func (c *cable) cut() {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, nc := range c.conns {
		if tcp, ok := nc.(*net.TCPConn); ok {
			_ = tcp.SetLinger(0)
		}
		_ = nc.Close()
	}
	c.conns = nil
}
