package tcp

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"sighub/carrier/tcp/internal/socketfile"
)

// keepAlive finds a peer that vanished without a word within half a minute.
var keepAlive = net.KeepAliveConfig{Enable: true, Idle: 15 * time.Second, Interval: 5 * time.Second, Count: 3}

// parseAddr takes an address apart into a network and its address there.
func parseAddr(addr string) (network, where string, err error) {
	scheme, rest, ok := strings.Cut(addr, "://")
	if !ok {
		scheme, rest = "tcp", addr
	}
	switch scheme {
	case "tcp":
		if _, _, err := net.SplitHostPort(rest); err != nil {
			return "", "", fmt.Errorf("tcp: the address %q is not understood (%w): write tcp://HOST:PORT", addr, err)
		}
		return "tcp", rest, nil
	case "unix":
		if !filepath.IsAbs(rest) || strings.Contains(rest, "\x00") { // abstract sockets have no mode: everybody may connect
			return "", "", fmt.Errorf("tcp: the address %q is not understood: write unix:///PATH, with three slashes", addr)
		}
		return "unix", rest, nil
	default:
		return "", "", fmt.Errorf("tcp: the address %q is not understood: write tcp://HOST:PORT or unix:///PATH", addr)
	}
}

// listenHint says what to do about an error of listen.
func listenHint(network string, err error) string {
	switch {
	case errors.Is(err, socketfile.ErrNoGroup):
		return "choose one that `getent group` lists"
	case (errors.Is(err, syscall.EPERM) || errors.Is(err, syscall.EACCES)) && strings.Contains(err.Error(), "group"):
		return "choose one that this program's user is a member of"
	case errors.Is(err, syscall.EADDRINUSE) && network == "unix":
		return "end the program that listens there, or choose another path"
	case errors.Is(err, syscall.EADDRINUSE):
		return "end the program that listens there, or choose another port"
	case (errors.Is(err, syscall.EACCES) || errors.Is(err, syscall.EPERM)) && network == "unix":
		return "choose a directory that you may write to"
	case errors.Is(err, syscall.EACCES):
		return "choose a port above 1023"
	case errors.Is(err, syscall.EADDRNOTAVAIL):
		return "choose an address of this machine, as 127.0.0.1"
	case errors.Is(err, os.ErrNotExist):
		return "make its directory first"
	case errors.Is(err, syscall.EINVAL) && network == "unix":
		return "choose a shorter path: systems allow about 100 bytes"
	default:
		return "check the address"
	}
}

// dialHint says what to do about an error of connecting.
func dialHint(network string, err error) string {
	var dns *net.DNSError
	switch {
	case errors.Is(err, syscall.ECONNREFUSED), errors.Is(err, os.ErrNotExist):
		return "is a hub running there?"
	case errors.Is(err, syscall.EACCES) && network == "unix":
		return "you may not open the hub's socket: check its owner and mode"
	case errors.As(err, &dns):
		return "check the host's name"
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, os.ErrDeadlineExceeded),
		errors.Is(err, syscall.EHOSTUNREACH), errors.Is(err, syscall.ENETUNREACH):
		return "is the host up and reachable?"
	default:
		return "check the address"
	}
}

// peerAddr returns where the other end of a connection is, for people to read. The clients of a Unix socket
// have no addresses of their own: it is the socket's.
func peerAddr(nc net.Conn, own string) string {
	if a, ok := nc.RemoteAddr().(*net.TCPAddr); ok {
		return "tcp://" + a.String()
	}
	return own
}
