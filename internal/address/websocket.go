package address

import (
	"errors"
	"fmt"
	"net"
	"net/url"
	"strings"

	"sighub/carrier"
	"sighub/carrier/tcp"
	"sighub/carrier/web"
)

// errWebSocket is the error of an address of a WebSocket where a hub is to listen.
var errWebSocket = errors.New("ws:// and wss:// are for those who connect: the hub answers WebSockets at each tcp:// address that speaks http")

// socketParser reads what is behind ws:// or wss://: host:port, and perhaps the path that a proxy has the hub under.
func socketParser(port string) func(a *Address, rest string) error {
	return func(a *Address, rest string) error {
		host, path, _ := strings.Cut(rest, "/")
		if name := strings.Trim(host, "[]"); !strings.Contains(name, ":") || strings.HasSuffix(host, "]") {
			host = net.JoinHostPort(name, port)
		}
		if err := parseTCP(a, host); err != nil {
			return err
		}
		if strings.HasPrefix(a.Addr, ":") {
			return errors.New("the host is missing: write wss://example.org")
		}
		path = "/" + strings.Trim(path, "/")
		if strings.ContainsAny(path, "# \t\\") {
			return fmt.Errorf("%q is not a path: write the one that the page of the hub has, such as wss://example.org/hub", path)
		}
		path = strings.TrimSuffix(strings.TrimSuffix(path, web.Path), "/")
		a.Addr += path
		return nil
	}
}

// isLoopbackSocket reports whether only this machine reaches host:port, whatever the path is.
func isLoopbackSocket(addr string) bool {
	hostPort, _, _ := strings.Cut(addr, "/")
	return isLoopback(hostPort)
}

func connectSocket(a Address, o ClientOptions) carrier.Carrier {
	d := web.Dialer{URL: a.String() + web.Path, Codec: o.Codec}
	if u, err := url.Parse(d.URL); err == nil && a.Network == "wss" {
		secure := o.TLS
		if !a.Pin.IsZero() {
			secure.Pin = a.Pin
		}
		name := secure.Name
		if name == "" {
			name = u.Hostname()
		}
		d.TLS = secure.Config(name)
	}
	return tcp.NewClient(d.URL, tcp.ClientOptions{Name: o.Name, Failed: o.Failed, Codec: o.Codec, Token: o.Token, Dial: d.Dial})
}
