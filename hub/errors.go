package hub

import (
	"context"
	"errors"
	"strings"

	"sighub/carrier"
)

// Errors of this package, wrapped with details. errors.Is finds them in what a hub answers to a [ClientRouter], too, and
// so it does carrier.ErrLimit, carrier.ErrTooLarge and, where a sender did not answer in time, context.DeadlineExceeded.
var (
	ErrName         = errors.New("hub: bad name")
	ErrExists       = errors.New("hub: sender is already connected")
	ErrNotConnected = errors.New("hub: not connected")
	ErrNoSender     = errors.New("hub: no such sender")
	ErrNoEvent      = errors.New("hub: no such event")
	ErrNoListener   = errors.New("hub: no such listener")
	ErrNoRequest    = errors.New("hub: no such request")
	ErrNotYours     = errors.New("hub: sender belongs to another client")
	ErrBusy         = errors.New("hub: the queue is full")
	ErrArguments    = errors.New("hub: invalid arguments")
)

// A remoteError is an answer that refuses, and which of the errors above it tells of.
type remoteError struct {
	*carrier.StatusError
	kind error
}

// Unwrap makes errors.Is find the kind, and errors.As the [carrier.StatusError].
func (e *remoteError) Unwrap() []error { return []error{e.StatusError, e.kind} }

// replyError returns the error that a reply tells of; nil if what it answers was done.
//
// A reply has no field for the kind of an error, only its text. The text of each error above begins with words of its own,
// with details behind them, so the first of these texts tells the kind.
func replyError(r carrier.Reply) error {
	err := r.Err()
	refusal, ok := errors.AsType[*carrier.StatusError](err)
	if !ok {
		return err
	}
	var kind error
	first := len(refusal.Exception)
	for _, e := range []error{
		ErrName, ErrExists, ErrNotConnected, ErrNoSender, ErrNoEvent, ErrNoListener, ErrNoRequest, ErrNotYours, ErrBusy, ErrArguments,
	} {
		if i := strings.Index(refusal.Exception, e.Error()); i >= 0 && i < first {
			kind, first = e, i
		}
	}
	if kind == nil && strings.HasSuffix(refusal.Exception, context.DeadlineExceeded.Error()) {
		kind = context.DeadlineExceeded
	}
	if kind == nil {
		return err
	}
	return &remoteError{refusal, kind}
}
