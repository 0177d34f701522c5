// Package address is where an address scheme is wired: what its addresses look like, and which carrier listens and
// connects there. A new medium that programs connect over is one more entry of schemes, and nothing else.
package address

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"sighub/carrier"
	"sighub/carrier/tcp"
	"sighub/listen"
)

// An Address is where a hub listens and where its clients find it.
type Address struct {
	Network string // the scheme: "tcp" or "unix"
	Addr    string // host:port, or the path of a socket

	// Of a socket: who may connect. They are no part of the address as it is written. Zero: the carrier's default.
	Mode  fs.FileMode
	Group string
}

// A scheme is what stands before :// in an address.
type scheme struct {
	name, form string
	parse      func(a *Address, rest string) error // sets all but Network
	local      func(addr string) bool              // only this machine reaches it
	medium     *medium
	connect    func(addr string, o ClientOptions) carrier.Carrier
}

// A medium listens at all of its addresses together, so that clients are bounded wherever they come from.
type medium struct {
	listen func(list []Address, o Options) (Listener, error)
}

var streams = &medium{listenStreams}

// schemes lists them; the first is that of an address without one.
var schemes = []scheme{
	{"tcp", "tcp://host:port", parseTCP, isLoopback, streams, connectTCP},
	{"unix", "unix:///path", parseUnix, func(string) bool { return true }, streams, connectTCP},
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
	Logger         *slog.Logger
}

// ClientOptions are what a program says to a carrier that connects.
type ClientOptions struct {
	Name   string      // what the program calls itself
	Failed func(error) // is told of each try that failed
	Codec  carrier.Codec
}

// A Listener is a carrier that listens at addresses.
type Listener interface {
	carrier.Carrier
	Addrs() []string // with the ports that were taken
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
		l, err := m.listen(media[m], o)
		if err != nil {
			for _, l := range carriers {
				err = errors.Join(err, l.Close())
			}
			return nil, err
		}
		carriers = append(carriers, l)
	}
	return carriers, nil
}

// Connect returns a carrier that connects to the hub at the address when it is served.
func (a Address) Connect(o ClientOptions) carrier.Carrier { return a.scheme().connect(a.String(), o) }

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

// Parse reads an address: tcp://host:port, host:port or unix:///path, which may have options, as in
// unix:///path?mode=0660&group=dialout. The error says what to write instead.
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
	a := Address{Network: name}
	if err := s.parse(&a, rest); err != nil {
		return Address{}, err
	}
	return a, nil
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

func parseUnix(a *Address, rest string) error {
	path, query, _ := strings.Cut(rest, "?")
	switch {
	case strings.HasPrefix(path, "@"):
		return fmt.Errorf("%q is an abstract socket, to which everybody may connect: write the path of a file instead", path)
	case !filepath.IsAbs(path):
		return fmt.Errorf("%q is not an absolute path: write unix:// and a path that starts with /", path)
	case strings.ContainsRune(path, 0):
		return fmt.Errorf("%q is not a path", path)
	case len(path) > maxSocketPath:
		return fmt.Errorf("the socket's path has %d bytes: use a shorter one, of %d at the most", len(path), maxSocketPath)
	}
	a.Addr = filepath.Clean(path)
	if query == "" {
		return nil
	}
	for option := range strings.SplitSeq(query, "&") {
		key, value, _ := strings.Cut(option, "=")
		if err := a.Set(key, value); err != nil {
			return err
		}
	}
	return nil
}

// Set sets an option of a socket: mode, who may connect, as in 0660; or group, whose members the middle digit is for.
func (a *Address) Set(key, value string) error {
	switch {
	case a.Network != "unix":
		return fmt.Errorf("%s has no meaning for %s: only a unix:// socket has one", key, a)
	case key == "mode":
		mode, err := strconv.ParseUint(strings.TrimPrefix(value, "0o"), 8, 32)
		if err != nil || mode&^0o666 != 0 || mode&0o600 != 0o600 {
			return fmt.Errorf("mode %q is not understood: write 0600 (this user), 0660 (a group, too) or 0666 (everybody)", value)
		}
		a.Mode = fs.FileMode(mode)
	case key == "group" && value == "":
		return errors.New("the group is empty: write its name, such as group=dialout")
	case key == "group":
		a.Group = value
	default:
		return fmt.Errorf("%q is not known: write mode or group, as in unix:///run/hub.sock?mode=0660&group=dialout", key)
	}
	return nil
}

func parseTCP(a *Address, hostPort string) error {
	host, port, err := net.SplitHostPort(hostPort)
	if err != nil {
		if !strings.Contains(hostPort, ":") {
			return fmt.Errorf("the port is missing: write %s:3000", hostPort)
		}
		return fmt.Errorf("%q is not host:port: write 127.0.0.1:3000, or [::1]:3000 with an IPv6 address", hostPort)
	}
	n, err := strconv.ParseUint(port, 10, 16)
	if err != nil {
		return fmt.Errorf("%q is not a port: write a number from 0 (any that is free) to 65535", port)
	}
	if strings.ContainsAny(host, "/?# \t") {
		return fmt.Errorf("%q is not a host: write a name or an IP address", host)
	}
	a.Addr = net.JoinHostPort(host, strconv.FormatUint(n, 10))
	return nil
}

func isLoopback(hostPort string) bool {
	host, _, err := net.SplitHostPort(hostPort)
	ip := net.ParseIP(host)
	return err == nil && (host == "localhost" || ip != nil && ip.IsLoopback())
}

// streamListener is a tcp.Server at several addresses.
type streamListener struct {
	*tcp.Server
	below *listen.Server
}

// Addrs implements [Listener].
func (s streamListener) Addrs() []string { return s.below.Addrs() }

func listenStreams(list []Address, o Options) (Listener, error) {
	below := listen.Options{
		MaxConns: o.MaxClients, MaxPerAddress: o.MaxPerAddress, StrangerTime: o.HelloTimeout, WriteTimeout: o.WriteTimeout, Logger: o.Logger,
	}
	for _, a := range list {
		below.Addresses = append(below.Addresses, listen.Address{At: a.String(), Mode: a.Mode, Group: a.Group})
	}
	server, err := listen.Open(below)
	if err != nil {
		return nil, err
	}
	return streamListener{tcp.On(server, tcp.Options{
		Version: o.Version, Budget: o.Budget, Logger: o.Logger,
		Limits: tcp.Limits{
			Window: o.Window, MaxMessage: o.MaxMessage,
			HelloTimeout: o.HelloTimeout, MessageTimeout: o.MessageTimeout, WriteTimeout: o.WriteTimeout,
		},
	}), server}, nil
}

func connectTCP(addr string, o ClientOptions) carrier.Carrier {
	return tcp.NewClient(addr, tcp.ClientOptions{Name: o.Name, Failed: o.Failed, Codec: o.Codec})
}
