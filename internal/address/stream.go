package address

import (
	"errors"
	"fmt"
	"io/fs"
	"net"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"sighub/carrier"
	"sighub/carrier/mqtt"
	"sighub/carrier/tcp"
	"sighub/carrier/web"
	"sighub/listen"
	"sighub/listen/keys"
)

// streams are TCP, with TLS or without, and Unix sockets.
var streams = &medium{listenStreams}

// maxSocketPath is how long the path of a Unix socket may be on Linux: sun_path has 108 bytes, one for the end.
const maxSocketPath = 107

func parseUnix(a *Address, path string) error {
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
	return nil
}

// required is the value of the option tls where clear text is refused.
const required = "required"

// uses are what an option tls may say.
func uses() map[string]listen.TLS {
	return map[string]listen.TLS{"offered": listen.Offered, required: listen.Required, "off": listen.Off}
}

// protocols are what an option speaks may name.
func protocols() []string { return []string{"cbor", "json", "http", "mqtt"} }

// Set sets an option of an address where a hub listens: tls, speaks, and insecure or by_address, which are true; and of a socket: mode, who may connect, as in 0660, or
// group, whose members the middle digit is for.
func (a *Address) Set(key, value string) error {
	switch key {
	case "tls":
		if _, ok := uses()[value]; !ok {
			return fmt.Errorf("tls %q is not understood: write offered (to those who begin with it), required or off", value)
		}
		a.TLS = value
		return nil
	case "speaks":
		for name := range strings.SplitSeq(value, ",") {
			if !slices.Contains(protocols(), name) {
				return fmt.Errorf("%q is no protocol that may be spoken: write some of %s", name, strings.Join(protocols(), ", "))
			}
		}
		a.Speaks = value
		return nil
	case "insecure", "by_address":
		return a.setTruth(key, value)
	}
	return a.setSocket(key, value)
}

func (a *Address) setTruth(key, value string) error {
	switch {
	case a.Network == "unix":
		return fmt.Errorf("%s has no meaning for %s: who connects there is known", key, a)
	case value != "true":
		return fmt.Errorf("%s %q is not understood: write true, or leave it out", key, value)
	case key == "insecure":
		a.Insecure = true
	default:
		a.ByAddress = true
	}
	return nil
}

func (a *Address) setSocket(key, value string) error {
	switch {
	case a.Network != "unix" && key != "mode" && key != "group":
		return fmt.Errorf("%q is not known: write tls, speaks, insecure or by_address, as in tcp://0.0.0.0:3000?tls=required&speaks=cbor,http", key)
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
		return fmt.Errorf("%q is not known: write mode or group (or tls or speaks), as in unix:///run/hub.sock?mode=0660&group=dialout", key)
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

// parseTLS reads host:port, and perhaps the pin of the hub's key after a slash.
func parseTLS(a *Address, rest string) (err error) {
	hostPort, pin, pinned := strings.Cut(rest, "/")
	if pinned && pin != "" {
		if a.Pin, err = keys.ParsePin(pin); err != nil {
			return err
		}
	}
	return parseTCP(a, hostPort)
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

func listenStreams(list []Address, o Options) ([]Listener, error) {
	below := listen.Options{
		MaxConns: o.MaxClients, MaxPerAddress: o.MaxPerAddress, StrangerTime: o.HelloTimeout, WriteTimeout: o.WriteTimeout, Logger: o.Logger,
		Certificate: o.Certificate, Strict: o.Login != nil, Changed: o.Changed,
	}
	for _, a := range list {
		at := listen.Address{At: a.String(), Mode: a.Mode, Group: a.Group, TLS: uses()[a.TLS], ByAddress: a.ByAddress}
		if a.Speaks != "" {
			at.Speaks = strings.Split(a.Speaks, ",")
		}
		below.Addresses = append(below.Addresses, at)
	}
	server, err := listen.Open(below)
	if err != nil {
		return nil, err
	}
	streams := tcp.Options{
		Version: o.Version, Budget: o.Budget, Login: o.Login, Logger: o.Logger,
		Limits: tcp.Limits{
			Window: o.Window, MaxMessage: o.MaxMessage,
			HelloTimeout: o.HelloTimeout, MessageTimeout: o.MessageTimeout, WriteTimeout: o.WriteTimeout,
		},
	}
	carriers := []Listener{streamListener{tcp.On(server, streams), server}}
	if o.HTTP != nil {
		carriers = append(carriers, web.On(server, web.Options{Streams: streams, Handler: o.HTTP, Hosts: o.Hosts, Base: o.Base, MaxBody: int64(o.MaxMessage)}))
	}
	return append(carriers, mqtt.On(server, mqtt.Options{
		Budget: o.Budget, Login: o.Login, Logger: o.Logger, Shelf: o.Shelf,
		Limits: mqtt.Limits{
			Window: o.Window, MaxMessage: o.MaxMessage,
			HelloTimeout: o.HelloTimeout, MessageTimeout: o.MessageTimeout, WriteTimeout: o.WriteTimeout,
		},
	})), nil
}

func connectTCP(a Address, o ClientOptions) carrier.Carrier {
	options := tcp.ClientOptions{Name: o.Name, Failed: o.Failed, Codec: o.Codec, Token: o.Token}
	if a.Network == "tls" {
		options.TLS = &o.TLS
		if !a.Pin.IsZero() {
			options.TLS.Pin = a.Pin
		}
	}
	return tcp.NewClient(a.String(), options)
}
