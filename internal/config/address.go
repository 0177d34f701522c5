package config

import (
	"errors"
	"fmt"
	"net"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// An Address is where a hub listens and where its clients find it.
type Address struct {
	Network string // "tcp" or "unix"
	Addr    string // host:port, or the path of a socket
}

// String returns the address as it is written: tcp://127.0.0.1:3000, unix:///run/sighub/hub.sock.
func (a Address) String() string { return a.Network + "://" + a.Addr }

// Local tells whether only this machine reaches the address.
func (a Address) Local() bool {
	if a.Network == "unix" {
		return true
	}
	host, _, err := net.SplitHostPort(a.Addr)
	ip := net.ParseIP(host)
	return err == nil && (host == "localhost" || ip != nil && ip.IsLoopback())
}

// in tells whether the address is one of the list; two of port 0 are different ports.
func (a Address) in(list []Address) bool {
	return !strings.HasSuffix(a.Addr, ":0") && slices.Contains(list, a)
}

// maxSocketPath is how long the path of a Unix socket may be on Linux: sun_path has 108 bytes, one for the end.
const maxSocketPath = 107

// ParseAddress reads tcp://host:port, host:port or unix:///path. The error says what to write instead.
func ParseAddress(text string) (Address, error) {
	scheme, rest, ok := strings.Cut(text, "://")
	switch {
	case text == "":
		return Address{}, errors.New("the address is empty: write tcp://host:port or unix:///path")
	case !ok:
		scheme, rest = "tcp", text
	}
	switch scheme {
	case "tcp":
		return parseTCP(rest)
	case "unix":
		switch {
		case !filepath.IsAbs(rest):
			return Address{}, fmt.Errorf("%q is no absolute path: write unix:// and a path that starts with /", rest)
		case len(rest) > maxSocketPath:
			return Address{}, fmt.Errorf("the socket's path has %d bytes: use a shorter one, of %d at the most", len(rest), maxSocketPath)
		}
		return Address{"unix", filepath.Clean(rest)}, nil
	default:
		return Address{}, fmt.Errorf("%s:// is not known: write tcp://host:port or unix:///path", scheme)
	}
}

func parseTCP(hostPort string) (Address, error) {
	host, port, err := net.SplitHostPort(hostPort)
	if err != nil {
		if !strings.Contains(hostPort, ":") {
			return Address{}, fmt.Errorf("the port is missing: write %s:3000", hostPort)
		}
		return Address{}, fmt.Errorf("%q is no host:port: write 127.0.0.1:3000, or [::1]:3000 with an IPv6 address", hostPort)
	}
	n, err := strconv.ParseUint(port, 10, 16)
	if err != nil {
		return Address{}, fmt.Errorf("%q is no port: write a number from 0 (any that is free) to 65535", port)
	}
	if strings.ContainsAny(host, "/?# \t") {
		return Address{}, fmt.Errorf("%q is no host: write a name or an IP address", host)
	}
	return Address{"tcp", net.JoinHostPort(host, strconv.FormatUint(n, 10))}, nil
}
