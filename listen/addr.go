package listen

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

	"sighub/listen/internal/socketfile"
)

// KeepAlive finds a peer that vanished without a word within half a minute.
var KeepAlive = net.KeepAliveConfig{Enable: true, Idle: 15 * time.Second, Interval: 5 * time.Second, Count: 3}

// ParseAddr takes an address apart into a network, "tcp" or "unix", and its address there.
func ParseAddr(addr string) (network, where string, err error) {
	scheme, rest, ok := strings.Cut(addr, "://")
	if !ok {
		scheme, rest = "tcp", addr
	}
	switch scheme {
	case "tcp":
		if _, _, err := net.SplitHostPort(rest); err != nil {
			return "", "", fmt.Errorf("listen: the address %q is not understood (%w): write tcp://HOST:PORT", addr, err)
		}
		return "tcp", rest, nil
	case "unix":
		if !filepath.IsAbs(rest) || strings.Contains(rest, "\x00") { // abstract sockets have no mode: everybody may connect
			return "", "", fmt.Errorf("listen: the address %q is not understood: write unix:///PATH, with three slashes", addr)
		}
		return "unix", rest, nil
	default:
		return "", "", fmt.Errorf("listen: the address %q is not understood: write tcp://HOST:PORT or unix:///PATH", addr)
	}
}

// open listens at an address.
func (a *Address) open() (net.Listener, error) {
	network, where, err := ParseAddr(a.At)
	if err != nil {
		return nil, err
	}
	var l net.Listener
	if network == "unix" {
		l, err = socketfile.Listen(where, a.Mode, a.Group)
	} else {
		config := net.ListenConfig{KeepAliveConfig: KeepAlive}
		l, err = config.Listen(context.Background(), network, where)
	}
	if err != nil {
		return nil, fmt.Errorf("listen: cannot listen at %s: %w: %s", a.At, err, hint(network, err))
	}
	return l, nil
}

// hint says what to do about an error of listening.
func hint(network string, err error) string {
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
