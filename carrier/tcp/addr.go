package tcp

import (
	"context"
	"errors"
	"net"
	"os"
	"syscall"
)

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
