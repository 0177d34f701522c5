package web

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"time"

	"sighub/carrier"
	"sighub/carrier/local"
	"sighub/internal/lockrank"
	"sighub/listen"
)

// Options are a [Site]'s. The zero value is usable.
type Options struct {
	// Version is the hub's.
	Version string

	// Budget bounds what is held for those who ask. Default: one of its own.
	Budget *carrier.Budget

	// MaxMessage is the size in bytes of the largest value. Default 1 MiB.
	MaxMessage int

	// Identify returns the identity of who asks, as the hub's policy knows it. Its error is answered with 401. Default: what
	// [listen.IdentityOf] the request's context tells.
	Identify func(r *http.Request) (identity string, err error)

	// Metrics writes the numbers of the hub; openMetrics chooses between two forms of the same text. Default: there are none.
	Metrics func(w http.ResponseWriter, openMetrics bool)

	// Alive returns when the hub works; it does not return while the hub hangs. Default: it works.
	Alive func()

	// Ready says why the hub cannot do what it is for; nil if it can. Default: it can.
	Ready func() error

	// MayMetrics reports whether an identity may read the Metrics. Default: everybody may who may ask.
	MayMetrics func(identity string) bool

	// Page answers what is neither under /api nor under /-, such as the files of a page. Default: an overview. If it has a method
	// Has(path string) bool, then what it has is told to everybody, as a page is on which people log in.
	Page http.Handler

	Logger *slog.Logger
}

// A Site is what a hub says over HTTP. It is a [carrier.Carrier], which the hub serves.
type Site struct {
	*local.Hub
	options  Options
	mux      *http.ServeMux
	sessions *sessions
	began    time.Time
}

// New returns a Site, which answers as soon as a hub serves it.
func New(o Options) *Site {
	if o.Budget == nil {
		o.Budget = carrier.NewBudget(0)
	}
	if o.MaxMessage <= 0 {
		o.MaxMessage = 1 << 20
	}
	o.Version = cmp.Or(o.Version, "devel")
	o.Logger = lockrank.Logger(cmp.Or(o.Logger, slog.New(slog.DiscardHandler)))
	if o.Identify == nil {
		o.Identify = func(r *http.Request) (string, error) { return listen.IdentityOf(r.Context()), nil }
	}
	if o.MayMetrics == nil {
		o.MayMetrics = func(string) bool { return true }
	}
	if o.Alive == nil {
		o.Alive = func() {}
	}
	if o.Ready == nil {
		o.Ready = func() error { return nil }
	}
	const around = 64 << 10 // of a value, in a message; an answer of the hub has a page
	s := &Site{
		Hub:     local.NewHub(local.Options{Codec: carrier.JSON, MaxMessage: o.MaxMessage + around, Window: window, Logger: o.Logger}),
		options: o, mux: http.NewServeMux(), began: time.Now().UTC().Truncate(time.Second),
	}
	s.sessions = &sessions{hub: s.Hub, budget: o.Budget, idle: make(map[visitor][]*waiting)}
	for _, r := range routes {
		s.mux.HandleFunc(r.method+" "+r.path, func(w http.ResponseWriter, req *http.Request) {
			if err := r.answer(s, w, req); err != nil {
				problemOf(err).write(w)
			}
		})
	}
	page := o.Page
	if page == nil {
		page = newOverview(s)
	}
	s.mux.Handle("/", page)
	for _, rest := range []string{"/api/", "/-/"} {
		s.mux.HandleFunc(rest, s.unknown)
	}
	return s
}

// Serve implements [carrier.Carrier].
func (s *Site) Serve(ctx context.Context, h carrier.Handler) error {
	err := s.Hub.Serve(ctx, h)
	s.sessions.close()
	return err
}

// A route is a method of HTTP and a path, as a pattern of [http.ServeMux], and what answers there.
type route struct {
	method, path string
	answer       func(s *Site, w http.ResponseWriter, r *http.Request) error
}

const api = "/api/v1"

// routes lists all of them; openapi.json describes those under /api.
var routes = []route{
	{"GET", api + "/version", (*Site).version},
	{"GET", api + "/openapi.json", (*Site).openAPI},
	{"GET", api + "/senders", (*Site).senders},
	{"GET", api + "/senders/{sender}", (*Site).sender},
	{"GET", api + "/senders/{sender}/events", (*Site).lastOfSender},
	{"GET", api + "/senders/{sender}/events/{event}", (*Site).lastOne},
	{"POST", api + "/senders/{sender}/events/{event}", (*Site).send},
	{"GET", api + "/senders/{sender}/history", (*Site).history},
	{"POST", api + "/senders/{sender}/requests/{method}", (*Site).request},
	{"GET", api + "/last", (*Site).lastOfAll},
	{"GET", api + "/events", (*Site).stream},
	{"GET", api + "/ports", listOf("list_ports", "ports")},
	{"GET", api + "/bridges", listOf("bridges", "bridges")},
	{"GET", api + "/log", (*Site).log},
	{"GET", api + "/whoami", (*Site).whoAmI},
	{"GET", api + "/clients", (*Site).clients},
	{"GET", api + "/refusals", (*Site).refusals},
	{"GET", api + "/socket", (*Site).socket},
	{"GET", "/metrics", (*Site).metrics},
	{"GET", "/-/healthy", (*Site).healthy},
	{"GET", "/-/ready", (*Site).ready},
}

// ServeHTTP implements [http.Handler]. Whoever serves it tells by [listen.WithPeer] who asks.
func (s *Site) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if len(r.URL.RawQuery) > maxQuery {
		problem(http.StatusRequestURITooLong, "size", "ask for less", "the parameters have %d bytes", len(r.URL.RawQuery)).write(w)
		return
	}
	s.mux.ServeHTTP(w, r)
}

const maxQuery = 8 << 10

// Public reports whether everybody may ask something: whether the hub works, and for the files of the page, which tell nothing of
// the hub.
func (s *Site) Public(r *http.Request) bool {
	if strings.HasPrefix(r.URL.Path, "/-/") {
		return true
	}
	page, ok := s.options.Page.(interface{ Has(path string) bool })
	return ok && page.Has(r.URL.Path) && (r.Method == http.MethodGet || r.Method == http.MethodHead)
}

// unknown answers what is not there, or is there with other methods.
func (s *Site) unknown(w http.ResponseWriter, r *http.Request) {
	var allowed []string
	for _, method := range []string{"GET", "POST"} {
		probe := r.Clone(r.Context())
		probe.Method = method
		if _, pattern := s.mux.Handler(probe); len(pattern) > 1 && pattern[0] != '/' {
			allowed = append(allowed, method)
		}
	}
	if len(allowed) == 0 {
		problem(http.StatusNotFound, "path", "GET api/v1/openapi.json lists what there is", "there is nothing at this path").write(w)
		return
	}
	for _, method := range allowed {
		w.Header().Add("Allow", method)
	}
	problem(http.StatusMethodNotAllowed, "method", "use "+allowed[0], "%s is not done there", r.Method).write(w)
}

// visitor returns who asks.
func (s *Site) visitor(r *http.Request) (v visitor, err error) {
	if v.identity, err = s.options.Identify(r); err != nil {
		return v, problem(http.StatusUnauthorized, "denied", "log in, or give a token that is valid", "%v", err)
	}
	v.session = listen.SessionOf(r.Context())
	v.addr, v.place = "http://"+r.RemoteAddr, r.RemoteAddr
	if p, ok := listen.PeerOf(r.Context()); ok {
		v.place, v.addr = p.Place, "http://"+p.Place
		if p.Local {
			v.addr = "http://localhost"
		}
	}
	return v, nil
}

// ask calls a method of the hub for whoever asks.
func (s *Site) ask(r *http.Request, method string, params carrier.Object) (carrier.Value, error) {
	var answer carrier.Value
	err := s.within(r, func(c *session) (err error) {
		answer, err = c.call(r.Context(), method, params)
		return err
	})
	return answer, err
}

// within does something with a session of whoever asks. If it leaves a listener or a sender there, it makes the session dirty.
func (s *Site) within(r *http.Request, do func(c *session) error) error {
	v, err := s.visitor(r)
	if err != nil {
		return err
	}
	c, err := s.sessions.take(v, listen.ProvenOf(r.Context()))
	if err != nil {
		return err
	}
	err = do(c)
	if c.dirty {
		s.sessions.drop(c)
	} else {
		s.sessions.give(v, c)
	}
	return err
}

// decode reads what the hub has answered.
func decode(v carrier.Value, into any) error {
	raw, err := v.AppendTo(nil, carrier.JSON)
	if err == nil {
		err = unmarshal(raw, into)
	}
	if err != nil {
		return fmt.Errorf("the hub's answer is not understood: %w", err)
	}
	return nil
}

func unmarshal(b []byte, into any) error { return json.Unmarshal(b, into) }

// write answers with JSON.
func write(w http.ResponseWriter, v any) error {
	b, err := json.Marshal(v)
	if err != nil {
		return err
	}
	w.Header().Set("Content-Type", "application/json")
	_, _ = w.Write(append(b, '\n')) // whoever does not read it does not want it
	return nil
}
