package carrier

import (
	"context"
	"errors"
	"maps"
	"sync"
)

// A RefusalError is a kind of error that refuses something, and says why in one word. Errors of this kind wrap it, with details.
type RefusalError struct{ text, cause string }

// NewRefusal returns a RefusalError with this text and this cause, which is one word.
func NewRefusal(text, cause string) *RefusalError { return &RefusalError{text, cause} }

// Error implements error.
func (e *RefusalError) Error() string { return e.text }

// Cause returns the cause in one word.
func (e *RefusalError) Cause() string { return e.cause }

// CauseOther is the cause of an error that refuses nothing, or of which no more is known.
const CauseOther = "other"

// Cause returns in one word why err refuses something: the cause of the RefusalError that err wraps, "timeout", or
// [CauseOther].
func Cause(err error) string {
	if k, ok := errors.AsType[*RefusalError](err); ok {
		return k.cause
	}
	if e, ok := errors.AsType[*StatusError](err); ok {
		if e.cause != "" {
			return e.cause
		}
		for _, s := range statusErrors {
			if s.status == e.Status {
				return s.kind.cause
			}
		}
	}
	if errors.Is(err, context.DeadlineExceeded) || errors.Is(err, ErrTimeout) {
		return "timeout"
	}
	return CauseOther
}

// Refusals counts what is refused of one source, by cause. Causes are words of the program, so there are few. The zero
// Refusals is ready for use, and safe for concurrent use.
type Refusals struct {
	mu     sync.Mutex
	counts map[string]uint64
}

// Add counts n refusals with this cause.
func (r *Refusals) Add(cause string, n uint64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.counts == nil {
		r.counts = make(map[string]uint64)
	}
	r.counts[cause] += n
}

// Counts returns the numbers by cause; nil if nothing was refused.
func (r *Refusals) Counts() map[string]uint64 {
	r.mu.Lock()
	defer r.mu.Unlock()
	return maps.Clone(r.counts)
}
