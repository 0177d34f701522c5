package web

import (
	"bufio"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"sighub/bridge"
	"sighub/carrier"
	"sighub/carrier/local"
	"sighub/carrier/tcp"
	carrierweb "sighub/carrier/web"
	"sighub/hub"
	"sighub/journal"
	"sighub/listen"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// A house is a hub with everything around it.
type house struct {
	t      testing.TB
	url    string
	router *hub.ServerRouter
	site   *Site
	local  *local.Hub
	client *http.Client
	stop   func()
}

// begin serves a hub until the test ends, with a journal if it shall keep events.
func newHouse(t testing.TB, keep bool, o Options) *house {
	t.Helper()
	h := &house{t: t, local: local.NewHub(local.Options{})}
	transport := &http.Transport{MaxIdleConnsPerHost: 8}
	h.client = &http.Client{Transport: transport, Timeout: time.Minute}
	options := hub.ServerOptions{Grace: 100 * time.Millisecond, Methods: map[string]hub.Method{
		"list_ports": func(context.Context, carrier.Value) (any, error) {
			return []map[string]string{{"port": "/dev/ttyUSB0", "state": "absent"}}, nil
		},
		"bridges": func(context.Context, carrier.Value) (any, error) {
			return []bridge.Status{{Name: "house", Kind: "mqtt"}}, nil
		},
		"list_log": func(_ context.Context, asked carrier.Value) (any, error) {
			return []map[string]any{{"time": time.Now(), "level": "info", "message": "a line", "attrs": map[string]string{"asked": asked.String()}}}, nil
		},
		"whoami": func(context.Context, carrier.Value) (any, error) { return map[string]any{"open": true}, nil },
	}}
	if keep {
		j, err := journal.Open(t.TempDir(), journal.Options{})
		if err != nil {
			t.Fatal(err)
		}
		options.Journal = j
	}
	h.router, h.site = hub.NewServerRouter(options), New(o)
	below, err := listen.Open(listen.Options{Addresses: []listen.Address{{At: "tcp://127.0.0.1:0"}}})
	if err != nil {
		t.Fatal(err)
	}
	h.url = "http" + strings.TrimPrefix(below.Addrs()[0], "tcp")
	carriers := []carrier.Carrier{
		tcp.On(below, tcp.Options{}), carrierweb.On(below, carrierweb.Options{Handler: h.site}), h.site, h.local,
	}
	ctx, cancel := context.WithCancel(context.Background())
	var serving sync.WaitGroup
	serving.Go(func() {
		if err := h.router.Serve(ctx, carriers...); err != nil {
			t.Error(err)
		}
	})
	h.stop = sync.OnceFunc(func() {
		cancel()
		serving.Wait()
		transport.CloseIdleConnections()
	})
	t.Cleanup(h.stop)
	deadline := time.Now().Add(time.Minute)
	for !h.served() {
		if time.Now().After(deadline) {
			t.Fatal("the hub is not served")
		}
		time.Sleep(time.Millisecond)
	}
	return h
}

// served reports whether the hub answers.
func (h *house) served() bool {
	answer, err := h.client.Get(h.url + "/api/v1/version")
	if err != nil {
		return false
	}
	_ = answer.Body.Close()
	return true
}

// do asks, and reads the answer as JSON into the last argument, unless that is nil or a *string.
func (h *house) do(method, path, body string, want int, into any) http.Header {
	h.t.Helper()
	r, err := http.NewRequest(method, h.url+path, strings.NewReader(body))
	if err != nil {
		h.t.Fatal(err)
	}
	if body != "" {
		r.Header.Set("Content-Type", "application/json")
	}
	answer, err := h.client.Do(r)
	if err != nil {
		h.t.Fatal(err)
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	if err != nil || answer.StatusCode != want {
		h.t.Fatalf("%s %s: %s, not %d; %v: %s", method, path, answer.Status, want, err, text)
	}
	if want >= 400 {
		var p problemError
		if json.Unmarshal(text, &p) != nil || p.Status != want || p.Cause == "" || p.Detail == "" ||
			answer.Header.Get("Content-Type") != "application/problem+json" {
			h.t.Errorf("%s %s: not a problem: %s", method, path, text)
		}
	}
	switch into := into.(type) {
	case nil:
	case *string:
		*into = string(text)
	default:
		if err := json.Unmarshal(text, into); err != nil {
			h.t.Fatalf("%s %s: %v in %s", method, path, err, text)
		}
	}
	return answer.Header
}

func (h *house) get(path string, want int, into any) http.Header {
	h.t.Helper()
	return h.do("GET", path, "", want, into)
}

// sender adds a sender of the hub's own.
func (h *house) sender(name string, o hub.SenderOptions) *hub.Sender {
	h.t.Helper()
	s, err := h.router.AddSender(name, o)
	if err != nil {
		h.t.Fatal(err)
	}
	return s
}

// trigger triggers an event of a sender.
func (h *house) trigger(s *hub.Sender, event string, data any) {
	h.t.Helper()
	g, err := s.Signal(event)
	if err == nil {
		err = g.Trigger(h.t.Context(), data)
	}
	if err != nil {
		h.t.Fatal(err)
	}
}

// A told is one event of a stream.
type told struct {
	id, kind string
	event    event
	raw      string
}

// A listening reads a stream.
type listening struct {
	h     *house
	body  io.ReadCloser
	lines *bufio.Scanner
}

// listen opens a stream.
func (h *house) listen(query, lastID string) *listening {
	h.t.Helper()
	r, err := http.NewRequestWithContext(h.t.Context(), http.MethodGet, h.url+"/api/v1/events"+query, nil)
	if err != nil {
		h.t.Fatal(err)
	}
	if lastID != "" {
		r.Header.Set("Last-Event-ID", lastID)
	}
	client := *h.client
	client.Timeout = 0
	answer, err := client.Do(r)
	if err != nil {
		h.t.Fatal(err)
	}
	if answer.StatusCode != http.StatusOK || answer.Header.Get("Content-Type") != "text/event-stream" {
		h.t.Fatalf("%s: %s", query, answer.Status)
	}
	l := &listening{h: h, body: answer.Body, lines: bufio.NewScanner(answer.Body)}
	l.lines.Buffer(nil, 2<<20)
	h.t.Cleanup(func() { _ = l.body.Close() })
	l.next() // retry
	return l
}

// next returns the next event, or an id alone.
func (l *listening) next() (e told) {
	l.h.t.Helper()
	end := time.AfterFunc(time.Minute, func() { _ = l.body.Close() })
	defer end.Stop()
	for l.lines.Scan() {
		switch key, value, _ := strings.Cut(l.lines.Text(), ": "); key {
		case "":
			if e.raw != "" || e.id != "" || value == "" {
				return e
			}
		case "id":
			e.id = value
		case "event":
			e.kind = value
		case "data":
			e.raw = value
			type plain event
			if err := json.Unmarshal([]byte(value), (*plain)(&e.event)); err != nil {
				l.h.t.Fatalf("%v in %s", err, value)
			}
		}
	}
	l.h.t.Fatalf("the stream has ended: %v", l.lines.Err())
	return e
}
