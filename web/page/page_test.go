package page_test

import (
	"compress/gzip"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"sighub/web/page"
)

func Example() {
	server := httptest.NewServer(page.New())
	defer server.Close()
	answer, err := http.Get(server.URL + "/")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer answer.Body.Close()
	fmt.Println(answer.StatusCode, answer.Header.Get("Content-Type"))
	// Output: 200 text/html; charset=utf-8
}

func ask(t *testing.T, method, path string, header ...string) *httptest.ResponseRecorder {
	t.Helper()
	r := httptest.NewRequest(method, path, nil)
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	w := httptest.NewRecorder()
	page.New().ServeHTTP(w, r)
	return w
}

// TestFiles: the page names its files by relative addresses, and each is there, packed or not, with its type and for ever.
func TestFiles(t *testing.T) {
	index := ask(t, "GET", "/")
	if index.Code != http.StatusOK || index.Header().Get("Cache-Control") != "no-cache" || index.Header().Get("Content-Encoding") != "" {
		t.Fatalf("the page: %d %v", index.Code, index.Header())
	}
	names := regexp.MustCompile(`(?:href|src)="([^"]+)"`).FindAllStringSubmatch(index.Body.String(), -1)
	if len(names) != 4 {
		t.Fatalf("the page names %q", names)
	}
	types := map[string]string{
		".js": "text/javascript; charset=utf-8", ".css": "text/css; charset=utf-8", ".svg": "image/svg+xml", ".txt": "text/plain; charset=utf-8",
	}
	script := ask(t, "GET", "/"+names[slices.IndexFunc(names, func(m []string) bool { return strings.HasSuffix(m[1], ".js") })][1])
	parts := regexp.MustCompile(`import\("\./([^"]+)"\)`).FindAllStringSubmatch(script.Body.String(), -1)
	if len(parts) != 1 || !strings.HasPrefix(parts[0][1], "plot.") {
		t.Errorf("the script loads %q", parts)
	}
	for _, m := range append(names, parts...) {
		name := m[1]
		if strings.ContainsAny(name, "/:") {
			t.Errorf("%s is not relative", name)
		}
		plain := ask(t, "GET", "/"+name)
		if plain.Code != http.StatusOK || plain.Header().Get("Content-Type") != types[name[strings.LastIndex(name, "."):]] {
			t.Errorf("%s: %d %v", name, plain.Code, plain.Header())
		}
		if plain.Header().Get("Cache-Control") != "public, max-age=31536000, immutable" || plain.Header().Get("Vary") != "Accept-Encoding" {
			t.Errorf("%s: %v", name, plain.Header())
		}
		if plain.Header().Get("Content-Length") != strconv.Itoa(plain.Body.Len()) || plain.Body.Len() == 0 {
			t.Errorf("%s: %d bytes, said %s", name, plain.Body.Len(), plain.Header().Get("Content-Length"))
		}
		packed := ask(t, "GET", "/"+name, "Accept-Encoding", "br, gzip;q=0.5")
		if packed.Header().Get("Content-Encoding") != "gzip" || packed.Header().Get("Content-Length") != strconv.Itoa(packed.Body.Len()) {
			t.Errorf("%s packed: %v", name, packed.Header())
		}
		r, err := gzip.NewReader(packed.Body)
		if err != nil {
			t.Fatal(err)
		}
		if content, err := io.ReadAll(r); err != nil || string(content) != plain.Body.String() {
			t.Errorf("%s: packed it is something else: %v", name, err)
		}
		if packed.Header().Get("ETag") == plain.Header().Get("ETag") {
			t.Errorf("%s: one tag for two kinds of bytes", name)
		}
	}
}

// TestOnce: what a browser has is not sent again.
func TestOnce(t *testing.T) {
	tag := ask(t, "GET", "/", "Accept-Encoding", "gzip").Header().Get("ETag")
	if len(tag) < 10 {
		t.Fatalf("tag %q", tag)
	}
	for _, said := range []string{tag, "W/" + tag, `"other", ` + tag, "*"} {
		w := ask(t, "GET", "/", "Accept-Encoding", "gzip", "If-None-Match", said)
		if w.Code != http.StatusNotModified || w.Body.Len() > 0 || w.Header().Get("ETag") != tag {
			t.Errorf("%s: %d, %d bytes, %v", said, w.Code, w.Body.Len(), w.Header())
		}
	}
	if w := ask(t, "GET", "/", "If-None-Match", tag); w.Code != http.StatusOK {
		t.Errorf("unpacked, it is something else: %d", w.Code)
	}
}

// TestOthers: a page can be read, and there is nothing else.
func TestOthers(t *testing.T) {
	for _, c := range []struct {
		method, path string
		status       int
	}{
		{"HEAD", "/", http.StatusOK}, {"POST", "/", http.StatusMethodNotAllowed}, {"GET", "/index.html", http.StatusNotFound},
		{"GET", "/app.js", http.StatusNotFound}, {"GET", "/../page.go", http.StatusNotFound}, {"GET", "//", http.StatusNotFound},
	} {
		w := ask(t, c.method, c.path)
		if w.Code != c.status || c.method == "HEAD" && w.Body.Len() > 0 {
			t.Errorf("%s %s: %d, %d bytes", c.method, c.path, w.Code, w.Body.Len())
		}
	}
	for accept, want := range map[string]string{"": "", "gzip;q=0": "", "identity": "", "*": "gzip", "deflate, gzip": "gzip", ";;": ""} {
		if got := ask(t, "GET", "/", "Accept-Encoding", accept).Header().Get("Content-Encoding"); got != want {
			t.Errorf("Accept-Encoding %q: %q", accept, got)
		}
	}
	if p := page.New(); !p.Has("/") || p.Has("/api/v1/senders") {
		t.Error("it does not know what it has")
	}
}
