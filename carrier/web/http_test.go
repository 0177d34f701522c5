package web

import (
	"bufio"
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"

	"sighub/carrier"
	"sighub/carrier/tcp"
	"sighub/listen"
	"sighub/listen/keys"
)

// An echo is a handler of a hub that answers each message with its params.
type echo struct{}

func (echo) ClientConnected(carrier.Client) {}
func (echo) HandleMessage(_ carrier.ClientID, m *carrier.Message, respond func(carrier.Reply)) {
	respond(carrier.Done(m.Params))
}
func (echo) ClientDisconnected(carrier.ClientID, error) {}
func (echo) AllClientsDisconnected(error)               {}

// A port is one port, with tcp and HTTP on it.
type port struct {
	addr string // host:port
	web  *Server
}

// serve serves a port until the test ends.
func serve(t *testing.T, below listen.Options, o Options) *port {
	t.Helper()
	below.Addresses = append(below.Addresses, listen.Address{At: "tcp://127.0.0.1:0"})
	l, err := listen.Open(below)
	if err != nil {
		t.Fatal(err)
	}
	streams, over := tcp.On(l, tcp.Options{}), On(l, o)
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 2)
	for _, c := range []carrier.Carrier{streams, over} {
		go func() { ended <- c.Serve(ctx, echo{}) }()
	}
	t.Cleanup(func() {
		cancel()
		for range 2 {
			if err := <-ended; err != nil {
				t.Error(err)
			}
		}
	})
	return &port{addr: strings.TrimPrefix(l.Addrs()[0], "tcp://"), web: over}
}

// ask sends what is written, and returns the status of the answer; 0: the connection was closed without one.
func (p *port) ask(t *testing.T, text string) (status int, head http.Header) {
	t.Helper()
	nc, err := net.Dial("tcp", p.addr)
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()
	_ = nc.SetDeadline(time.Now().Add(time.Minute))
	if _, err := io.WriteString(nc, text); err != nil && !strings.Contains(err.Error(), "reset") && !strings.Contains(err.Error(), "broken pipe") {
		t.Fatal(err)
	}
	r, err := http.ReadResponse(bufio.NewReader(nc), nil)
	if err != nil {
		return 0, nil
	}
	_ = r.Body.Close()
	return r.StatusCode, r.Header
}

// ok is a handler that reads the body and answers.
var ok = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
	if _, err := io.Copy(io.Discard, r.Body); err != nil {
		w.WriteHeader(http.StatusRequestEntityTooLarge)
		return
	}
	_, _ = fmt.Fprintln(w, "ok")
})

// TestWhoMayAsk: pages of others reach neither the handler nor the WebSocket, by whatever name they call the hub.
func TestWhoMayAsk(t *testing.T) {
	p := serve(t, listen.Options{}, Options{Handler: ok, Hosts: []string{"hub.example", ".lan"}})
	socket := "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n"
	for _, c := range []struct {
		line, headers string
		want          int
	}{
		{"GET /", "Host: 127.0.0.1:3000", 200},
		{"GET /", "Host: [::1]:3000", 200},
		{"GET /", "Host: 192.0.2.7", 200},
		{"GET /", "Host: LOCALHOST.", 200},
		{"GET /", "Host: hub.example:8443", 200},
		{"GET /", "Host: pi.lan", 200},
		{"GET /", "Host: lan", 421},
		{"GET /", "Host: evil.example", 421},
		{"GET /", "Host: 127.0.0.1.evil.example", 421},
		{"GET /", "Host: localhost.evil.example", 421},
		{"GET http://evil.example/", "Host: 127.0.0.1", 421}, // the address in the first line counts
		{"GET " + Path, "Host: evil.example\r\n" + socket, 421},

		{"POST /", "Host: localhost\r\nContent-Length: 0", 200},
		{"POST /", "Host: localhost:3000\r\nOrigin: http://localhost:3000\r\nContent-Length: 0", 200},
		{"POST /", "Host: localhost:3000\r\nOrigin: http://localhost:8080\r\nContent-Length: 0", 403},
		{"POST /", "Host: localhost\r\nOrigin: http://evil.example\r\nContent-Length: 0", 403},
		{"POST /", "Host: localhost\r\nOrigin: null\r\nContent-Length: 0", 403},
		{"POST /", "Host: localhost\r\nSec-Fetch-Site: cross-site\r\nContent-Length: 0", 403},
		{"DELETE /", "Host: localhost\r\nSec-Fetch-Site: same-site", 403},
		{"POST /", "Host: localhost\r\nSec-Fetch-Site: same-origin\r\nContent-Length: 0", 200},
		{"POST /", "Host: localhost\r\nOrigin: https://hub.example\r\nContent-Length: 0", 200}, // a proxy that says another host

		{"GET " + Path, "Host: localhost:3000\r\n" + socket, 101},
		{"GET " + Path, "Host: localhost:3000\r\nOrigin: http://localhost:3000\r\n" + socket, 101},
		{"GET " + Path, "Host: localhost:3000\r\nOrigin: https://hub.example\r\n" + socket, 101},
		{"GET " + Path, "Host: localhost:3000\r\nOrigin: http://localhost:8080\r\n" + socket, 403},
		{"GET " + Path, "Host: localhost:3000\r\nOrigin: http://evil.example\r\n" + socket, 403},
		{"GET " + Path, "Host: localhost:3000\r\nOrigin: null\r\n" + socket, 403},
		{"GET " + Path, "Host: localhost:3000\r\nOrigin: file://\r\n" + socket, 403},
		{"GET " + Path, "Host: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 12\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==", 400},
		{"GET " + Path, "Host: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: short", 400},
	} {
		status, head := p.ask(t, c.line+" HTTP/1.1\r\n"+c.headers+"\r\n\r\n")
		if status != c.want {
			t.Errorf("%s with %q: %d, not %d", c.line, c.headers, status, c.want)
		}
		if status != 101 && (head.Get("Content-Security-Policy") == "" || head.Get("X-Frame-Options") != "DENY" ||
			!strings.Contains(head.Get("Content-Security-Policy"), "frame-ancestors 'none'") || head.Get("X-Content-Type-Options") != "nosniff") {
			t.Errorf("%s with %q: the headers are %v", c.line, c.headers, head)
		}
	}
	if refused := p.web.Refused(); refused["host"] != 6 || refused["origin"] != 9 {
		t.Errorf("refused: %v", refused)
	}
}

// TestTooMuch: what a head or a body may have is bounded, whatever they say.
func TestTooMuch(t *testing.T) {
	p := serve(t, listen.Options{Strict: true}, Options{Handler: ok, MaxBody: 1000})
	for name, c := range map[string]struct {
		text string
		want []int
	}{
		"a large header":          {"GET / HTTP/1.1\r\nHost: localhost\r\nX: " + strings.Repeat("x", 1<<20) + "\r\n\r\n", []int{431, 400, 0}},
		"many headers":            {"GET / HTTP/1.1\r\nHost: localhost\r\n" + strings.Repeat("X: y\r\n", 100_000) + "\r\n", []int{431, 400, 0}},
		"a long line":             {"GET /" + strings.Repeat("x", 1<<20) + " HTTP/1.1\r\nHost: localhost\r\n\r\n", []int{431, 400, 0}},
		"a head within the bound": {"GET / HTTP/1.1\r\nHost: localhost\r\nX: " + strings.Repeat("x", 8000) + "\r\n\r\n", []int{200}},
		"a large body":            {"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1001\r\n\r\n" + strings.Repeat("x", 1001), []int{413}},
		"a body that lies":        {"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 99999999999999999999\r\n\r\n", []int{400}},
		"two lengths":             {"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nxx", []int{400}},
		"smuggling":               {"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nGET", []int{200, 400}},
		"two hosts":               {"GET / HTTP/1.1\r\nHost: localhost\r\nHost: evil.example\r\n\r\n", []int{400}},
		"no host":                 {"GET / HTTP/1.1\r\n\r\n", []int{400}},
		"HTTP/2":                  {"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", []int{505}},
		"CONNECT":                 {"CONNECT evil.example:443 HTTP/1.1\r\nHost: evil.example:443\r\n\r\n", []int{421}},
		"nonsense":                {"GARBAGE\r\n\r\n", []int{400}},
	} {
		status, _ := p.ask(t, c.text)
		found := false
		for _, want := range c.want {
			found = found || status == want
		}
		if !found {
			t.Errorf("%s: %d, not one of %v", name, status, c.want)
		}
	}
}

// TestSlowly: who says something too slowly is not waited for, be it a head or a body, and nobody else waits meanwhile.
func TestSlowly(t *testing.T) {
	p := serve(t, listen.Options{StrangerTime: 2 * time.Second}, Options{Handler: ok, RequestTime: 2 * time.Second})
	for name, begin := range map[string]string{
		"a head":   "GET / HTTP/1.1\r\nHost: localhost\r\nX: ",
		"a body":   "POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000\r\n\r\n",
		"a letter": "G",
	} {
		t.Run(name, func(t *testing.T) {
			nc, err := net.Dial("tcp", p.addr)
			if err != nil {
				t.Fatal(err)
			}
			defer nc.Close()
			if _, err := io.WriteString(nc, begin); err != nil {
				t.Fatal(err)
			}
			stop := make(chan struct{})
			defer close(stop)
			go func() {
				tick := time.NewTicker(50 * time.Millisecond)
				defer tick.Stop()
				for {
					select {
					case <-stop:
						return
					case <-tick.C:
						if _, err := io.WriteString(nc, "x"); err != nil {
							return
						}
					}
				}
			}()
			if status, _ := p.ask(t, "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"); status != 200 {
				t.Errorf("somebody else is answered with %d", status)
			}
			_ = nc.SetReadDeadline(time.Now().Add(15 * time.Second))
			if _, err := io.Copy(io.Discard, nc); err != nil && !strings.Contains(err.Error(), "reset") {
				t.Errorf("it is still connected: %v", err)
			}
		})
	}
}

// TestRooms: when there are as many connections as there may be, one that waits makes way, and none that is being answered.
func TestRooms(t *testing.T) {
	busy, release := make(chan struct{}, 10), make(chan struct{})
	p := serve(t, listen.Options{}, Options{MaxConns: 4, MaxPerPlace: 4, Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/busy" {
			busy <- struct{}{}
			<-release
		}
		_, _ = io.WriteString(w, "ok")
	})})
	dial := func() net.Conn {
		nc, err := net.Dial("tcp", p.addr)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = nc.Close() })
		_ = nc.SetDeadline(time.Now().Add(time.Minute))
		return nc
	}
	ask := func(nc net.Conn, path string) int {
		_, _ = io.WriteString(nc, "GET "+path+" HTTP/1.1\r\nHost: localhost\r\n\r\n")
		if path == "/busy" {
			select {
			case <-busy:
			case <-time.After(time.Minute):
				t.Fatal("nobody asks: there is no room")
			}
			return 0
		}
		r, err := http.ReadResponse(bufio.NewReader(nc), nil)
		if err != nil {
			return 0
		}
		_, _ = io.Copy(io.Discard, r.Body)
		_ = r.Body.Close()
		return r.StatusCode
	}
	idle := dial()
	if status := ask(idle, "/"); status != 200 {
		t.Fatal(status)
	}
	for range 3 {
		ask(dial(), "/busy")
	}
	p.untilOneWaits(t) // the server of HTTP says so after its answer
	if status := ask(dial(), "/"); status != 200 {
		t.Errorf("one more: %d, though one waits", status)
	}
	if n, err := idle.Read(make([]byte, 1)); err == nil {
		t.Errorf("the one that waited is still there: %d bytes", n)
	}
	p.untilOneWaits(t)
	ask(dial(), "/busy")
	if status := ask(dial(), "/"); status != 503 {
		t.Errorf("one too many: %d", status)
	}
	close(release)
}

// untilOneWaits waits until one of the connections of HTTP is asked nothing, and may make way.
func (p *port) untilOneWaits(t *testing.T) {
	t.Helper()
	r := p.web.rooms
	for end, waits := time.Now().Add(time.Minute), false; !waits; runtime.Gosched() {
		if time.Now().After(end) {
			t.Fatal("every connection is being asked something")
		}
		r.mu.Lock()
		for c := range r.open {
			waits = waits || c.waits
		}
		r.mu.Unlock()
	}
}

// TestOnePort: TCP, HTTP and WebSockets are at one port, in clear text and over TLS.
func TestOnePort(t *testing.T) {
	certificate, err := keys.Own(t.TempDir(), slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	p := serve(t, listen.Options{Certificate: certificate}, Options{Handler: ok})
	pin := certificate.Pin()
	for name, client := range map[string]carrier.Carrier{
		"tcp": tcp.NewClient("tcp://"+p.addr, tcp.ClientOptions{}),
		"tls": tcp.NewClient("tls://"+p.addr, tcp.ClientOptions{TLS: &tcp.TLS{Pin: pin}}),
		"ws":  tcp.NewClient("ws://"+p.addr, tcp.ClientOptions{Dial: Dialer{URL: "ws://" + p.addr + Path}.Dial}),
		"wss": tcp.NewClient("wss://"+p.addr, tcp.ClientOptions{Dial: Dialer{URL: "wss://" + p.addr + Path, TLS: pinned(pin)}.Dial}),
	} {
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		h := &calling{connected: make(chan carrier.Client, 1)}
		ended := make(chan error, 1)
		go func() { ended <- client.Serve(ctx, h) }()
		select {
		case c := <-h.connected:
			answered := make(chan error, 1)
			m := &carrier.Message{Method: "echo", Params: carrier.ValueOf("hello")}
			if err := client.Transmit(ctx, c.ID, m, func(r carrier.Reply, err error) {
				if s := r.Response.String(); err == nil && s != `"hello"` {
					err = fmt.Errorf("the answer is %s", s)
				}
				answered <- err
			}); err != nil {
				t.Errorf("%s: %v", name, err)
			} else if err := <-answered; err != nil {
				t.Errorf("%s: %v", name, err)
			}
		case <-ctx.Done():
			t.Errorf("%s: not connected", name)
		}
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	transport := &http.Transport{TLSClientConfig: pinned(pin)}
	defer transport.CloseIdleConnections()
	for _, url := range []string{"http://" + p.addr + "/", "https://" + p.addr + "/"} {
		r, err := (&http.Client{Transport: transport}).Get(url)
		if err != nil {
			t.Errorf("%s: %v", url, err)
			continue
		}
		_ = r.Body.Close()
		if r.StatusCode != http.StatusOK || r.ProtoMajor != 1 {
			t.Errorf("%s: %s %s", url, r.Proto, r.Status)
		}
	}
}

type calling struct {
	echo
	connected chan carrier.Client
}

func (c *calling) ClientConnected(client carrier.Client) { c.connected <- client }

// TestStranger: who opens a WebSocket and says nothing on it has no longer than anybody who connects.
func TestStranger(t *testing.T) {
	p := serve(t, listen.Options{}, Options{Streams: tcp.Options{Limits: tcp.Limits{HelloTimeout: 300 * time.Millisecond}}})
	ws := dialRaw(t, p.addr, JSON)
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	if _, _, err := ws.Read(ctx); err == nil || ctx.Err() != nil {
		t.Errorf("it is still there: %v", err)
	}
	_ = ws.CloseNow()
}

// TestPing: a ping is answered, and a client that says goodbye is told so.
func TestPing(t *testing.T) {
	p := serve(t, listen.Options{}, Options{})
	ws := dialRaw(t, p.addr, JSON)
	ctx := ws.CloseRead(t.Context())
	within, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	if err := ws.Ping(within); err != nil {
		t.Error(err)
	}
	if err := ws.Close(websocket.StatusNormalClosure, "bye"); err != nil {
		t.Error(err)
	}
}

// pinned returns what takes the hub whose key has this pin.
func pinned(pin keys.Pin) *tls.Config {
	return &tls.Config{
		MinVersion: tls.VersionTLS13, InsecureSkipVerify: true, //nolint:gosec // the pin is looked at
		VerifyConnection: func(state tls.ConnectionState) error {
			if !pin.Matches(keys.Hash(state.PeerCertificates[0])) {
				return keys.ErrPin
			}
			return nil
		},
	}
}
