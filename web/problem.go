package web

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"

	"sighub/carrier"
	"sighub/hub"
	"sighub/internal/plain"
	"sighub/internal/safetext"
)

// A problemError is why a request was not done, as RFC 9457 has it. Cause is one word that programs may go by, the same as in the
// protocol; Remedy says what to do.
type problemError struct {
	Type   string `json:"type"`
	Title  string `json:"title"`
	Status int    `json:"status"`
	Detail string `json:"detail,omitempty"`
	Cause  string `json:"cause"`
	Remedy string `json:"remedy,omitempty"`
}

// Error implements error.
func (p *problemError) Error() string { return p.Detail }

func problem(status int, cause, remedy, format string, args ...any) *problemError {
	return &problemError{Status: status, Cause: cause, Remedy: remedy, Detail: plain.Text(fmt.Sprintf(format, args...))}
}

// longestDetail bounds what is told of an error, in bytes: it may contain what a stranger wrote.
const longestDetail = 500

// write answers with the problem.
func (p *problemError) write(w http.ResponseWriter) {
	p.Type, p.Title = "about:blank", http.StatusText(p.Status)
	p.Detail = safetext.Short(p.Detail, longestDetail)
	h := w.Header()
	h.Set("Content-Type", "application/problem+json")
	h.Del("Content-Disposition")
	if p.Status == http.StatusServiceUnavailable || p.Status == http.StatusTooManyRequests {
		h.Set("Retry-After", "5")
	}
	w.WriteHeader(p.Status)
	_ = json.NewEncoder(w).Encode(p) // whoever does not read it does not want it
}

// kinds are the hub's errors, each with its status in HTTP, and what to do about it. A reply tells the kind of an error by how its
// text begins.
var kinds = []struct {
	err    error
	status int
	remedy string
}{
	{carrier.ErrValue, http.StatusUnprocessableEntity, "say a value that JSON and CBOR can both carry"},
	{carrier.ErrTime, http.StatusUnprocessableEntity, "say a time as RFC 3339 has it, or none for now"},
	{carrier.ErrDenied, http.StatusForbidden, "ask whoever runs the hub for this right"},
	{carrier.ErrLimit, http.StatusTooManyRequests, "ask for less, or later"},
	{carrier.ErrTooLarge, http.StatusRequestEntityTooLarge, "ask for less, or raise limits.message_size in the configuration of the hub"},
	{carrier.ErrMalformed, http.StatusBadRequest, "see openapi.json"},
	{hub.ErrName, http.StatusBadRequest, "use a name without control characters, of 255 bytes at most"},
	{hub.ErrExists, http.StatusConflict, "events of a sender that is connected come from that one alone: use another name"},
	{hub.ErrNotConnected, http.StatusServiceUnavailable, "wait until the sender is connected"},
	{hub.ErrNoSender, http.StatusNotFound, "GET api/v1/senders lists those that are there"},
	{hub.ErrNoEvent, http.StatusNotFound, "GET api/v1/senders/NAME lists its events"},
	{hub.ErrNoListener, http.StatusNotFound, ""},
	{hub.ErrNoRequest, http.StatusNotFound, "GET api/v1/senders/NAME lists its requests"},
	{hub.ErrNotYours, http.StatusConflict, "events of a sender that is connected come from that one alone: use another name"},
	{hub.ErrBusy, http.StatusServiceUnavailable, "try again soon"},
	{hub.ErrArguments, http.StatusBadRequest, "see openapi.json"},
	{hub.ErrNoJournal, http.StatusNotImplemented, "run the hub with a journal: see journal in its configuration"},
}

// problemOf says what is wrong, for who asks over HTTP.
func problemOf(err error) *problemError {
	if p, ok := errors.AsType[*problemError](err); ok {
		return p
	}
	if tooLarge, ok := errors.AsType[*http.MaxBytesError](err); ok {
		return problem(http.StatusRequestEntityTooLarge, "size", "say less at a time", "the body has more than %d bytes", tooLarge.Limit)
	}
	if refusal, ok := errors.AsType[*carrier.StatusError](err); ok {
		for _, k := range kinds {
			if strings.HasPrefix(refusal.Exception, k.err.Error()) {
				return problem(k.status, carrier.Cause(k.err), k.remedy, "%s", refusal.Exception)
			}
		}
		switch {
		case refusal.Status == carrier.StatusDenied:
			return problem(http.StatusForbidden, "denied", "ask whoever runs the hub for this right", "%s", refusal.Exception)
		case refusal.Status == carrier.StatusNoSuchMethod:
			return problem(http.StatusNotImplemented, "method", "run a hub that offers this", "this hub does not offer that")
		case refusal.Status == carrier.StatusTooLarge:
			return problem(http.StatusRequestEntityTooLarge, "size", "ask for less", "%s", refusal.Exception)
		case refusal.Status == carrier.StatusLimit:
			return problem(http.StatusTooManyRequests, "limit", "ask for less, or later", "%s", refusal.Exception)
		case strings.HasPrefix(refusal.Exception, "hub: sender ") && strings.HasSuffix(refusal.Exception, context.DeadlineExceeded.Error()):
			return problem(http.StatusGatewayTimeout, "timeout", "see whether the sender is well", "%s", refusal.Exception)
		}
		return problem(http.StatusBadGateway, "exception", "see what the sender says", "%s", refusal.Exception)
	}
	switch {
	case errors.Is(err, errEnding), errors.Is(err, carrier.ErrGone), errors.Is(err, carrier.ErrNoClient):
		return problem(http.StatusServiceUnavailable, "shutdown", "try again soon", "the hub is starting or ending")
	case errors.Is(err, context.DeadlineExceeded):
		return problem(http.StatusGatewayTimeout, "timeout", "try again", "there was no answer in time")
	case errors.Is(err, context.Canceled):
		return problem(http.StatusServiceUnavailable, "closed", "", "who asked has gone")
	default:
		return problem(http.StatusInternalServerError, carrier.Cause(err), "see the log of the hub", "%v", err)
	}
}
