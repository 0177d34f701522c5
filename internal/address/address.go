// Package address is where an address scheme is wired: what its addresses look like, and which carrier listens and
// connects there. A new medium that programs connect over is one more entry of schemes, and nothing else.
package address

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net/http"
	"strings"
	"time"

	"sighub/carrier"
	"sighub/carrier/mqtt"
	"sighub/carrier/tcp"
	"sighub/listen"
	"sighub/listen/keys"
)

// An Address is where a hub listens and where its clients find it.
type Address struct {
	Network string // the scheme: "tcp", "tls", "unix", "ws" or "wss"
	Addr    string // host:port, the path of a socket, or host:port and the path that a proxy has the hub under

	// The following are no part of the address as it is written. Zero: the carrier's default.

	// Of a socket where a hub listens: who may connect.
	Mode  fs.FileMode
	Group string

	// Of every address where a hub listens: whether TLS is spoken there, "offered", "required" or "off"; and which protocols,
	// joined by commas.
	TLS    string `json:",omitempty"`
	Speaks string `json:",omitempty"`

	// Of an address where a hub listens: Insecure says that everybody may come in there although other machines reach it, and
	// ByAddress that old programs may connect there, for which an address is an identity.
	Insecure  bool `json:",omitempty"`
	ByAddress bool `json:",omitempty"`

	// Of a tls:// address of a hub elsewhere: the pin of its key.
	Pin keys.Pin `json:"-"`
}

// A scheme is what stands before :// in an address.
type scheme struct {
	name, form string
	parse      func(a *Address, rest string) error // sets all but Network
	local      func(addr string) bool              // only this machine reaches it
	medium     *medium                             // nil: nobody listens there
	connect    func(a Address, o ClientOptions) carrier.Carrier
}

// A medium listens at all of its addresses together, so that clients are bounded wherever they come from.
type medium struct {
	listen func(list []Address, o Options) ([]Listener, error)
}

// schemes lists them; the first is that of an address without one.
var schemes = []scheme{
	{"tcp", "tcp://host:port", parseTCP, isLoopback, streams, connectTCP},
	{"tls", "tls://host:port", parseTLS, isLoopback, streams, connectTCP},
	{"unix", "unix:///path", parseUnix, func(string) bool { return true }, streams, connectTCP},
	{"ws", "ws://host:port/path", socketParser("80"), isLoopbackSocket, nil, connectSocket},
	{"wss", "wss://host:port/path", socketParser("443"), isLoopbackSocket, nil, connectSocket},
}

// Options are what a hub says to a carrier that listens. Zero values are the carrier's defaults.
type Options struct {
	Version        string
	MaxClients     int
	Window         int // messages unanswered
	MaxMessage     int // bytes
	MaxPerAddress  int
	HelloTimeout   time.Duration
	MessageTimeout time.Duration
	WriteTimeout   time.Duration
	Budget         *carrier.Budget // of memory
	Certificate    *keys.Certificate
	Login          listen.Login // who is let in; nil: everybody
	Logger         *slog.Logger
	Shelf          mqtt.Shelf      // what is announced over MQTT; nil: nothing
	Changed        chan<- struct{} // receives, if it has room, whenever a connection has come or gone

	// HTTP answers what is asked over HTTP, beside WebSockets. Nil: HTTP is not spoken.
	HTTP  http.Handler
	Base  string   // a path under which it is asked, too
	Hosts []string // names under which pages may ask: see package web
}

// ClientOptions are what a program says to a carrier that connects.
type ClientOptions struct {
	Name   string      // what the program calls itself
	Failed func(error) // is told of each try that failed
	Codec  carrier.Codec
	TLS    tcp.TLS // of tls:// addresses: beside the pin in the address
	Token  string  // by which the hub knows the program; it is not said over clear text to another machine
}

// A Listener is a carrier that listens at addresses.
type Listener interface {
	carrier.Carrier
	Addrs() []string // with the ports that were taken; none if another Listener has them
	Close() error    // ends one that is not served
}

// Listen returns carriers that listen at the addresses: at all of them, or at none.
func Listen(list []Address, o Options) (carriers []Listener, err error) {
	media := make(map[*medium][]Address)
	var order []*medium
	for _, a := range list {
		m := a.scheme().medium
		if media[m] == nil {
			order = append(order, m)
		}
		media[m] = append(media[m], a)
	}
	for _, m := range order {
		more, err := m.listen(media[m], o)
		if err != nil {
			for _, l := range carriers {
				err = errors.Join(err, l.Close())
			}
			return nil, err
		}
		carriers = append(carriers, more...)
	}
	return carriers, nil
}

// Connect returns a carrier that connects to the hub at the address when it is served.
func (a Address) Connect(o ClientOptions) carrier.Carrier { return a.scheme().connect(a, o) }

// Same reports whether the two are the same place, whoever may connect.
func (a Address) Same(b Address) bool { return a.Network == b.Network && a.Addr == b.Addr }

// String returns the address as it is written, without options: tcp://127.0.0.1:3000, unix:///run/sighub/hub.sock.
func (a Address) String() string { return a.Network + "://" + a.Addr }

// Local reports whether only this machine reaches the address.
func (a Address) Local() bool { return a.scheme().local(a.Addr) }

func (a Address) scheme() *scheme { return cmp.Or(find(a.Network), &schemes[0]) }

// find returns the scheme of that name, or nil.
func find(name string) *scheme {
	for i := range schemes {
		if schemes[i].name == name {
			return &schemes[i]
		}
	}
	return nil
}

// ParseListen reads an address where a hub listens; tls:// is a tcp:// address where TLS is required.
func ParseListen(text string) (Address, error) {
	a, err := Parse(text)
	if err == nil && a.scheme().medium == nil {
		a, err = Address{}, errWebSocket
	}
	if err == nil && !a.Pin.IsZero() {
		a, err = Address{}, errors.New("a pin is for those who connect: leave it out where the hub listens")
	}
	if err != nil || a.Network != "tls" {
		return a, err
	}
	a.Network = "tcp"
	return a, a.Set("tls", required)
}

// ParseHub reads the address of a hub, for those who connect to it.
func ParseHub(text string) (Address, error) {
	a, err := Parse(text)
	if err == nil && (a.TLS != "" || a.Speaks != "" || a.Insecure || a.ByAddress) {
		return Address{}, errors.New("these options are said where the hub listens: write tls://host:port to connect over TLS")
	}
	return a, err
}

// Parse reads an address: tcp://host:port, host:port, tls://host:port/PIN, unix:///path, or wss://host:port/path. It may have options, as in
// unix:///path?mode=0660&group=dialout or tcp://host:port?tls=required. The error says what to write instead.
func Parse(text string) (Address, error) {
	if text == "" {
		return Address{}, errors.New("the address is empty: write " + forms())
	}
	name, rest, ok := strings.Cut(text, "://")
	if !ok {
		name, rest = schemes[0].name, text
	}
	s := find(name)
	if s == nil {
		return Address{}, fmt.Errorf("%s:// is not known: write %s", name, instead(name))
	}
	a := Address{Network: name}
	rest, query, _ := strings.Cut(rest, "?")
	if err := s.parse(&a, rest); err != nil {
		return Address{}, err
	}
	if query == "" {
		return a, nil
	}
	for option := range strings.SplitSeq(query, "&") {
		key, value, _ := strings.Cut(option, "=")
		if err := a.Set(key, value); err != nil {
			return Address{}, err
		}
	}
	return a, nil
}

// instead returns what to write instead of an unknown scheme.
func instead(name string) string {
	switch name {
	case "http":
		return "tcp://host:port, where HTTP is spoken, too; a hub behind a proxy is at ws://host:port/path"
	case "https":
		return "tls://host:port, where HTTP is spoken, too; a hub behind a proxy is at wss://host:port/path"
	}
	return forms()
}

// forms lists what an address may look like.
func forms() string {
	var list []string
	for _, s := range schemes {
		if s.medium != nil { // those are enough to know
			list = append(list, s.form)
		}
	}
	last := len(list) - 1
	return strings.Join(list[:last], ", ") + " or " + list[last]
}
