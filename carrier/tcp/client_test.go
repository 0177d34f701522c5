package tcp

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"sighub/carrier"
	"sighub/carrier/carriertest"
	"sighub/listen"
)

// A fakeHub accepts one connection after the other and talks as a test says.
func fakeHub(t *testing.T, talk func(s *speaker)) (addr string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		for {
			nc, err := l.Accept()
			if err != nil {
				return
			}
			s := newSpeaker(t, nc)
			talk(s)
			_ = nc.Close()
		}
	}()
	t.Cleanup(func() {
		_ = l.Close()
		<-ended
	})
	return l.Addr().String()
}

var fast = carrier.Backoff{Min: time.Millisecond, Max: time.Millisecond}

// Each failed try to connect is told, with what to do about it, and the next one follows.
func TestClientFailed(t *testing.T) {
	closed, err := Listen(loopback, Options{})
	if err != nil {
		t.Fatal(err)
	}
	if err := closed.Close(); err != nil {
		t.Fatal(err)
	}
	welcome := func(text string) func(*speaker) {
		return func(s *speaker) {
			buf := make([]byte, legacyMax)
			if _, err := s.nc.Read(buf); err == nil {
				_, _ = s.nc.Write([]byte(text)) // the client may have gone
				_, _ = s.nc.Read(buf)           // until it has
			}
		}
	}
	for _, c := range []struct{ name, addr, want string }{
		{"nobody", closed.Addr(), "is a hub running there?"},
		{"no socket", "unix://" + filepath.Join(t.TempDir(), "none"), "is a hub running there?"},
		{"no port", "127.0.0.1", "write tcp://HOST:PORT"},
		{"closed at once", fakeHub(t, func(*speaker) {}), "closed"},
		{"silent", fakeHub(t, welcome("")), "no reply to hello, which was said in JSON"},
		{"no JSON", fakeHub(t, welcome("HTTP/1.1 400 Bad Request\r\n")), "cannot begin with"},
		{"refused", fakeHub(t, welcome(`{"id":1,"status":-2,"exception":"only protocol 7 is spoken here"}`)), "only protocol 7"},
		{"another protocol", fakeHub(t, welcome(`{"id":1,"status":0,"response":{"protocol":7}}`)), "protocol is 7"},
		{"no welcome", fakeHub(t, welcome(`{"id":1,"status":0,"response":[]}`)), "hello"},
		{"talks first", fakeHub(t, welcome(`{"id":5,"method":"signal"}}`)), "cannot begin with"},
	} {
		t.Run(c.name, func(t *testing.T) {
			timeout := watchdog
			if c.name == "silent" {
				timeout = 100 * time.Millisecond
			}
			failed := make(chan error)
			end := make(chan struct{})
			client := NewClient(c.addr, ClientOptions{
				Codec: carrier.JSON, Backoff: fast, DialTimeout: timeout,
				Failed: func(err error) {
					select {
					case failed <- err:
					case <-end:
					}
				},
			})
			r := carriertest.NewRecorder(t, "client")
			serveCarrier(t, client, r)
			for tries, right := 0, 0; right < 2; tries++ {
				err := <-failed
				if strings.Contains(err.Error(), c.want) {
					right++
				} else if c.name != "silent" || tries > 20 { // it was connected too late, on a busy machine
					t.Fatalf("failed with %q, which should contain %q", err, c.want)
				}
			}
			close(end)
		})
	}
}

// A hub that knows no hello is spoken to by the legacy rules.
func TestClientOfLegacyHub(t *testing.T) {
	heard := make(chan struct{})
	addr := fakeHub(t, func(s *speaker) {
		s.hear(`{"id":1,"method":"hello","params":{"protocol":1,"name":"me","window":1024,"max_message":1048576}}`)
		s.say(`{"status": -1, "id": 1}`)
		s.hear(`{"id":2,"method":"get_version","params":null}`)
		s.say(`{"status": 0, "id": 2, "response": "1.01"}{"id": 9, "method": "echo", "params": 1}`)
		s.hear(`{"id":9,"status":0,"response":1}`)
		close(heard)
		_, _ = s.nc.Read(make([]byte, 1))
	})
	c := NewClient(addr, ClientOptions{Name: "me", Codec: carrier.JSON, Limits: Limits{LegacyGap: time.Millisecond}})
	r := carriertest.NewRecorder(t, "client")
	ctx := serveCarrier(t, c, r)
	hub, err := r.Client(ctx)
	if err != nil {
		t.Fatal(err)
	}
	if hub.Hello || hub.Name != "" {
		t.Errorf("the hub is %+v", hub)
	}
	got := make(chan string, 1)
	err = c.Transmit(ctx, hub.ID, &carrier.Message{Method: "get_version"}, func(r carrier.Reply, _ error) { got <- r.Response.String() })
	if err != nil {
		t.Fatal(err)
	}
	if v := <-got; v != `"1.01"` {
		t.Errorf("got %s", v)
	}
	select {
	case <-heard:
	case <-ctx.Done():
		t.Error("the hub's message was not replied to")
	}
}

// A client that waits for its next try to connect ends at once.
func TestClientStopsWaiting(t *testing.T) {
	waits := make(chan struct{}, 1)
	c := NewClient("unix:///nonexistent/hub", ClientOptions{
		Backoff: carrier.Backoff{Min: time.Hour, Max: time.Hour},
		Failed:  func(error) { waits <- struct{}{} },
	})
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	r := carriertest.NewRecorder(t, "client")
	go func() { ended <- c.Serve(ctx, r) }()
	<-waits
	stop()
	if err := <-ended; err != nil {
		t.Error(err)
	}
	r.Served()
}

// A peer that reads nothing is disconnected after the write timeout.
func TestWriteTimeout(t *testing.T) {
	for _, hello := range []string{jsonHello, `{"id":0,"method":"null"}`} {
		h := serveHub(t, "unix://"+filepath.Join(t.TempDir(), "hub"), Options{
			Limits: Limits{WriteTimeout: 50 * time.Millisecond, LegacyGap: time.Millisecond, ReplyTimeout: time.Millisecond},
		}, nil)
		s := h.speaker()
		s.say(hello)
		c, err := h.Client(h.ctx)
		if err != nil {
			t.Fatal(err)
		}
		m := &carrier.Message{Method: "m", Params: carrier.ValueOf(strings.Repeat("x", 4000))}
		for err == nil {
			err = h.Transmit(h.ctx, c.ID, m, ignore)
		}
		if !errors.Is(err, carrier.ErrGone) {
			t.Errorf("Transmit: %v", err)
		}
		if cause, err := h.Gone(h.ctx, c.ID); err != nil || carrier.Reason(cause) != "timeout" {
			t.Errorf("the cause is %v, %v", cause, err)
		}
	}
}

// The causes that ClientDisconnected is given.
func TestCauses(t *testing.T) {
	h := serveHub(t, loopback, Options{}, nil)
	for _, c := range []struct {
		name string
		end  func(s *speaker)
		text string
		want error
	}{
		{"closed", func(*speaker) {}, "closed by the client", carrier.ErrClosed},
		{"half a message", func(s *speaker) { s.say(`{"id":`) }, "in the middle of a message", carrier.ErrClosed},
		{"reset", func(s *speaker) { _ = s.nc.(*net.TCPConn).SetLinger(0) }, "reset", carrier.ErrClosed},
		{"garbage", func(s *speaker) { s.say("}"); s.hearPart("-4") }, "cannot begin", carrier.ErrMalformed},
	} {
		s := h.greeted(Options{})
		id, err := h.Client(h.ctx)
		if err != nil {
			t.Fatal(err)
		}
		c.end(s)
		_ = s.nc.Close()
		cause, err := h.Gone(h.ctx, id.ID)
		if err != nil || !errors.Is(cause, c.want) || !strings.Contains(cause.Error(), c.text) || carrier.Reason(cause) != "closed" {
			t.Errorf("%s: the cause is %v, %v", c.name, cause, err)
		}
	}
}

// What is pending when a client closes its half of the connection is still written, and so it is at the end.
func TestFlush(t *testing.T) {
	h := serveHub(t, loopback, Options{}, nil)
	s := h.greeted(Options{})
	s.say(strings.Repeat(`{"id":1,"method":"long","params":1000}`, 100))
	if err := s.nc.(*net.TCPConn).CloseWrite(); err != nil {
		t.Fatal(err)
	}
	want := `{"id":1,"status":0,"response":"` + strings.Repeat("x", 1000) + `"}` + "\n"
	s.hear(strings.Repeat(want, 100))
	s.hearEnd()
}

// TestEndBeforeHello: a client that is stopped when it has just connected, and has not said hello, writes nothing.
func TestEndBeforeHello(t *testing.T) {
	near, far := net.Pipe()
	read := make(chan []byte)
	go func() { b, _ := io.ReadAll(far); read <- b }()
	c := newConn(&peers{log: slog.New(slog.DiscardHandler), connecting: true}, listen.Plain(near), "pipe", new(Limits{}.withDefaults()))
	c.speak(carrier.CBOR)
	c.writer.unmarked = true
	c.fail(carrier.ErrShutdown)
	if err := c.run(); !errors.Is(err, carrier.ErrShutdown) {
		t.Error(err)
	}
	if b := <-read; len(b) > 0 {
		t.Errorf("% x was written", b)
	}
}
