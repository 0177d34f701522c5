package web

import (
	"context"
	"encoding/csv"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"sighub/carrier"
	"sighub/hub"
)

type page struct {
	Senders []sender `json:"senders"`
	Next    any      `json:"next"`
	Events  []struct {
		Sender, Event, Position, Time string
		Data                          any
	} `json:"events"`
	Buckets []bucket `json:"buckets"`
	Clients []struct {
		ID      uint64
		Addr    string
		Refused map[string]uint64
	} `json:"clients"`
}

// TestEvents: what is sent over HTTP is on record, and is told in each way.
func TestEvents(t *testing.T) {
	h := newHouse(t, true, Options{})
	h.do("POST", "/api/v1/senders/kitchen/events/temperature", "21.5", 204, nil)
	h.do("POST", "/api/v1/senders/attic/events/temperature?time=2001-01-01T10:00:00Z", "20.5", 422, nil)
	h.do("POST", "/api/v1/senders/kitchen/events/temperature", "22.5", 204, nil)
	h.do("POST", "/api/v1/senders/kitchen/events/light", `"on"`, 204, nil)

	type plain struct {
		Sender, Event, Position string
		Data                    any
	}
	var last plain
	h.get("/api/v1/senders/kitchen/events/temperature", 200, &last)
	if last.Data != 22.5 || last.Sender != "kitchen" || last.Position == "" {
		t.Errorf("the last one is %+v", last)
	}
	var p page
	h.get("/api/v1/senders/kitchen/events?limit=2", 200, &p)
	if len(p.Events) != 2 || p.Events[0].Event != "#connect" || p.Events[1].Event != "#disconnect" {
		t.Errorf("%+v", p)
	}
	after, _ := p.Next.(map[string]any)
	p = page{}
	h.get("/api/v1/senders/kitchen/events?after="+url.QueryEscape(fmt.Sprint(after["after"])), 200, &p)
	if len(p.Events) != 2 || p.Events[0].Event != "light" || p.Next != nil {
		t.Errorf("the next page: %+v", p)
	}
	p = page{}
	h.get("/api/v1/last?event=temperature", 200, &p)
	if len(p.Events) != 1 || p.Events[0].Data != 22.5 {
		t.Errorf("of all: %+v", p)
	}

	p = page{}
	h.get("/api/v1/senders/kitchen/history?event=temperature&limit=1", 200, &p)
	if len(p.Events) != 1 || p.Events[0].Data != 21.5 {
		t.Fatalf("history: %+v", p)
	}
	next := fmt.Sprint(p.Next)
	p = page{}
	h.get("/api/v1/senders/kitchen/history?event=temperature&after="+next, 200, &p)
	if len(p.Events) != 1 || p.Events[0].Data != 22.5 || p.Next != nil {
		t.Errorf("behind %s: %+v", next, p)
	}
	p = page{}
	h.get("/api/v1/senders/kitchen/history?event=temperature&every=60m", 200, &p)
	if len(p.Buckets) == 0 || p.Buckets[len(p.Buckets)-1].Last != "22.5" {
		t.Errorf("sums: %+v", p)
	}
	var text string
	head := h.get("/api/v1/senders/kitchen/history?event=temperature&format=csv&limit=2", 200, &text)
	rows, err := csv.NewReader(strings.NewReader(text)).ReadAll()
	if err != nil || len(rows) != 3 || rows[1][3] != "21.5" || rows[2][3] != "22.5" || !strings.Contains(head.Get("Content-Disposition"), "attachment") {
		t.Errorf("CSV: %v, %v, %v", rows, err, head)
	}
	h.get("/api/v1/senders/kitchen/events/humidity", 404, nil)
	h.get("/api/v1/senders/kitchen/history?every=1s&event=temperature", 400, nil)
	h.get("/api/v1/senders/kitchen/history?every=1m", 400, nil)
}

// TestDownload: a download has all pages of the past.
func TestDownload(t *testing.T) {
	h := newHouse(t, true, Options{})
	s := h.sender("=formula", hub.SenderOptions{Events: []string{"n"}})
	const events = 3500
	for i := range events {
		h.trigger(s, "n", i)
	}
	var p page
	deadline := time.Now().Add(time.Minute)
	for len(p.Events) == 0 || p.Events[0].Data != float64(events-1) { // until all are committed
		if p = (page{}); time.Now().After(deadline) {
			t.Fatal("the events are not on record")
		}
		h.get("/api/v1/senders/=formula/events?after=a", 200, &p)
	}
	var text string
	h.get("/api/v1/senders/=formula/history?event=n&format=csv", 200, &text)
	rows, err := csv.NewReader(strings.NewReader(text)).ReadAll()
	if err != nil || len(rows) != events+1 {
		t.Fatalf("%d rows, %v", len(rows), err)
	}
	for i, row := range rows[1:] {
		if row[1] != "'=formula" || row[3] != fmt.Sprint(i) {
			t.Fatalf("row %d is %v", i, row)
		}
	}
}

// TestRequests: a request is answered, and each way in which it can fail has its status.
func TestRequests(t *testing.T) {
	h := newHouse(t, false, Options{})
	h.sender("lamp/1", hub.SenderOptions{Events: []string{"state"}, Requests: map[string]hub.RequestHandler{
		"double": func(_ context.Context, _ string, params carrier.Value) (any, error) {
			n, ok := params.Uint()
			if !ok {
				return nil, errors.New("not a number")
			}
			return 2 * n, nil
		},
	}})
	var answer struct{ Response any }
	h.do("POST", "/api/v1/senders/lamp%2F1/requests/double", "21", 200, &answer)
	if answer.Response != 42.0 {
		t.Errorf("the answer is %v", answer.Response)
	}
	for body, want := range map[string]int{`"x"`: 502, "": 502, "{": 400, "1e999": 422, `"` + strings.Repeat("x", 2<<20) + `"`: 413} {
		h.do("POST", "/api/v1/senders/lamp%2F1/requests/double", body, want, nil)
	}
	h.do("POST", "/api/v1/senders/lamp%2F1/requests/treble", "1", 404, nil)
	h.do("POST", "/api/v1/senders/nobody/requests/double", "1", 404, nil)
	h.do("POST", "/api/v1/senders/lamp%2F1/events/state", "1", 409, nil) // it is the hub's own
	h.do("POST", "/api/v1/senders/lamp/events/%0A", "1", 400, nil)
	h.get("/api/v1/last", 501, nil) // there is no journal
	h.get("/api/v1/senders/lamp%2F1/history", 501, nil)
	h.get("/api/v1/events?from=start", 501, nil)

	r, _ := http.NewRequest(http.MethodPost, h.url+"/api/v1/senders/lamp%2F1/requests/double", strings.NewReader("21"))
	r.Header.Set("Content-Type", "text/plain")
	if answer, err := h.client.Do(r); err != nil || answer.StatusCode != http.StatusUnsupportedMediaType {
		t.Errorf("text is taken: %v, %v", answer, err)
	} else {
		_ = answer.Body.Close()
	}
}

// TestPaths: what is not there, and what is not done, is told as a problem.
func TestPaths(t *testing.T) {
	h := newHouse(t, false, Options{Version: "1.2"})
	for path, want := range map[string]int{
		"/nothing": 404, "/api": 404, "/api/v2/senders": 404, "/-/nothing": 404, "/metrics": 501, "/api/v1/socket": 426, "/api/v1/ports": 200,
		"/api/v1/senders?limit=0": 400, "/api/v1/senders?limit=x": 400, "/api/v1/senders?limit=9999": 400, "/api/v1/senders?limt=1": 400,
		"/api/v1/senders?after=": 400, "/api/v1/senders?after=a&after=b": 400, "/api/v1/senders?after=%ff": 400, "/api/v1/senders/%00": 400,
		"/api/v1/senders/nobody": 404, "/api/v1/events?policy=disconnect": 400, "/api/v1/events?after=x": 400, "/api/v1/events?last=yes": 400,
		"/api/v1/version?" + strings.Repeat("x", 9000): 414,
	} {
		h.get(path, want, nil)
	}
	head := h.do("POST", "/api/v1/senders", "", 405, nil)
	if head.Get("Allow") != "GET" {
		t.Errorf("allowed: %v", head)
	}
	for _, path := range []string{"/api/v1/events", "/api/v1/senders", "/metrics", "/"} {
		answer, err := h.client.Head(h.url + path)
		if err != nil || answer.Header.Get("Content-Type") == "" {
			t.Errorf("the head of %s: %v, %v", path, answer, err)
		}
	}
	h.do("DELETE", "/api/v1/senders/a/events/b", "", 405, nil)
	h.do("PUT", "/", "", 405, nil)
	var v struct{ Version string }
	if h.get("/api/v1/version", 200, &v); v.Version != "1.2" {
		t.Error(v)
	}
	h.get("/-/ready", 200, nil)
}

// TestManySenders: ten thousand senders are told page by page, each once, and each of them can be asked for.
func TestManySenders(t *testing.T) {
	h := newHouse(t, false, Options{})
	const many = 10_000
	for i := range many {
		h.sender(fmt.Sprintf("s/%05d é", i), hub.SenderOptions{Events: []string{"a"}, Units: map[string]string{"a": "Cel"}})
	}
	after, count := "", 0
	for {
		var p page
		h.get("/api/v1/senders?limit=900"+after, 200, &p)
		for _, s := range p.Senders {
			if want := fmt.Sprintf("s/%05d é", count); *s.Sender != want || !s.Connected || len(s.Events) != 3 || s.Events[0].Unit+s.Events[1].Unit+s.Events[2].Unit != "Cel" {
				t.Fatalf("%+v, not %s", s, want)
			}
			count++
		}
		if p.Next == nil {
			break
		}
		after = "&after=" + url.QueryEscape(fmt.Sprint(p.Next))
	}
	if count != many {
		t.Errorf("%d senders", count)
	}
	var s sender
	if h.get("/api/v1/senders/"+url.PathEscape("s/05000 é"), 200, &s); *s.Sender != "s/05000 é" {
		t.Errorf("%+v", s)
	}
	var text string
	r, _ := http.NewRequest(http.MethodGet, h.url, nil)
	r.Header.Set("Accept", "text/html")
	answer, err := h.client.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	b := make([]byte, 1<<20)
	n, _ := answer.Body.Read(b)
	if text = string(b[:n]); len(text) > 200<<10 || answer.StatusCode != http.StatusOK {
		t.Errorf("the overview has %d bytes", len(text))
	}
}

// TestBefore: nothing can be between a name and what is before it.
func TestBefore(t *testing.T) {
	for _, name := range []string{"a", "ab", "a\u00e9", "x\ue000", "a\U00010000", "!", "~~", strings.Repeat("z", 255)} {
		if b := before(name); b >= name || before(name) == "" && len(name) > 1 {
			t.Errorf("%q is not before %q", b, name)
		} else if between := b + "\u0001"; between >= name {
			t.Errorf("%q", between)
		}
	}
}

// TestOverview: names and data of strangers are shown as they are, and mean nothing to a browser.
func TestOverview(t *testing.T) {
	h := newHouse(t, true, Options{Version: "<v>"})
	h.do("POST", "/api/v1/senders/"+url.PathEscape("<script>alert(1)</script>")+"/events/"+url.PathEscape(`"><img src=x>`), `"<b onclick='x'>&"`, 204, nil)
	r, _ := http.NewRequest(http.MethodGet, h.url+"/", nil)
	r.Header.Set("Accept", "text/html,*/*")
	answer, err := h.client.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	b := make([]byte, 1<<20)
	n := 0
	for {
		k, err := answer.Body.Read(b[n:])
		if n += k; err != nil {
			break
		}
	}
	text := string(b[:n])
	for _, bad := range []string{"<script", "<img", "<b ", "<v>"} {
		if strings.Contains(text, bad) {
			t.Errorf("%s is in %s", bad, text)
		}
	}
	for _, good := range []string{"&lt;script&gt;", "&lt;img", "&lt;b onclick", "&lt;v&gt;", "not connected"} {
		if !strings.Contains(text, good) {
			t.Errorf("%s is not in %s", good, text)
		}
	}
	csp := answer.Header.Get("Content-Security-Policy")
	if strings.Contains(csp, "script") || !strings.Contains(csp, "default-src 'none'; style-src 'sha256-") {
		t.Errorf("it allows %s", csp)
	}
}

// TestIdentity: who asks is who the hub's policy decides about.
func TestIdentity(t *testing.T) {
	h := newHouse(t, false, Options{Identify: func(r *http.Request) (string, error) {
		if name := r.Header.Get("X-Test-Name"); name != "" {
			return name, nil
		}
		if r.URL.Path == "/-/healthy" {
			return "health", nil
		}
		return "", errors.New("who are you?")
	}})
	h.get("/api/v1/senders", 401, nil)
	h.get("/api/v1/events", 401, nil)
	h.get("/metrics", 401, nil)
}

// TestProblemForPeople: what is told names no Go package.
func TestProblemForPeople(t *testing.T) {
	for text, want := range map[string]string{"carrier: not allowed: x": "not allowed: x", "hub: no such sender: x": "no such sender: x", "too hot": "too hot"} {
		if got := problemOf(&carrier.StatusError{Status: carrier.StatusDenied, Exception: text}).Detail; got != want {
			t.Errorf("%q, not %q", got, want)
		}
	}
}

// TestLog: what is asked of the log is asked of the hub.
func TestLog(t *testing.T) {
	h := newHouse(t, false, Options{})
	var answer struct {
		Lines []struct{ Attrs map[string]string }
	}
	h.get("/api/v1/log?level=warn&about=shaky&find=cable+pulled&limit=3", 200, &answer)
	if len(answer.Lines) != 1 || answer.Lines[0].Attrs["asked"] != `{"level":"warn","find":"cable pulled","limit":3,"about":["shaky"]}` {
		t.Errorf("%+v", answer)
	}
	for _, query := range []string{"?level=loud", "?limit=201", "?limit=0", "?about=", "?about=%1b", "?find=", "?since=1"} {
		h.get("/api/v1/log"+query, 400, nil)
	}
	h.get("/api/v1/bridges?name=house", 400, nil)
	h.get("/api/v1/whoami?who=me", 400, nil)
}
