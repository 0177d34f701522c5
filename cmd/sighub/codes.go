package main

import (
	"context"
	"errors"
	"syscall"

	"sighub/carrier"
	"sighub/hub"
)

// The exit codes of the process, as docs/gateway.md and `sighub --help` have them.
const (
	exitDone        = 0
	exitFailed      = 1 // any other failure; interrupted before it was done
	exitUsage       = 2 // the command line or the configuration is wrong
	exitTimeout     = 3 // no answer or no event in time
	exitNothing     = 4 // the hub has no such sender, event, request or cursor
	exitUnreachable = 5 // the hub cannot be reached, or the connection was lost
	exitRefused     = 6 // the hub refuses it: a name, a value, a limit, a right
)

// exitCodes is the text of the help.
const exitCodes = `It exits with 0 when it is done, 2 when the command line or the configuration is wrong, 3 when there is no answer or event in
time, 4 when there is no such sender, event, request or cursor, 5 when the hub cannot be reached, 6 when the hub refuses it, and 1 when
anything else fails.`

// A usageError says what is wrong with the command line or the configuration.
type usageError struct{ error }

func (e usageError) Unwrap() error { return e.error }

// An unreachableError says why the hub cannot be reached.
type unreachableError struct{ error }

func (e unreachableError) Unwrap() error { return e.error }

// errInTime is the kind of error of what did not happen in time.
var errInTime = errors.New("not in time")

// A lateError is of the kind errInTime, in words of its own.
type lateError struct{ error }

func (e lateError) Is(target error) bool { return target == errInTime }
func (e lateError) Unwrap() error        { return e.error }

// exitCode returns the exit code that tells of an error.
func exitCode(err error) int {
	var (
		usage       usageError
		unreachable unreachableError
	)
	switch {
	case err == nil:
		return exitDone
	case errors.As(err, &usage):
		return exitUsage
	case errors.Is(err, errInterrupted):
		return exitFailed
	case errors.As(err, &unreachable):
		return exitUnreachable
	case isAny(err, errInTime, context.DeadlineExceeded, carrier.ErrTimeout):
		return exitTimeout
	case isAny(err, hub.ErrNoSender, hub.ErrNoEvent, hub.ErrNoRequest, hub.ErrNoCursor):
		return exitNothing
	case errors.Is(err, carrier.ErrDenied):
		return exitRefused
	case errors.Is(err, hub.ErrNotConnected): // a sender is not connected to the hub, or this program is not
		if _, answered := errors.AsType[*carrier.StatusError](err); answered {
			return exitNothing
		}
		return exitUnreachable
	case isAny(err, carrier.ErrGone, carrier.ErrUnplugged, carrier.ErrClosed, carrier.ErrShutdown):
		return exitUnreachable
	case errors.Is(err, syscall.EPIPE): // the reader of our output has closed it; a lost connection is above
		return exitDone
	case carrier.Cause(err) != "other":
		return exitRefused
	default:
		return exitFailed
	}
}

func isAny(err error, targets ...error) bool {
	for _, target := range targets {
		if errors.Is(err, target) {
			return true
		}
	}
	return false
}
