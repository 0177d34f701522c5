package desk_test

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	"sighub/carrier"
	"sighub/carrier/tcp"
	"sighub/carrier/web"
	"sighub/hub"
	"sighub/hub/verb"
)

// A protocol is one that is spoken at the port.
type protocol struct {
	name  string
	codec carrier.Codec
	tls   bool
	unix  bool
	ws    bool
	rest  bool
}

var protocols = []protocol{
	{name: "JSON", codec: carrier.JSON}, {name: "CBOR", codec: carrier.CBOR},
	{name: "JSON over TLS", codec: carrier.JSON, tls: true}, {name: "CBOR over TLS", codec: carrier.CBOR, tls: true},
	{name: "JSON at a Unix socket", codec: carrier.JSON, unix: true}, {name: "CBOR at a Unix socket", codec: carrier.CBOR, unix: true},
	{name: "JSON in a WebSocket", codec: carrier.JSON, ws: true}, {name: "CBOR in a WebSocket over TLS", codec: carrier.CBOR, ws: true, tls: true},
	{name: "REST", rest: true}, {name: "REST over TLS", rest: true, tls: true}, {name: "REST at a Unix socket", rest: true, unix: true},
}

// insecureTLS is TLS to a hub that nobody vouches for: who it is does not matter here.
func insecureTLS() *tls.Config {
	return &tls.Config{MinVersion: tls.VersionTLS13, InsecureSkipVerify: true}
}

func answering(f func(any) (any, error)) hub.RequestHandler {
	return func(context.Context, string, carrier.Value) (any, error) { return f(nil) }
}

// serve serves until the test is over.
func (m *market) serve(carriers []carrier.Carrier) {
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- m.router.Serve(ctx, carriers...) }()
	m.t.Cleanup(func() { stop(); must(m.t, <-done) })
}

// A visitor is an identity at one protocol.
type visitor struct {
	m     *market
	p     *protocol
	who   string
	cells map[string]bool

	// of a stream
	carrier *tcp.Client
	hub     carrier.ClientID
	ready   chan carrier.ClientID
	heard   chan string
	stop    func()
	calls   sync.WaitGroup
	mu      sync.Mutex // of what answers say
	ids     []uint64   // of listeners

	// of REST
	http  *http.Client
	base  string
	token string
}

func (m *market) visit(p *protocol, i int, token string) *visitor {
	m.t.Helper()
	v := &visitor{m: m, p: p, who: fmt.Sprint("i", i), token: token, heard: make(chan string, 1000), ready: make(chan carrier.ClientID, 1)}
	if p.rest {
		t := &http.Transport{TLSClientConfig: insecureTLS(), DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			if p.unix {
				return new(net.Dialer).DialContext(ctx, "unix", m.socket)
			}
			return new(net.Dialer).DialContext(ctx, "tcp", m.addr)
		}}
		v.http, v.base = &http.Client{Transport: t, Timeout: time.Minute}, "http://"+m.addr
		if p.tls {
			v.base = "https://" + m.addr
		}
		v.stop = t.CloseIdleConnections
		return v
	}
	o := tcp.ClientOptions{Name: v.who, Codec: p.codec, Token: token, Failed: func(err error) {
		if err != nil && m.t.Context().Err() == nil {
			m.t.Errorf("%s, %s: %v", p.name, v.who, err)
		}
	}}
	addr := "tcp://" + m.addr
	switch {
	case p.ws && p.tls:
		o.Dial = web.Dialer{URL: "wss://" + m.addr + web.Path, Codec: p.codec, TLS: insecureTLS()}.Dial
	case p.ws:
		o.Dial = web.Dialer{URL: "ws://" + m.addr + web.Path, Codec: p.codec}.Dial
	case p.tls:
		addr, o.TLS = "tls://"+m.addr, &tcp.TLS{Pin: m.pin}
	case p.unix:
		addr = "unix://" + m.socket
	}
	v.carrier = tcp.NewClient(addr, o)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- v.carrier.Serve(ctx, v) }()
	v.stop = func() { cancel(); must(m.t, <-done) }
	select {
	case v.hub = <-v.ready:
	case <-time.After(patience):
		m.t.Fatalf("%s, %s does not come in", p.name, v.who)
	}
	return v
}

func (v *visitor) leave() { v.stop() }

// An info says of what an event is.
type info struct {
	Sender string `json:"sender"`
	Event  string `json:"event"`
}

// ClientConnected implements carrier.Handler.
func (v *visitor) ClientConnected(c carrier.Client) { v.ready <- c.ID }

// HandleMessage implements carrier.Handler.
func (v *visitor) HandleMessage(_ carrier.ClientID, msg *carrier.Message, respond func(carrier.Reply)) {
	var (
		told info
		data any
	)
	err := msg.Params.Fields(func(key string, v carrier.Value) error { // whose keys may be numbers
		switch key {
		case "data":
			return v.Decode(&data)
		case "info":
			return v.Fields(func(key string, v carrier.Value) error {
				switch key {
				case "sender":
					return v.Decode(&told.Sender)
				case "event":
					return v.Decode(&told.Event)
				}
				return nil
			})
		}
		return nil
	})
	if err != nil || msg.Method != "signal" {
		v.m.t.Errorf("%s, %s is told %s: %v", v.p.name, v.who, msg.Method, err)
	}
	if told.Sender == "mark" || slices.Contains(matrixEvents, told.Event) { // others come and go as they ask
		v.heard <- fmt.Sprint(told.Sender, " ", told.Event, " ", data)
	}
	respond(carrier.Done(nil))
}

// ClientDisconnected implements carrier.Handler.
func (v *visitor) ClientDisconnected(carrier.ClientID, error) {}

// AllClientsDisconnected implements carrier.Handler.
func (v *visitor) AllClientsDisconnected(error) {}

// tell calls a method of a stream, and notes later in a cell whether that was allowed, whatever else came of it. then is called with the
// answer, if it was done. Both may be nil. Answers are waited for by wait.
func (v *visitor) tell(cell, method string, params carrier.Object, then func(carrier.Value) error) {
	v.calls.Add(1)
	err := v.carrier.Transmit(v.m.t.Context(), v.hub, &carrier.Message{Method: method, Params: carrier.ValueOf(params)}, func(r carrier.Reply, err error) {
		defer v.calls.Done()
		v.mu.Lock()
		defer v.mu.Unlock()
		if err == nil && then != nil && r.Status == carrier.StatusDone {
			err = then(r.Response)
		}
		if err != nil {
			v.m.t.Errorf("%s, %s, %s: %v", v.p.name, v.who, method, err)
		}
		if cell != "" {
			v.cells[cell] = err == nil && r.Status != carrier.StatusDenied
		}
	})
	if err != nil {
		v.m.t.Errorf("%s, %s, %s: %v", v.p.name, v.who, method, err)
		v.calls.Done()
	}
}

// wait waits for all answers.
func (v *visitor) wait() { v.calls.Wait() }

// listen adds a listener, whose id is known after wait.
func (v *visitor) listen(cell string, params carrier.Object) {
	v.tell(cell, "add_listener", params, func(answer carrier.Value) error {
		var added struct {
			ID uint64 `json:"listener_id"`
		}
		err := answer.Decode(&added)
		v.ids = append(v.ids, added.ID)
		return err
	})
}

func object(pairs ...any) (o carrier.Object) {
	for i := 0; i < len(pairs); i += 2 {
		o = append(o, carrier.Field{Key: fmt.Sprint(pairs[i]), Value: pairs[i+1]})
	}
	return o
}

// begin listens to everything, over a stream.
func (v *visitor) begin() {
	v.cells = make(map[string]bool)
	if v.p.rest {
		return
	}
	for len(v.heard) > 0 { // of a round before
		<-v.heard
	}
	v.listen("", object("sender", nil, "event", nil))
}

// ask asks for everything, and returns what was allowed. All events up to mark have happened.
func (v *visitor) ask(mark string) map[string]bool {
	if v.p.rest {
		v.askREST()
	} else {
		v.askStream(mark)
	}
	return v.cells
}

func (v *visitor) askStream(mark string) {
	heard := v.hear(mark)
	seen, past := make(map[string]bool), make(map[string]bool)
	v.tell("admin", "list_clients", nil, nil)
	v.tell("", "list_senders", object("list_events", true), func(answer carrier.Value) error {
		var list []struct {
			Sender *string `json:"sender"`
			Events []struct {
				Event *string `json:"event"`
			} `json:"events"`
		}
		err := answer.Decode(&list)
		for _, s := range list {
			for _, e := range s.Events {
				if s.Sender != nil && e.Event != nil {
					seen[*s.Sender+" "+*e.Event] = true
				}
			}
		}
		return err
	})
	last := make(map[string]bool)
	v.tell("", "last_events", object(), func(answer carrier.Value) error {
		var page struct {
			Events []struct {
				Info info `json:"info"`
			} `json:"events"`
		}
		err := answer.Decode(&page)
		for _, e := range page.Events {
			last[e.Info.Sender+" "+e.Info.Event] = true
		}
		return err
	})
	for _, s := range matrixSenders {
		v.add("add "+s, s)
		v.history(s, past)
		for _, e := range matrixEvents {
			v.add("trigger "+s+" "+e, s, e)
			v.listen("listen "+s+" "+e, object("sender", s, "event", e))
		}
		for _, r := range matrixMethods {
			v.tell("request "+s+" "+r, "request", object("sender", s, "method", r, "params", nil), nil)
		}
	}
	v.wait()
	for _, id := range v.ids {
		v.tell("", "remove_listener", object("listener_id", id), nil)
	}
	v.ids = nil
	v.wait()
	for _, s := range matrixSenders {
		for _, e := range matrixEvents {
			cell := s + " " + e
			v.cells["heard "+cell], v.cells["last "+cell], v.cells["seen "+cell], v.cells["past "+cell] = heard[cell], last[cell], seen[cell], past[cell]
		}
	}
}

// add adds a sender beside one, and removes it.
func (v *visitor) add(cell, beside string, events ...string) {
	v.tell(cell, "add_sender", object("sender", beside+"x", "events", append([]string{}, events...), "requests", nil), nil)
	v.tell("", "remove_sender", object("sender", beside+"x"), nil)
}

// history asks for the past of a sender, page by page.
func (v *visitor) history(sender string, past map[string]bool) {
	for page, params := 0, object("sender", sender); page < mostPages && params != nil; page++ {
		next := params
		params = nil
		v.tell("history "+sender, "history", next, func(answer carrier.Value) error {
			var page struct {
				Events []struct {
					Info info `json:"info"`
				} `json:"events"`
				Next *hub.Position `json:"next"`
			}
			err := answer.Decode(&page)
			for _, e := range page.Events {
				past[e.Info.Sender+" "+e.Info.Event] = true
			}
			if page.Next != nil {
				params = object("sender", sender, "after", *page.Next)
			}
			return err
		})
		v.wait()
	}
}

// hear returns what the stream has heard up to mark, without the data. Who may not hear that hears nothing at all, if it has been heard
// by others.
func (v *visitor) hear(mark string) map[string]bool {
	heard := make(map[string]bool)
	ok, _ := v.m.guard.Control().Policy().May(v.who, verb.Listen, "mark", "end")
	for ok || len(v.heard) > 0 {
		select {
		case line := <-v.heard:
			if line == mark {
				return heard
			}
			heard[line[:strings.LastIndexByte(line, ' ')]] = true
		case <-time.After(patience):
			v.m.t.Errorf("%s, %s does not hear %s", v.p.name, v.who, mark)
			return heard
		}
	}
	return heard
}

// get asks over HTTP, and decodes the answer. It reports whether that was allowed, whatever else came of it.
func (v *visitor) get(method, path string, into any) (allowed bool) {
	var body io.Reader
	if method == http.MethodPost {
		body = bytes.NewReader([]byte("1"))
	}
	r, err := http.NewRequestWithContext(v.m.t.Context(), method, v.base+"/api/v1"+path, body)
	if err != nil {
		v.m.t.Error(err)
		return false
	}
	r.Header.Set("Authorization", "Bearer "+v.token)
	r.Header.Set("Content-Type", "application/json")
	answer, err := v.http.Do(r)
	if err != nil {
		v.m.t.Errorf("%s, %s, %s: %v", v.p.name, v.who, path, err)
		return false
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	if err == nil && into != nil && answer.StatusCode == http.StatusOK {
		err = json.Unmarshal(text, into)
	}
	if err != nil || answer.StatusCode == http.StatusUnauthorized || answer.StatusCode >= http.StatusInternalServerError && answer.StatusCode != http.StatusBadGateway {
		v.m.t.Errorf("%s, %s, %s: %s %s %v", v.p.name, v.who, path, answer.Status, text, err)
	}
	return answer.StatusCode != http.StatusForbidden
}

func (v *visitor) askREST() {
	v.cells["admin"] = v.get("GET", "/clients", nil)
	type named struct {
		info
		Events []info `json:"events"`
	}
	var seen struct {
		Senders []named `json:"senders"`
	}
	v.get("GET", "/senders", &seen)
	saw := make(map[string]bool)
	for _, s := range seen.Senders {
		for _, e := range s.Events {
			saw[s.Sender+" "+e.Event] = true
		}
	}
	var last struct {
		Events []info `json:"events"`
	}
	v.get("GET", "/last", &last)
	lasts := make(map[string]bool)
	for _, e := range last.Events {
		lasts[e.Sender+" "+e.Event] = true
	}
	for _, s := range matrixSenders {
		had := make(map[string]bool)
		for page, more := 0, ""; ; page++ {
			var past struct {
				Events []info  `json:"events"`
				Next   *string `json:"next"`
			}
			v.cells["history "+s] = v.get("GET", "/senders/"+s+"/history"+more, &past)
			for _, e := range past.Events {
				had[e.Event] = true
			}
			if past.Next == nil || page > mostPages {
				break
			}
			more = "?after=" + url.QueryEscape(*past.Next)
		}
		for _, e := range matrixEvents {
			cell, path := s+" "+e, "/senders/"+s+"x/events/"+url.PathEscape(e)
			v.cells["trigger "+cell] = v.get("POST", path, nil)
			v.cells["listen "+cell] = v.get("GET", "/senders/"+s+"/events/"+url.PathEscape(e), nil)
			v.cells["seen "+cell], v.cells["last "+cell], v.cells["past "+cell] = saw[cell], lasts[cell], had[e]
		}
		for _, r := range matrixMethods {
			v.cells["request "+s+" "+r] = v.get("POST", "/senders/"+s+"/requests/"+r, nil)
		}
	}
}

const (
	patience  = time.Minute // for anything
	mostPages = 1000        // of the past, of which a busy hub tells little at a time
)
