package hub

import (
	"context"
	"errors"
	"strings"

	"sighub/carrier"
	"sighub/hub/internal/past"
)

// Errors of this package, wrapped with details. errors.Is also finds them in the errors with which a hub answers a
// [ClientRouter]. In these it finds, too, [carrier.ErrLimit], [carrier.ErrTooLarge], [carrier.ErrValue],
// [carrier.ErrTime] and, if a sender did not answer in time, [context.DeadlineExceeded]. Of other errors that a
// [RequestHandler] returns, a caller elsewhere gets only the text.
var (
	ErrName         = carrier.NewRefusal("hub: bad name", "name")
	ErrExists       = carrier.NewRefusal("hub: sender is already connected", "exists")
	ErrNotConnected = carrier.NewRefusal("hub: not connected", "sender")
	ErrNoSender     = carrier.NewRefusal("hub: no such sender", "sender")
	ErrNoEvent      = carrier.NewRefusal("hub: no such event", "event")
	ErrNoListener   = carrier.NewRefusal("hub: no such listener", "listener")
	ErrNoRequest    = carrier.NewRefusal("hub: no such request", "request")
	ErrNotYours     = carrier.NewRefusal("hub: sender belongs to another client", "owner")
	ErrBusy         = carrier.NewRefusal("hub: the queue is full", "busy")
	ErrArguments    = carrier.NewRefusal("hub: invalid arguments", "arguments")
	ErrCursor       = past.ErrTaken
	ErrNoCursor     = past.ErrNone
	ErrNoJournal    = carrier.NewRefusal("hub: the hub keeps no journal", "journal")
)

// A remoteError is an answer that refuses, and which of the errors above it tells of.
type remoteError struct {
	*carrier.StatusError
	kind error
}

// Unwrap makes errors.Is find the kind, and errors.As the [carrier.StatusError].
func (e *remoteError) Unwrap() []error { return []error{e.StatusError, e.kind} }

// answerError returns the error that an answer tells of; nil if what it answers was done. If err is not nil, there is no
// answer, and that is the error.
//
// A reply has no field for the kind of an error, only a text, which begins with that of one of the errors above.
func answerError(r carrier.Reply, err error) error {
	if err == nil {
		err = r.Err()
	}
	refusal, ok := errors.AsType[*carrier.StatusError](err)
	if !ok {
		return err
	}
	for _, kind := range []error{
		carrier.ErrValue, carrier.ErrTime, carrier.ErrDenied,
		ErrName, ErrExists, ErrNotConnected, ErrNoSender, ErrNoEvent, ErrNoListener, ErrNoRequest, ErrNotYours, ErrBusy, ErrArguments,
		ErrCursor, ErrNoCursor, ErrNoJournal,
	} {
		if strings.HasPrefix(refusal.Exception, kind.Error()) {
			return &remoteError{refusal, kind}
		}
	}
	if strings.HasPrefix(refusal.Exception, "hub: sender ") && strings.HasSuffix(refusal.Exception, context.DeadlineExceeded.Error()) {
		return &remoteError{refusal, context.DeadlineExceeded}
	}
	return err
}
