package tcp

import (
	"context"
	"io"
	"log/slog"
	"net"
	"strings"
	"testing"
	"time"

	"sighub/carrier"
	"sighub/carrier/carriertest"
)

const watchdog = time.Minute

// A hub is a Server that is served for the time of a test.
type hub struct {
	*Server
	*carriertest.Recorder
	t   testing.TB
	ctx context.Context
}

type handleFunc = func(id carrier.ClientID, m *carrier.Message, respond func(carrier.Reply))

func serveHub(t testing.TB, addr string, o Options, handle handleFunc) *hub {
	t.Helper()
	if o.Logger == nil {
		o.Logger = slog.New(slog.NewTextHandler(testLog{t}, &slog.HandlerOptions{Level: slog.LevelDebug}))
	}
	s, err := Listen(addr, o)
	if err != nil {
		t.Fatal(err)
	}
	h := &hub{Server: s, Recorder: carriertest.NewRecorder(t, "hub"), t: t}
	h.Handle = handle
	h.ctx = serveCarrier(t, s, h.Recorder)
	return h
}

// serveCarrier serves c until the test ends; the context it returns is the test's watchdog.
func serveCarrier(t testing.TB, c carrier.Carrier, r *carriertest.Recorder) context.Context {
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		if err := c.Serve(ctx, r); err != nil {
			t.Errorf("Serve: %v", err)
		}
		r.Served()
	}()
	dog, cancel := context.WithTimeout(context.Background(), watchdog)
	t.Cleanup(func() {
		cancel()
		stop()
		<-ended
	})
	return dog
}

type testLog struct{ t testing.TB }

func (l testLog) Write(b []byte) (int, error) {
	l.t.Log(strings.TrimSpace(string(b)))
	return len(b), nil
}

// A speaker is a peer that says bytes, and knows which it wants to hear.
type speaker struct {
	t  testing.TB
	nc net.Conn
}

func (h *hub) speaker() *speaker { return newSpeaker(h.t, dialRaw(h.t, h.Addr())) }

func newSpeaker(t testing.TB, nc net.Conn) *speaker {
	t.Helper()
	if err := nc.SetDeadline(time.Now().Add(watchdog)); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = nc.Close() })
	return &speaker{t, nc}
}

func (s *speaker) say(b string) {
	s.t.Helper()
	if _, err := io.WriteString(s.nc, b); err != nil {
		s.t.Fatal(err)
	}
}

func (s *speaker) hear(want string) {
	s.t.Helper()
	got := make([]byte, len(want))
	n, err := io.ReadFull(s.nc, got)
	if string(got[:n]) != want {
		s.t.Fatalf("heard %q (%v)\nwant  %q", got[:n], err, want)
	}
}

// hearPart hears text that contains each of the parts, up to a line's end.
func (s *speaker) hearPart(parts ...string) {
	s.t.Helper()
	var line []byte
	for b := make([]byte, 1); b[0] != '\n'; line = append(line, b...) {
		if _, err := s.nc.Read(b); err != nil {
			s.t.Fatalf("heard %q, then %v", line, err)
		}
	}
	for _, p := range parts {
		if !strings.Contains(string(line), p) {
			s.t.Fatalf("heard %q, which should contain %q", line, p)
		}
	}
}

// hearEnd hears that the connection is closed, after text that contains each of the parts.
func (s *speaker) hearEnd(parts ...string) {
	s.t.Helper()
	rest, err := io.ReadAll(s.nc)
	for _, p := range parts {
		if err != nil || !strings.Contains(string(rest), p) {
			s.t.Fatalf("heard %q, %v; want %q and the end", rest, err, p)
		}
	}
	if err != nil {
		s.t.Fatal(err)
	}
}

const (
	jsonHello   = `{"id":0,"method":"hello","params":{"protocol":1,"name":"tester"}}`
	jsonWelcome = `{"id":0,"status":0,"response":{"protocol":1,"name":"sighub","version":"devel","window":1024,"max_message":1048576}}` + "\n"
)

// greeted returns a speaker that has said hello in JSON.
func (h *hub) greeted(o Options) *speaker {
	h.t.Helper()
	s := h.speaker()
	s.say(jsonHello)
	if o.Limits == (Limits{}) {
		s.hear(jsonWelcome)
	} else {
		s.hearPart(`"status":0`)
	}
	return s
}

// echoes checks that the connection still works.
func (s *speaker) echoes() {
	s.t.Helper()
	s.say(`{"id":"e","method":"echo","params":[1]}`)
	s.hear(`{"id":"e","status":0,"response":[1]}` + "\n")
}
