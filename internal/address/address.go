// Package address is where an address scheme is wired: what its addresses look like, and which carrier listens and
// connects there. A new medium that programs connect over is one more entry of schemes, and nothing else.
package address

import (
	"cmp"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"path/filepath"
	"strconv"
	"strings"

	"sighub/carrier"
	"sighub/carrier/tcp"
)

// An Address is where a hub listens and where its clients find it.
type Address struct {
	Network string // the scheme: "tcp" or "unix"
	Addr    string // host:port, or the path of a socket
}

// A scheme is what stands before :// in an address.
type scheme struct {
	name, form string
	parse      func(rest string) (string, error) // returns Address.Addr
	local      func(addr string) bool            // only this machine reaches it
	listen     func(addr string, o Options) (Listener, error)
	connect    func(addr string, o ClientOptions) carrier.Carrier
}

// schemes lists them; the first is that of an address without one.
var schemes = []scheme{
	{"tcp", "tcp://host:port", parseTCP, isLoopback, listenTCP, connectTCP},
	{"unix", "unix:///path", parseUnix, func(string) bool { return true }, listenTCP, connectTCP},
}

// Options are what a hub says to a carrier that listens. Zero values are the carrier's defaults.
type Options struct {
	Version    string
	MaxClients int
	Window     int // messages unanswered
	MaxMessage int // bytes
	Logger     *slog.Logger
}

// ClientOptions are what a program says to a carrier that connects.
type ClientOptions struct {
	Name   string      // what the program calls itself
	Failed func(error) // is told of each try that failed
	Codec  carrier.Codec
}

// A Listener is a carrier that listens at an address.
type Listener interface {
	carrier.Carrier
	Addr() string // with the port that was taken
	Close() error // ends one that is not served
}

// Listen returns a carrier that listens at the address.
func (a Address) Listen(o Options) (Listener, error) { return a.scheme().listen(a.String(), o) }

// Connect returns a carrier that connects to the hub at the address when it is served.
func (a Address) Connect(o ClientOptions) carrier.Carrier { return a.scheme().connect(a.String(), o) }

// String returns the address as it is written: tcp://127.0.0.1:3000, unix:///run/sighub/hub.sock.
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

// Parse reads an address: tcp://host:port, host:port or unix:///path. The error says what to write instead.
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
		return Address{}, fmt.Errorf("%s:// is not known: write %s", name, forms())
	}
	addr, err := s.parse(rest)
	if err != nil {
		return Address{}, err
	}
	return Address{name, addr}, nil
}

// forms lists what an address may look like.
func forms() string {
	list := make([]string, len(schemes))
	for i, s := range schemes {
		list[i] = s.form
	}
	return strings.Join(list, " or ")
}

// maxSocketPath is how long the path of a Unix socket may be on Linux: sun_path has 108 bytes, one for the end.
const maxSocketPath = 107

func parseUnix(path string) (string, error) {
	switch {
	case !filepath.IsAbs(path):
		return "", fmt.Errorf("%q is not an absolute path: write unix:// and a path that starts with /", path)
	case len(path) > maxSocketPath:
		return "", fmt.Errorf("the socket's path has %d bytes: use a shorter one, of %d at the most", len(path), maxSocketPath)
	}
	return filepath.Clean(path), nil
}

func parseTCP(hostPort string) (string, error) {
	host, port, err := net.SplitHostPort(hostPort)
	if err != nil {
		if !strings.Contains(hostPort, ":") {
			return "", fmt.Errorf("the port is missing: write %s:3000", hostPort)
		}
		return "", fmt.Errorf("%q is not host:port: write 127.0.0.1:3000, or [::1]:3000 with an IPv6 address", hostPort)
	}
	n, err := strconv.ParseUint(port, 10, 16)
	if err != nil {
		return "", fmt.Errorf("%q is not a port: write a number from 0 (any that is free) to 65535", port)
	}
	if strings.ContainsAny(host, "/?# \t") {
		return "", fmt.Errorf("%q is not a host: write a name or an IP address", host)
	}
	return net.JoinHostPort(host, strconv.FormatUint(n, 10)), nil
}

func isLoopback(hostPort string) bool {
	host, _, err := net.SplitHostPort(hostPort)
	ip := net.ParseIP(host)
	return err == nil && (host == "localhost" || ip != nil && ip.IsLoopback())
}

func listenTCP(addr string, o Options) (Listener, error) {
	return tcp.Listen(addr, tcp.Options{
		Version: o.Version, MaxClients: o.MaxClients, Logger: o.Logger,
		Limits: tcp.Limits{Window: o.Window, MaxMessage: o.MaxMessage},
	})
}

func connectTCP(addr string, o ClientOptions) carrier.Carrier {
	return tcp.NewClient(addr, tcp.ClientOptions{Name: o.Name, Failed: o.Failed, Codec: o.Codec})
}
