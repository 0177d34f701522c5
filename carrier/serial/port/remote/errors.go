package remote

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"regexp"
	"strings"
	"syscall"
	"time"

	"sighub/carrier/serial/port"
)

// ErrNotRFC2217 says that a server does not know RFC 2217, or not on this port.
var ErrNotRFC2217 = errors.New("port: the server does not speak RFC 2217")

// An Error says in plain words why a port elsewhere cannot be opened, or was lost.
type Error struct {
	what, remedy string
	err          error
}

// Error implements error.
func (e *Error) Error() string { return e.what }

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.err }

// Remedy returns what a user can do about it: see [port.Remedy].
func (e *Error) Remedy() string { return e.remedy }

// dialError words an error of connecting.
func dialError(err error) error {
	e := &Error{err: err}
	var dns *net.DNSError
	switch {
	case errors.As(err, &dns) && dns.IsNotFound:
		e.what, e.remedy = "there is no host of this name", "check the name, or write the host's IP address"
	case errors.As(err, &dns):
		e.what, e.remedy = "the host's name cannot be looked up", "check the network, or write the host's IP address"
	case errors.Is(err, syscall.ECONNREFUSED):
		e.what, e.remedy = "the connection is refused", "is the server of ports running there, and is this the number of its port?"
	case errors.Is(err, syscall.EHOSTUNREACH), errors.Is(err, syscall.ENETUNREACH):
		e.what, e.remedy = "there is no route to this host", "is it switched on, and on a network that this machine reaches?"
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, os.ErrDeadlineExceeded), errors.Is(err, syscall.ETIMEDOUT):
		e.what, e.remedy = "the host does not answer", "is it switched on, and does no firewall keep this machine out?"
	default:
		e.what, e.remedy = "cannot connect: "+err.Error(), "check the address"
	}
	return e
}

// lostError words an error of reading and writing.
func lostError(err error) error {
	const again = "it will be tried again"
	switch {
	case err == nil, errors.Is(err, net.ErrClosed):
		return os.ErrClosed
	case errors.Is(err, io.EOF):
		return &Error{"the server has closed the connection", again, err}
	case errors.Is(err, syscall.ECONNRESET), errors.Is(err, syscall.EPIPE):
		return &Error{"the server has broken the connection off", again, err}
	case errors.Is(err, syscall.ETIMEDOUT), errors.Is(err, os.ErrDeadlineExceeded):
		return &Error{"the server does not answer any more", "is it switched on, and the network in order? it will be tried again", err}
	case errors.Is(err, syscall.EHOSTUNREACH), errors.Is(err, syscall.ENETUNREACH):
		return &Error{"there is no route to the server any more", again, err}
	}
	return err
}

// isLost reports whether the other end has ended the connection.
func isLost(err error) bool {
	return errors.Is(err, io.EOF) || errors.Is(err, syscall.ECONNRESET) || errors.Is(err, syscall.EPIPE)
}

// inUse matches what servers say to the second one who connects.
var inUse = regexp.MustCompile(`(?i)in use|busy|already|occupied|another|too many|denied|refused`)

// sentAway words that a server has closed a connection that had just begun, with what it said.
func sentAway(said []byte, err error) error {
	const most = 80 // bytes that are shown
	d := decoder{negotiated: func(byte, byte) {}, sub: func(byte, []byte) {}}
	said = d.feed(nil, said) // it may be a server of Telnet
	text := strings.TrimSpace(strings.Map(func(r rune) rune {
		if r < ' ' || r > '~' {
			return ' '
		}
		return r
	}, string(said[:min(len(said), most)])))
	switch {
	case inUse.MatchString(text):
		return &Error{fmt.Sprintf("somebody else is connected: the server says %q", text),
			"close the other connection; it will be tried again", errors.Join(syscall.EBUSY, err)}
	case text != "":
		return &Error{fmt.Sprintf("the server closes the connection at once, and says %q", text), "ask whoever runs the server", err}
	}
	return &Error{"the server closes the connection at once",
		"is somebody else connected, or does the server not let this machine in? it will be tried again", err}
}

// notRFC2217 words that a server does not know RFC 2217.
func notRFC2217(how, address string) error {
	return &Error{"this is not RFC 2217: " + how,
		"let the server serve this port with RFC 2217, or write tcp://" + address + " if the port's settings there are right as they are", ErrNotRFC2217}
}

// silent words that a server has not answered a command.
func silent(what string, within time.Duration) error {
	return &Error{fmt.Sprintf("the server has not answered within %v when it was to set %s", within, what), "it will be tried again", os.ErrDeadlineExceeded}
}

// settingsError words that a server cannot have a setting.
func settingsError(format string, args ...any) error {
	return fmt.Errorf("%w: "+format, append([]any{port.ErrSettings}, args...)...)
}
