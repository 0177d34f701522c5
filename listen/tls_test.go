package listen

import (
	"bufio"
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"sighub/listen/keys"
)

func own(t testing.TB) *keys.Certificate {
	t.Helper()
	c, err := keys.Own(t.TempDir(), slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// peers accepts connections and hands them to the test.
func peers(t testing.TB, o Options, p Protocol) (*Server, <-chan Conn) {
	t.Helper()
	s, err := Open(o)
	if err != nil {
		t.Fatal(err)
	}
	l := s.Protocol(p)
	conns := make(chan Conn, 10)
	ctx, stop := context.WithCancel(context.Background())
	var all sync.WaitGroup
	all.Go(func() {
		if err := s.Serve(ctx); err != nil {
			t.Errorf("Serve: %v", err)
		}
	})
	all.Go(func() {
		defer close(conns)
		for {
			nc, err := l.Accept()
			if err != nil {
				return
			}
			conns <- nc.(Conn)
		}
	})
	t.Cleanup(func() {
		stop()
		all.Wait()
		for c := range conns {
			_ = c.Close()
		}
	})
	return s, conns
}

func insecure(names ...string) *tls.Config {
	return &tls.Config{InsecureSkipVerify: true, NextProtos: names} //nolint:gosec // the other end is the test's own
}

// TestTLS: inside TLS the first byte decides again, and must agree with the name of the protocol. Certificates are asked of those
// who name one that wants them.
func TestTLS(t *testing.T) {
	certificate := own(t)
	client, err := keys.Client(filepath.Join(t.TempDir(), "key"))
	if err != nil {
		t.Fatal(err)
	}
	s, conns := peers(t, Options{Addresses: []Address{{At: "127.0.0.1:0"}}, Certificate: certificate},
		Protocol{Name: "echo", ALPN: "echo/1", Certificates: true, Begins: begins("abc")})
	connect := func(shows *bool, names ...string) (*tls.Conn, error) {
		config := insecure(names...)
		config.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) {
			*shows = true
			return client, nil
		}
		nc := tls.Client(dial(t, s.Addrs()[0]), config)
		return nc, nc.HandshakeContext(t.Context())
	}
	for _, names := range [][]string{{"echo/1"}, {"h2", "http/1.1", "echo/1"}, nil} {
		var asked bool
		nc, err := connect(&asked, names...)
		if err != nil {
			t.Fatal(err)
		}
		say(t, nc, "bee")
		far := <-conns
		p := far.Peer()
		named := len(names) > 0
		if asked != named || (p.KeyHash == keys.Hash(client.Leaf)) != named || (p.KeyHash == [32]byte{}) == named || !p.Secure || far.Raw() != nil ||
			(p.ALPN == "echo/1") != named || !strings.HasPrefix(p.Addr, "tls://127.0.0.1:") || p.Place != ThisMachine {
			t.Errorf("%v: asked: %v, %+v", names, asked, p)
		}
		hear(t, far, "bee")
		state := nc.ConnectionState()
		if state.Version != tls.VersionTLS13 || state.NegotiatedProtocol != p.ALPN || keys.Hash(state.PeerCertificates[0]) != certificate.Hash() {
			t.Errorf("%v: %+v", names, state)
		}
		if _, err := io.WriteString(far, "ant"); err != nil {
			t.Error(err)
		}
		hear(t, nc, "ant")
		_ = far.Close()
		if _, err := nc.Read(make([]byte, 1)); err != io.EOF { //nolint:errorlint // TLS returns it as it is
			t.Errorf("it is not told the end: %v", err)
		}
	}
	var asked bool
	for _, c := range []struct {
		says  string
		names []string
		hears string
	}{
		{"GET / HTTP/1.1\r\nHost: x\r\n\r\n", []string{"http/1.1", "h2"}, "HTTP/1.1 200 OK\r\n"},
		{"GET / HTTP/1.1\r\nHost: x\r\n\r\n", nil, "HTTP/1.1 200 OK\r\n"},
		{"\x10\x10\x00\x04MQTT\x04\x02\x00\x3c\x00\x04test", []string{"mqtt"}, "\x20\x02\x00\x03"},
		{"GET / HTTP/1.1\r\nHost: x\r\n\r\n", []string{"echo/1"}, ""},
		{"bee", []string{"http/1.1"}, ""},
		{"\x16\x03\x01\x02\x00\x01\x00", nil, ""}, // TLS in TLS
	} {
		asked = false
		nc, err := connect(&asked, c.names...)
		if err != nil {
			t.Fatal(err)
		}
		say(t, nc, c.says)
		if got, _ := io.ReadAll(nc); !strings.HasPrefix(string(got), c.hears) || (c.hears == "") != (len(got) == 0) {
			t.Errorf("%v, %q: heard %q", c.names, c.says, got)
		}
		if wants := len(c.names) > 0 && c.names[0] == "echo/1"; asked != wants {
			t.Errorf("%v: asked: %v", c.names, asked)
		}
	}
	if _, err := connect(&asked, "h2"); err == nil {
		t.Error("a protocol that is not spoken was agreed on")
	}
	old := insecure()
	old.MaxVersion = tls.VersionTLS12
	if err := tls.Client(dial(t, s.Addrs()[0]), old).HandshakeContext(t.Context()); err == nil {
		t.Error("TLS 1.2 was agreed on")
	}
}

// TestNoResumption: a session is never resumed, however often a client comes.
func TestNoResumption(t *testing.T) {
	s := serve(t, Options{Addresses: []Address{{At: "127.0.0.1:0"}}, Certificate: own(t)}, "abc")
	config := insecure()
	cache := &countingCache{ClientSessionCache: tls.NewLRUClientSessionCache(10)}
	config.ClientSessionCache = cache
	config.ServerName = "hub"
	for range 3 {
		nc := tls.Client(dial(t, s.Addrs()[0]), config)
		say(t, nc, "bee\n")
		hear(t, nc, "bee\n")
		if nc.ConnectionState().DidResume {
			t.Error("it was resumed")
		}
		_ = nc.Close()
	}
	if cache.put > 0 {
		t.Errorf("%d tickets were given out", cache.put)
	}
}

// A countingCache counts the tickets that it is given.
type countingCache struct {
	tls.ClientSessionCache
	put int
}

func (c *countingCache) Put(key string, s *tls.ClientSessionState) {
	if s != nil {
		c.put++
	}
	c.ClientSessionCache.Put(key, s)
}

// TestRequired: where TLS is required, clear text is closed, and a browser is told; where it is off, or there is no certificate, TLS
// is a stranger. There is no way from one to the other.
func TestRequired(t *testing.T) {
	s := serve(t, Options{Certificate: own(t), Addresses: []Address{
		{At: "127.0.0.1:0", TLS: Required}, {At: "127.0.0.1:0", TLS: Off}, {At: "127.0.0.1:0"},
	}}, "abc")
	addrs := s.Addrs()
	for i, takesClear := range []bool{false, true, true} {
		nc := dial(t, addrs[i])
		say(t, nc, "bee\n")
		if takesClear {
			hear(t, nc, "bee\n")
		} else if got, err := io.ReadAll(nc); len(got) > 0 {
			t.Errorf("clear text is answered: %q, %v", got, err)
		}
		over := tls.Client(dial(t, addrs[i]), insecure())
		if err := over.HandshakeContext(t.Context()); (err == nil) != (i != 1) {
			t.Errorf("%d: TLS: %v", i, err)
		}
	}
	nc := dial(t, addrs[0])
	say(t, nc, "GET / HTTP/1.1\r\nHost: x\r\n\r\n")
	r, err := http.ReadResponse(bufio.NewReader(nc), nil)
	if err != nil {
		t.Fatal(err)
	}
	body, _ := io.ReadAll(r.Body)
	_ = r.Body.Close()
	if r.StatusCode != http.StatusBadRequest || !strings.Contains(string(body), "over TLS only") {
		t.Errorf("%s, %s", r.Status, body)
	}
	if _, err := Open(Options{Addresses: []Address{{At: "127.0.0.1:0", TLS: Required}}}); err == nil || !strings.Contains(err.Error(), "no certificate") {
		t.Errorf("TLS is required without a certificate: %v", err)
	}
}

// TestRenewed: a connection that is made after the certificate was changed is shown the new one; those before go on.
func TestRenewed(t *testing.T) {
	dir := t.TempDir()
	first, second := own(t), filepath.Join(dir, "second")
	if _, err := keys.Own(second, slog.New(slog.DiscardHandler)); err != nil {
		t.Fatal(err)
	}
	_ = first
	put := func(from string) {
		for name, to := range map[string]string{"hub.crt": "cert.pem", "hub.key": "key.pem"} {
			data, err := os.ReadFile(filepath.Join(from, name))
			if err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(filepath.Join(dir, to), data, 0o600); err != nil {
				t.Fatal(err)
			}
		}
	}
	begin := filepath.Join(dir, "first")
	if _, err := keys.Own(begin, slog.New(slog.DiscardHandler)); err != nil {
		t.Fatal(err)
	}
	put(begin)
	synctest.Test(t, func(t *testing.T) {
		certificate, err := keys.Files(filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem"), slog.New(slog.DiscardHandler))
		if err != nil {
			t.Fatal(err)
		}
		p := newPipes()
		serve(t, Options{Listeners: []net.Listener{p}, Certificate: certificate, Logger: slog.New(slog.DiscardHandler)}, "abc")
		connect := func() (*tls.Conn, keys.Pin) {
			nc := tls.Client(p.dial("192.0.2.1"), insecure())
			say(t, nc, "bee\n")
			hear(t, nc, "bee\n")
			return nc, keys.PinOf(keys.Hash(nc.ConnectionState().PeerCertificates[0]))
		}
		before, old := connect()
		put(second)
		time.Sleep(time.Minute)
		after, fresh := connect()
		if old == fresh {
			t.Error("the old certificate is still shown")
		}
		say(t, before, "ant\n")
		hear(t, before, "ant\n")
		_, _ = before.NetConn().Close(), after.NetConn().Close()
	})
}

// TestSlowTLS: whoever is slow in TLS, byte by byte or silent at any point of it, is gone in time like any other stranger.
func TestSlowTLS(t *testing.T) {
	certificate := own(t)
	for _, limit := range []int{1, 5, 100, 300, 1 << 20} { // bytes after which it becomes slow
		t.Run(fmt.Sprint(limit), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p := newPipes()
				s := serve(t, Options{Listeners: []net.Listener{p}, Certificate: certificate, Logger: slog.New(slog.DiscardHandler)}, "abc")
				begun := time.Now()
				slow := &tired{Conn: p.dial("192.0.2.1"), left: limit}
				nc := tls.Client(slow, insecure("echo"))
				if err := nc.HandshakeContext(t.Context()); err == nil {
					_, _ = io.WriteString(nc, "b")
				}
				_, _ = io.Copy(io.Discard, nc)
				if took := time.Since(begun); took < 9*time.Second || took > 14*time.Second {
					t.Errorf("it is gone after %v", took)
				}
				_ = slow.Close()
				synctest.Wait()
				if open, _ := s.Connections(); open != 0 {
					t.Errorf("%d connections are left", open)
				}
			})
		})
	}
}

// A tired connection writes byte by byte, a second each, once it has written so much.
type tired struct {
	net.Conn
	left int
}

func (c *tired) Write(b []byte) (n int, err error) {
	for n < len(b) && err == nil {
		k := 1
		if c.left > 0 {
			k = min(c.left, len(b)-n)
			c.left -= k
		} else {
			time.Sleep(time.Second)
		}
		k, err = c.Conn.Write(b[n : n+k])
		n += k
	}
	return n, err
}

// BenchmarkIdleTLS: what a connection costs the hub over TLS that is known, and silent. The far ends are in here as well, which is
// why the figure of one side is less than half.
func BenchmarkIdleTLS(b *testing.B) {
	const many = 1000
	s, conns := peers(b, Options{Addresses: []Address{{At: "127.0.0.1:0"}}, Certificate: own(b)},
		Protocol{Name: "echo", ALPN: "echo", Certificates: true, Begins: begins("abc")})
	for b.Loop() {
		before := memory()
		var near, far []net.Conn
		for range many {
			nc := tls.Client(dial(b, s.Addrs()[0]), insecure("echo"))
			say(b, nc, "b")
			c := <-conns
			if err := c.Admit(); err != nil {
				b.Fatal(err)
			}
			near, far = append(near, c), append(far, nc)
		}
		b.ReportMetric(float64(memory()-before)/many, "B/pair")
		for i := range near {
			_, _ = near[i].Close(), far[i].Close()
		}
	}
}

func memory() uint64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc + m.StackInuse
}
