package listen

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const watchdog = 20 * time.Second

// pipes are a listener whose connections are made within the process, and seem to come from anywhere.
type pipes struct {
	accept chan net.Conn
	closed chan struct{}
	close  func()
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
func (p *pipes) Addr() net.Addr { return &net.TCPAddr{} }

// dial connects from an address.
func (p *pipes) dial(from string) net.Conn {
	near, far := net.Pipe()
	p.accept <- fakeConn{near, net.TCPAddrFromAddrPort(netip.AddrPortFrom(netip.MustParseAddr(from), 1))}
	return far
}

// begins returns a test for a first byte.
func begins(bytes string) func(byte) bool {
	return func(b byte) bool { return strings.IndexByte(bytes, b) >= 0 }
}

// A hall of echoes answers with what it hears, once a stranger has said a line.
func echo(l net.Listener) {
	var all sync.WaitGroup
	defer all.Wait()
	for {
		nc, err := l.Accept()
		if err != nil {
			return
		}
		all.Go(func() {
			defer func() { _ = nc.Close() }()
			r := bufio.NewReader(nc)
			for first := true; ; first = false {
				line, err := r.ReadString('\n')
				if err != nil {
					return
				}
				if first {
					if nc.(Conn).Admit() != nil {
						return
					}
					_ = nc.SetReadDeadline(time.Time{})
				}
				if _, err := io.WriteString(nc, line); err != nil {
					return
				}
			}
		})
	}
}

// serve serves a Server, and a protocol that echoes, until the test ends.
func serve(t testing.TB, o Options, bytes string) *Server {
	t.Helper()
	s := open(t, o)
	run(t, s, bytes)
	return s
}

func open(t testing.TB, o Options) *Server {
	t.Helper()
	if o.Logger == nil {
		o.Logger = slog.New(slog.NewTextHandler(testLog{t}, &slog.HandlerOptions{Level: slog.LevelDebug}))
	}
	s, err := Open(o)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func run(t testing.TB, s *Server, bytes string) {
	t.Helper()
	l := s.Protocol(Protocol{Name: "echo", ALPN: "echo", Begins: begins(bytes)})
	ctx, stop := context.WithCancel(context.Background())
	var all sync.WaitGroup
	all.Go(func() {
		if err := s.Serve(ctx); err != nil {
			t.Errorf("Serve: %v", err)
		}
	})
	all.Go(func() { echo(l) })
	t.Cleanup(func() {
		stop()
		all.Wait()
	})
}

type testLog struct{ t testing.TB }

func (l testLog) Write(b []byte) (int, error) {
	l.t.Log(strings.TrimSpace(string(b)))
	return len(b), nil
}

func dial(t testing.TB, addr string) net.Conn {
	t.Helper()
	network, where, err := ParseAddr(addr)
	if err != nil {
		t.Fatal(err)
	}
	nc, err := net.Dial(network, where)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = nc.Close() })
	_ = nc.SetDeadline(time.Now().Add(watchdog))
	return nc
}

func say(t testing.TB, nc io.Writer, text string) {
	t.Helper()
	if _, err := io.WriteString(nc, text); err != nil {
		t.Fatal(err)
	}
}

func hear(t testing.TB, nc io.Reader, want string) {
	t.Helper()
	b := make([]byte, len(want))
	if n, err := io.ReadFull(nc, b); string(b[:n]) != want {
		t.Fatalf("heard %q, %v; want %q", b[:n], err, want)
	}
}

// TestProtocols: the first byte decides, and is not lost; a protocol is spoken only where it may be.
func TestProtocols(t *testing.T) {
	s := serve(t, Options{Addresses: []Address{
		{At: "127.0.0.1:0"}, {At: "unix://" + t.TempDir() + "/hub"}, {At: "tcp://127.0.0.1:0", Speaks: []string{"http"}},
	}}, "abc")
	addrs := s.Addrs()
	for _, addr := range addrs[:2] {
		nc := dial(t, addr)
		say(t, nc, "b")
		say(t, nc, "ee\nand more\n")
		hear(t, nc, "bee\nand more\n")
	}
	for _, c := range []struct{ addr, text string }{{addrs[0], "x\n"}, {addrs[2], "bee\n"}} {
		nc := dial(t, c.addr)
		say(t, nc, c.text)
		if b, err := io.ReadAll(nc); len(b) > 0 || err != nil {
			t.Errorf("%s, %q: heard %q, %v", c.addr, c.text, b, err)
		}
	}
	if n := s.Refused()["stranger"]; n != 2 {
		t.Errorf("%d are counted", n)
	}
}

// TestUnixPeer: who is at the other end of a Unix socket is known where the system tells.
func TestUnixPeer(t *testing.T) {
	s, err := Open(Options{Addresses: []Address{{At: "unix://" + t.TempDir() + "/hub"}}})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = s.Close() }()
	dial(t, s.Addrs()[0])
	nc, err := s.sockets[0].Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = nc.Close() }()
	p := peerOf(nc, "unix://hub")
	if !p.Unix || !p.Local || !p.Secure || p.Addr != "unix://hub" {
		t.Errorf("%+v", p)
	}
	if _, _, known := credentials(nc); !known {
		return
	}
	groups, err := os.Getgroups()
	if err != nil {
		t.Fatal(err)
	}
	groups = append(groups, os.Getgid())
	slices.Sort(groups)
	if p.UID != os.Getuid() || p.Place != fmt.Sprint("user ", os.Getuid()) || !slices.Equal(p.Groups, slices.Compact(groups)) {
		t.Errorf("%+v, not of user %d with the groups %v", p, os.Getuid(), groups)
	}
}

// TestSlow: whoever has not been admitted ten seconds after it connected is gone by then, or two seconds later at most, whatever
// it says; and one who comes meanwhile is served.
func TestSlow(t *testing.T) {
	for name, text := range map[string]string{
		"nothing": "", "half": "beeeeeeeeeeeeeeeeeeeeeeeeeeee", "HTTP": "GET / HTTP/1.1\r\nHost: x\r\nX: y\r\n", "MQTT": "\x10\x20\x00\x04MQ", "H": "H",
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p := newPipes()
				s := serve(t, Options{Listeners: []net.Listener{p}}, "abc")
				nc := p.dial("192.0.2.1")
				begun := time.Now()
				ended := make(chan time.Duration, 1)
				go func() {
					_, _ = io.ReadAll(nc)
					ended <- time.Since(begun)
				}()
				for i := range text {
					_, _ = io.WriteString(nc, text[i:i+1])
					time.Sleep(400 * time.Millisecond)
				}
				if took := <-ended; took < 9*time.Second || took > 13*time.Second {
					t.Errorf("it is gone after %v", took)
				}
				good := p.dial("192.0.2.1")
				say(t, good, "bee\n")
				hear(t, good, "bee\n")
				time.Sleep(time.Hour) // once known, it may be silent
				say(t, good, "more\n")
				hear(t, good, "more\n")
				_, _ = nc.Close(), good.Close()
				synctest.Wait()
				if n := s.Refused()["timeout"]; n > 1 || n == 0 && name != "half" { // its protocol counts that
					t.Errorf("%d are counted", n)
				}
				if open, strangers := s.Connections(); open != 0 || strangers != 0 {
					t.Errorf("%d connections are left, %d of strangers", open, strangers)
				}
			})
		})
	}
}

// TestEviction: a thousand silent strangers from one place, and others from everywhere, keep nobody out; the oldest are told
// nothing and go.
func TestEviction(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPipes()
		s := serve(t, Options{Listeners: []net.Listener{p}, Logger: slog.New(slog.DiscardHandler)}, "abc")
		var flood []net.Conn
		for i := range 1000 {
			flood = append(flood, p.dial("2001:db8::"+fmt.Sprintf("%x", i+1)), p.dial(fmt.Sprintf("10.0.%d.%d", i/250, i%250)))
			if i%50 == 0 {
				good := p.dial("192.0.2.7")
				say(t, good, "bee\n")
				hear(t, good, "bee\n")
				flood = append(flood, good)
			}
		}
		synctest.Wait()
		if open, strangers := s.Connections(); open != 256+20 || strangers != 256 {
			t.Errorf("%d connections, %d of strangers", open, strangers)
		}
		if n := s.Refused()["limit"]; n != 2000-256 {
			t.Errorf("%d made way", n)
		}
		for _, nc := range flood {
			_ = nc.Close()
		}
	})
}

// TestTooMuch: a stranger from elsewhere may not say more than 16 KiB before it is known; afterwards it may.
func TestTooMuch(t *testing.T) {
	p := newPipes()
	s := serve(t, Options{Listeners: []net.Listener{p}}, "abc")
	nc := p.dial("192.0.2.1")
	long := strings.Repeat("b", 16<<10)
	if n, err := io.WriteString(nc, long+"b"); err == nil {
		t.Errorf("%d bytes were taken", n)
	}
	good := p.dial("192.0.2.1")
	say(t, good, "bee\n")
	hear(t, good, "bee\n")
	say(t, good, long+"\n")
	hear(t, good, long+"\n")
	_, _ = nc.Close(), good.Close()
	http := p.dial("192.0.2.1")
	go func() { _, _ = io.WriteString(http, "GET / HTTP/1.1\r\nX: "+long+long) }()
	hear(t, http, "HTTP/1.1 400 Bad Request\r\n")
	_ = http.Close()
	_ = s
}

// TestAbort: an aborted connection is reset, and whoever was made to go is told by Admit.
func TestAbort(t *testing.T) {
	s, err := Open(Options{Addresses: []Address{{At: "127.0.0.1:0"}}, MaxConns: 2})
	if err != nil {
		t.Fatal(err)
	}
	l := s.Protocol(Protocol{Name: "echo", Begins: begins("abc")})
	ctx, stop := context.WithCancel(t.Context())
	var serving sync.WaitGroup
	serving.Go(func() { _ = s.Serve(ctx) })
	defer serving.Wait()
	defer stop()
	accept := func() (net.Conn, Conn) {
		far := dial(t, s.Addrs()[0])
		say(t, far, "b")
		nc, err := l.Accept()
		if err != nil {
			t.Fatal(err)
		}
		return far, nc.(Conn)
	}
	far, near := accept()
	if err := near.Admit(); err != nil || near.Raw() == nil {
		t.Error(err, near.Raw())
	}
	near.Abort()
	if _, err := io.ReadAll(far); err == nil {
		t.Error("it was closed, not reset")
	}
	_, stranger := accept()
	_, next := accept() // one of two is half of them
	if err := stranger.Admit(); !errors.Is(err, ErrMadeWay) {
		t.Errorf("a stranger that made way is admitted: %v", err)
	}
	if _, err := stranger.Read(make([]byte, 9)); !errors.Is(err, ErrMadeWay) && err != nil {
		t.Errorf("it reads: %v", err)
	}
	if err := next.Admit(); err != nil {
		t.Error(err)
	}
	_, _ = stranger.Close(), next.Close()
}

// TestHTTP: a browser learns what the port is, and so does a program.
func TestHTTP(t *testing.T) {
	s := serve(t, Options{Addresses: []Address{{At: "127.0.0.1:0"}}}, "abc")
	for _, c := range []struct {
		method, path, accept, kind, contains string
		status                               int
	}{
		{"GET", "/", "text/html,*/*", "text/html", "<h1>This is a sighub</h1>", 200},
		{"GET", "/", "*/*", "text/plain", "This is a port of a sighub", 200},
		{"HEAD", "/?x", "", "text/plain", "", 200},
		{"GET", "/metrics", "", "text/plain", "This is a port of a sighub", 404},
		{"POST", "/", "text/html", "text/html", "There is no web page here", 405},
	} {
		nc := dial(t, s.Addrs()[0])
		request, _ := http.NewRequestWithContext(t.Context(), c.method, c.path, nil)
		say(t, nc, fmt.Sprintf("%s %s HTTP/1.1\r\nHost: x\r\nAccept: %s\r\n\r\n", c.method, c.path, c.accept))
		r, err := http.ReadResponse(bufio.NewReader(nc), request)
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(r.Body)
		_ = r.Body.Close()
		kind := r.Header.Get("Content-Type")
		if err != nil || r.StatusCode != c.status || !r.Close || !strings.HasPrefix(kind, c.kind) || !strings.Contains(string(body), c.contains) ||
			len(body) > 2000 || (len(body) == 0) != (c.method == "HEAD") || c.method != "HEAD" && r.ContentLength != int64(len(body)) {
			t.Errorf("%s %s: %s, %v, %q, %v", c.method, c.path, r.Status, r.Header, body, err)
		}
		if date, err := http.ParseTime(r.Header.Get("Date")); err != nil || time.Since(date) > time.Minute {
			t.Errorf("the date is %v, %v", date, err)
		}
	}
	for text, want := range map[string]string{
		"PING\r\n":                             "", // Redis
		"HELO you\r\n":                         "",
		"DESCRIBE rtsp://x/ RTSP/1.0\r\n":      "",
		"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n":     "HTTP/1.1 405",
		"GET / HTTP/1.1\r\nbad header\r\n\r\n": "HTTP/1.1 400",
		"GET /\r\n":                            "",
	} {
		nc := dial(t, s.Addrs()[0])
		say(t, nc, text)
		if got, err := io.ReadAll(nc); !strings.HasPrefix(string(got), want) || (want == "") != (len(got) == 0) || err != nil {
			t.Errorf("%q: %q, %v", text, got, err)
		}
	}
}

// TestMQTT: a client of MQTT is told in its own words that it is not spoken here.
func TestMQTT(t *testing.T) {
	s := serve(t, Options{Addresses: []Address{{At: "127.0.0.1:0"}}}, "abc")
	for text, want := range map[string]string{
		"\x10\x10\x00\x04MQTT\x04\x02\x00\x3c\x00\x04test":     "\x20\x02\x00\x03",
		"\x10\x12\x00\x06MQIsdp\x03\x02\x00\x3c\x00\x04test":   "\x20\x02\x00\x03",
		"\x10\x11\x00\x04MQTT\x05\x02\x00\x3c\x00\x00\x04test": "\x20\x28\x00\x88\x25\x1f\x00\x22" + noMQTT,
		"\x10\x02\x00\x09":             "",
		"\x10\xff\xff\xff\xff\xff\x01": "",
		"\x10\x10\x00\x04HTTP\x04":     "",
	} {
		nc := dial(t, s.Addrs()[0])
		say(t, nc, text)
		if got, err := io.ReadAll(nc); string(got) != want || err != nil {
			t.Errorf("%q: %q, %v; want %q", text, got, err, want)
		}
	}
}

// FuzzFirst: whatever a stranger says, in whatever pieces, the Server answers or closes in time and keeps nothing.
func FuzzFirst(f *testing.F) {
	for _, seed := range []string{
		"bee\n", "GET / HTTP/1.1\r\nHost: x\r\n\r\n", "\x10\x10\x00\x04MQTT\x05", "\x16\x03\x01\x02\x00\x01\x00", "", "\xd9\xd9\xf7", " {", "PING\r\n",
	} {
		f.Add([]byte(seed), 3, true)
	}
	f.Fuzz(func(t *testing.T, data []byte, size int, half bool) {
		synctest.Test(t, func(t *testing.T) {
			p := newPipes()
			s := serve(t, Options{Listeners: []net.Listener{p}, Logger: slog.New(slog.DiscardHandler)}, "abc")
			nc := p.dial("192.0.2.1")
			var reading sync.WaitGroup
			reading.Go(func() { _, _ = io.Copy(io.Discard, nc) })
			size = max(1, size%len(append(data, 0)))
			for rest := data; len(rest) > 0; {
				k, err := nc.Write(rest[:min(size, len(rest))])
				if err != nil {
					break
				}
				rest = rest[k:]
			}
			if half {
				time.Sleep(13 * time.Second)
			}
			_ = nc.Close()
			reading.Wait()
			synctest.Wait()
			if open, _ := s.Connections(); open != 0 {
				t.Errorf("%d connections are left", open)
			}
		})
	})
}

// TestProtocolThatWaits: a stranger goes when its time is over, also if its protocol does not keep to the deadline.
func TestProtocolThatWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPipes()
		s, conns := peers(t, Options{Listeners: []net.Listener{p}}, Protocol{Name: "echo", Begins: begins("abc")})
		far := p.dial("192.0.2.1")
		say(t, far, "b")
		near := <-conns
		_ = near.SetReadDeadline(time.Time{})
		begun := time.Now()
		_, err := io.Copy(io.Discard, near)
		if took := time.Since(begun); !errors.Is(err, ErrLate) || took < 10*time.Second || took > 14*time.Second {
			t.Errorf("it goes after %v, with %v", took, err)
		}
		if err := near.Admit(); !errors.Is(err, ErrLate) {
			t.Errorf("it is admitted: %v", err)
		}
		synctest.Wait() // it is counted by whoever sends it away
		if n := s.Refused()["timeout"]; n != 1 {
			t.Errorf("%d are counted", n)
		}
		_, _ = near.Close(), far.Close()
	})
}
