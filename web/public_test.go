package web

import (
	"bufio"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// A leaf is a page with two files.
type leaf struct{}

// Has reports whether the page has a file.
func (leaf) Has(path string) bool { return path == "/" || path == "/app.js" }

// ServeHTTP implements [http.Handler].
func (p leaf) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if !p.Has(r.URL.Path) {
		http.NotFound(w, r)
		return
	}
	_, _ = io.WriteString(w, "a file")
}

// TestPublic: everybody may read the files of the page, and ask whether the hub works; and however a path is written, nobody is told more
// by that.
func TestPublic(t *testing.T) {
	s := New(Options{Page: leaf{}, Metrics: func(w http.ResponseWriter, _ bool) { _, _ = io.WriteString(w, "SECRET") }})
	for _, c := range []struct {
		line   string
		public bool
	}{
		{"GET /", true},
		{"HEAD /", true},
		{"GET /app.js", true},
		{"GET /app.js?x=/api", true},
		{"GET /-/healthy", true},
		{"GET /-/nothing", true},
		{"GET http://hub/", true},
		{"POST /", false},
		{"DELETE /app.js", false},
		{"GET /app.jsx", false},
		{"GET //app.js", false},
		{"GET /app.js/", false},
		{"GET /metrics", false},
		{"GET /api/v1/version", false},
		{"GET /-", false},
		{"GET //-/healthy", false},
		{"GET /-/../metrics", true},
		{"GET /-/..%2fmetrics", true},
		{"GET /-/%2e%2e/metrics", true},
		{"GET /-//metrics", true},
		{"GET /%2d/../metrics", true},
		{"CONNECT /-/../metrics", true},
		{"POST /-/../api/v1/senders/a/events/b", true},
		{"OPTIONS /-/../metrics", true},
	} {
		r, err := http.ReadRequest(bufio.NewReader(strings.NewReader(c.line + " HTTP/1.1\r\nHost: hub\r\n\r\n")))
		if err != nil {
			t.Fatal(c.line, err)
		}
		if got := s.Public(r); got != c.public {
			t.Errorf("%s is for everybody: %v", c.line, got)
		}
		if !c.public {
			continue
		}
		w := httptest.NewRecorder()
		s.ServeHTTP(w, r)
		// Without a hub, whatever asks it is answered with 503.
		if w.Code == http.StatusServiceUnavailable || strings.Contains(w.Body.String(), "SECRET") || w.Code == 200 && strings.Contains(c.line, "metrics") {
			t.Errorf("%s is answered with %d %s", c.line, w.Code, w.Body)
		}
	}
	plain := New(Options{})
	r := httptest.NewRequest(http.MethodGet, "/", nil)
	if plain.Public(r) {
		t.Error("the overview, which tells what the hub has, is for everybody")
	}
}
