package carrier

import (
	"context"
	"errors"
)

// Errors of Transmit, and causes of a client's disconnection. They are wrapped with details; use errors.Is.
var (
	// ErrNoClient: the carrier never had a client with this id.
	ErrNoClient = errors.New("carrier: no such client")
	// ErrGone: the client was there and has gone.
	ErrGone = errors.New("carrier: client gone")
	// ErrTooLarge: a message is larger than the receiver takes.
	ErrTooLarge = NewRefusal("carrier: message too large", "size")
	// ErrMalformed: what arrived is not a message.
	ErrMalformed = NewRefusal("carrier: malformed message", "malformed")
	// ErrLimit: a client asked for more than it may have (clients, senders, listeners, outstanding messages).
	ErrLimit = NewRefusal("carrier: limit reached", "limit")
	// ErrValue: a value has no form that every codec can carry.
	ErrValue = NewRefusal("carrier: value cannot be carried", "value")
	// ErrTime: a time is not plausible, or its unit is unknown.
	ErrTime = NewRefusal("carrier: time is not plausible", "time")
	// ErrDenied: a client asked for what it is not allowed to do.
	ErrDenied = NewRefusal("carrier: not allowed", "denied")

	// ErrClosed: the client closed its connection.
	ErrClosed = errors.New("carrier: closed by the client")
	// ErrUnplugged: the line to the client was pulled or failed.
	ErrUnplugged = errors.New("carrier: unplugged")
	// ErrTimeout: the client was silent for longer than it may be.
	ErrTimeout = errors.New("carrier: timeout")
	// ErrReset: the client was restarted.
	ErrReset = errors.New("carrier: client was reset")
	// ErrRevoked: the client lost the right to be connected, or its sender the right to be there.
	ErrRevoked = errors.New("carrier: the right to it was revoked")
	// ErrShutdown: this end is shutting down.
	ErrShutdown = errors.New("carrier: shutting down")
)

// Reason says in one word why a client was disconnected, from the cause given to ClientDisconnected:
// "closed", "unplugged", "timeout", "reset", "revoked" or "shutdown".
func Reason(cause error) string {
	switch {
	case errors.Is(cause, ErrShutdown):
		return "shutdown"
	case errors.Is(cause, ErrRevoked):
		return "revoked"
	case errors.Is(cause, ErrReset):
		return "reset"
	case errors.Is(cause, ErrTimeout), errors.Is(cause, context.DeadlineExceeded):
		return "timeout"
	case errors.Is(cause, ErrUnplugged):
		return "unplugged"
	default:
		return "closed"
	}
}
