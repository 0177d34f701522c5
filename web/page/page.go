// Package page is the page that a browser shows at the hub's address: one HTML file, a script and a part of it that only charts need, a style
// sheet, an icon and the licences of the libraries. They lie in dist, packed, and are embedded. Their source is in src; `go generate ./web/page` makes dist of it, as
// the command in build says, without Node and without a network.
//
// The page is static. What it shows, it asks the hub for over the WebSocket at api/v1/socket, with the protocol that all clients speak. All
// its addresses are relative, so it may lie below any path.
package page

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"fmt"
	"io"
	"io/fs"
	"mime"
	"net/http"
	"path"
	"strconv"
	"strings"
)

//go:generate go -C build run .

//go:embed dist/*.gz
var dist embed.FS

// A file is one of the page's.
type file struct {
	packed  []byte // as gzip has it
	plain   int    // how many bytes it has unpacked
	kind    string // its media type
	tag     string // its ETag
	forever bool   // its name changes whenever its content does
}

// A Page is an [http.Handler] that serves the page of a hub. It answers GET and HEAD of "/" and of the files of the page.
type Page struct {
	files map[string]*file // by name; the page itself is ""
}

// New returns the page. It sets the headers Content-Type, Content-Encoding, Content-Length, ETag, Vary and Cache-Control of its
// answers; the policy that binds the page is up to who serves it, and may forbid all but scripts, styles, images and connections of the
// same origin.
func New() *Page {
	p := &Page{files: make(map[string]*file)}
	list, err := fs.ReadDir(dist, "dist")
	if err != nil {
		panic(err) // it is a part of the program
	}
	for _, entry := range list {
		packed, err := dist.ReadFile("dist/" + entry.Name())
		if err != nil {
			panic(err)
		}
		plain, err := unpack(packed)
		if err != nil {
			panic(fmt.Sprintf("page: dist/%s: %v", entry.Name(), err))
		}
		name := strings.TrimSuffix(entry.Name(), ".gz")
		sum := sha256.Sum256(plain)
		f := &file{packed: packed, plain: len(plain), kind: kind(name), tag: hex.EncodeToString(sum[:12]), forever: strings.Count(name, ".") == 2}
		if name == "index.html" {
			name = ""
		}
		p.files[name] = f
	}
	return p
}

// kind returns the media type of a file. Systems have tables of their own, which may be wrong.
func kind(name string) string {
	switch path.Ext(name) {
	case ".html":
		return "text/html; charset=utf-8"
	case ".js":
		return "text/javascript; charset=utf-8"
	case ".css":
		return "text/css; charset=utf-8"
	case ".svg":
		return "image/svg+xml"
	default:
		return "text/plain; charset=utf-8"
	}
}

// Has reports whether the page has a file at a path of a URL, such as "/".
func (p *Page) Has(urlPath string) bool {
	_, ok := p.files[strings.TrimPrefix(urlPath, "/")]
	return ok
}

// nothing is what there is at other paths, for people.
const nothing = "There is nothing at this path of the hub. Its page is at /. If a proxy has the hub under a path, let it take that away, " +
	"or write the path that it passes on into http.base of the hub's configuration, such as /house/hub."

// ServeHTTP implements [http.Handler].
func (p *Page) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	f, ok := p.files[strings.TrimPrefix(r.URL.Path, "/")]
	if !ok {
		http.Error(w, nothing, http.StatusNotFound)
		return
	}
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		w.Header().Set("Allow", "GET, HEAD")
		http.Error(w, "The page can only be read.", http.StatusMethodNotAllowed)
		return
	}
	h := w.Header()
	zipped := takesGzip(r.Header.Get("Accept-Encoding"))
	tag := `"` + f.tag + `"`
	if zipped {
		tag = `"` + f.tag + `-gzip"`
	}
	h.Set("ETag", tag)
	h.Set("Vary", "Accept-Encoding")
	if f.forever {
		h.Set("Cache-Control", "public, max-age=31536000, immutable")
	} else {
		h.Set("Cache-Control", "no-cache")
	}
	if matches(r.Header.Get("If-None-Match"), tag) {
		w.WriteHeader(http.StatusNotModified)
		return
	}
	h.Set("Content-Type", f.kind)
	content, size := io.Reader(bytes.NewReader(f.packed)), len(f.packed)
	if zipped {
		h.Set("Content-Encoding", "gzip")
	} else {
		size = f.plain
		unpacked, err := gzip.NewReader(content)
		if err != nil {
			http.Error(w, "The page cannot be read.", http.StatusInternalServerError)
			return
		}
		content = unpacked
	}
	h.Set("Content-Length", strconv.Itoa(size))
	if r.Method == http.MethodHead {
		return
	}
	_, _ = io.Copy(w, content) // whoever has gone needs no error
}

// takesGzip reports whether an Accept-Encoding names gzip, or anything, and not with the weight 0.
func takesGzip(accept string) bool {
	for part := range strings.SplitSeq(accept, ",") {
		name, params, err := mime.ParseMediaType(strings.TrimSpace(part))
		if err != nil || name != "gzip" && name != "*" {
			continue
		}
		weight, err := strconv.ParseFloat(params["q"], 64)
		return err != nil || weight > 0
	}
	return false
}

// matches reports whether an If-None-Match names a tag.
func matches(header, tag string) bool {
	for part := range strings.SplitSeq(header, ",") {
		if part = strings.TrimPrefix(strings.TrimSpace(part), "W/"); part == tag || part == "*" {
			return true
		}
	}
	return false
}

func unpack(packed []byte) ([]byte, error) {
	r, err := gzip.NewReader(bytes.NewReader(packed))
	if err != nil {
		return nil, err
	}
	return io.ReadAll(r)
}
