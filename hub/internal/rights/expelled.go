package rights

import (
	"maps"
	"time"

	"sighub/internal/lockrank"
)

// Expelled remembers when something was revoked of an identity, for clients that had proven it before, and come to the hub after. The zero
// Expelled is ready. Its methods may be called from any goroutine.
type Expelled struct {
	mu   lockrank.Mutex[lockrank.Leaf]
	last map[string]time.Time
}

// When there are more than manyExpelled, those are forgotten that are older than longest, which no carrier takes between the two.
const (
	manyExpelled = 1024
	longest      = 10 * time.Minute
)

// Note records that something of an identity is revoked now.
func (e *Expelled) Note(identity string, now time.Time) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.last == nil {
		e.last = make(map[string]time.Time)
	}
	if len(e.last) >= manyExpelled {
		maps.DeleteFunc(e.last, func(_ string, at time.Time) bool { return now.Sub(at) > longest })
	}
	e.last[identity] = now
}

// Since reports whether something of an identity was revoked at a time, which is not zero, or later.
func (e *Expelled) Since(identity string, at time.Time) bool {
	if at.IsZero() {
		return false
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	last, ok := e.last[identity]
	return ok && !at.After(last)
}
