package browsertest

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"

	"sighub/hub"
)

// TestStrangers: a page of somebody else in the same browser can neither show the hub in a frame, nor ask it, nor send to it, whether it
// uses the hub's address or has its own name mean it.
func TestStrangers(t *testing.T) {
	s := serve(t)
	r := s.client(t, "house")
	heard := make(chan hub.Event, 16)
	if _, err := r.AddRemoteListener(t.Context(), "", "", func(ev hub.Event) {
		if ev.Name == "opened" {
			heard <- ev
		}
	}); err != nil {
		t.Fatal(err)
	}
	evil := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/html")
		if r.URL.Path != "/evil" {
			return
		}
		fmt.Fprintf(w, "<!doctype html><title>evil</title><h1>evil</h1><iframe src=%q></iframe>", s.url())
	}))
	defer evil.Close()
	p := open(t, evil.URL+"/", "")
	_, port, _ := strings.Cut(s.addr, ":")
	for _, part := range []string{":" + port, "CORS", "WebSocket", "net::ERR", "status of 4"} {
		p.expect(part) // the browser says so
	}
	p.do(chromedp.Navigate(evil.URL + "/evil"))
	p.until(`document.querySelector("iframe")`)
	attack := func(where string) {
		t.Helper()
		for what, script := range map[string]string{
			"a frame":             `new Promise(d => setTimeout(() => { let n = "closed"; try { n = document.querySelector("iframe")?.contentDocument?.body?.innerText || "closed"; } catch {} d(n); }, 300))`,
			"to read":             `fetch("URL/api/v1/senders").then(r => r.ok ? r.text() : "closed", () => "closed")`,
			"to send JSON":        `fetch("URL/api/v1/senders/door/events/opened", {method: "POST", headers: {"Content-Type": "application/json"}, body: "1"}).then(r => r.ok ? r.text() : "closed", () => "closed")`,
			"to send, not asking": `fetch("URL/api/v1/senders/door/events/opened", {method: "POST", mode: "no-cors", body: "1"}).then(r => r.ok ? r.text() : "closed", () => "closed")`,
			"a script":            `new Promise(d => { const e = document.createElement("script"); e.onload = () => d("loaded"); e.onerror = () => d("closed"); e.src = "URL/api/v1/senders"; document.head.append(e); })`,
			"a WebSocket":         `new Promise(d => { const s = new WebSocket("URL/api/v1/socket".replace("http", "ws"), "sighub.json"); s.onopen = () => d("open"); s.onerror = s.onclose = () => d("closed"); })`,
		} {
			if got := eval[string](p, strings.ReplaceAll(script, "URL/", where)); got != "closed" {
				t.Errorf("%s at %s: %s", what, where, got)
			}
		}
	}
	attack(s.url())
	attack(strings.Replace(s.url(), "127.0.0.1", "localhost", 1))

	rebound := strings.Replace(s.url(), "127.0.0.1", "evil.example", 1)
	p.do(chromedp.Navigate(rebound))
	p.untilText("The hub is not called evil.example")
	attack(rebound) // from the same origin, as the browser thinks
	select {
	case ev := <-heard:
		t.Errorf("%+v came through", ev)
	default:
	}
}
