package web

import (
	"cmp"
	"log/slog"
	"net/http"
	"strings"
	"time"

	"sighub/carrier/tcp"
	"sighub/internal/lockrank"
	"sighub/listen"
)

const (
	// ALPN is what HTTP is called in TLS.
	ALPN = "http/1.1"

	// Path is where the WebSocket is.
	Path = "/api/v1/socket"
)

// Options are a [Server]'s. The zero value is usable.
type Options struct {
	// Streams are those of the streams that WebSockets carry: limits, budget, names and logins. Its Logger receives what no client
	// can be told. Its Login is asked who asks over HTTP as well: by a token or a password in the header Authorization, and by the
	// connection. [listen.IdentityOf] the request's context tells the Handler.
	Streams tcp.Options

	// Handler answers what does not ask for a WebSocket. Its requests come from hosts and origins that may ask. Default: it is
	// not found.
	Handler http.Handler

	// Public reports whether somebody may be answered whom nobody knows. Default: where the path begins with /-/, since that tells
	// only whether the hub works.
	Public func(r *http.Request) bool

	// Hosts are names under which the hub is reached, beside its IP addresses, localhost and the names of this machine: those of a
	// router's DNS, or of a proxy. Pages that come from them may use the hub. A name that begins with a dot is that of all names
	// that end with it.
	Hosts []string

	// MaxConns is how many connections of HTTP may be open at once, WebSockets included, and MaxPerPlace how many of them from one
	// place: see [listen.Peer]. One on which nothing is asked makes way for the next one. Defaults 512, and half of it.
	MaxConns, MaxPerPlace int

	// MaxBody is the size in bytes of the largest body of a request. Default 1 MiB.
	MaxBody int64

	// RequestTime is how long a request may take to arrive, and its answer to be read; a handler that streams extends it. Default
	// 30 s.
	RequestTime time.Duration

	// IdleTime is how long a connection may wait for its next request. Default 75 s.
	IdleTime time.Duration
}

// headerTime is how long the head of a request may take, and headerBytes what it may have. The server of net/http grants another
// 4,096 bytes, and a stranger on another machine has said 16 KiB by then, which is the most that it may say.
const (
	headerTime  = 10 * time.Second
	headerBytes = 8 << 10
)

func (o Options) withDefaults() Options {
	setDefault(&o.MaxConns, 512)
	setDefault(&o.MaxPerPlace, (o.MaxConns+1)/2)
	setDefault(&o.MaxBody, 1<<20)
	setDefault(&o.RequestTime, 30*time.Second)
	setDefault(&o.IdleTime, 75*time.Second)
	setDefault(&o.Streams.Limits.HelloTimeout, 10*time.Second)
	if o.Public == nil {
		o.Public = func(r *http.Request) bool { return strings.HasPrefix(r.URL.Path, "/-/") }
	}
	if o.Handler == nil {
		o.Handler = http.NotFoundHandler()
	}
	o.Streams.Logger = lockrank.Logger(cmp.Or(o.Streams.Logger, slog.New(slog.DiscardHandler)))
	return o
}

func setDefault[T int | int64 | time.Duration](v *T, d T) {
	if *v <= 0 {
		*v = d
	}
}

// Protocols returns HTTP, as a [listen.Server] tells it from other protocols.
func Protocols() []listen.Protocol {
	return []listen.Protocol{{Name: "http", ALPN: ALPN, Begins: listen.BeginsHTTP}}
}
