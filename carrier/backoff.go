package carrier

import (
	"context"
	"math/rand/v2"
	"time"
)

// A Backoff says how long to wait before the next try to connect. The wait doubles from Min to Max, and is shortened at
// random by up to a half, so that the clients of a hub that restarts do not all come back at once. The zero Backoff waits
// from 100 ms to 5 s. A Backoff is not safe for use by several goroutines.
type Backoff struct {
	Min, Max time.Duration
	next     time.Duration
}

// Next returns the time to wait before the next try.
func (b *Backoff) Next() time.Duration {
	lo, hi := b.Min, b.Max
	if lo <= 0 {
		lo = 100 * time.Millisecond
	}
	if hi < lo {
		hi = max(lo, 5*time.Second)
	}
	b.next = min(max(b.next, lo), hi)
	d := b.next
	b.next = min(2*d, hi)
	return d - rand.N(d/2+1)
}

// Reset begins again at Min, after a try that worked.
func (b *Backoff) Reset() { b.next = 0 }

// Wait waits for the time that Next returns, or until ctx is done: it then returns ctx's error.
func (b *Backoff) Wait(ctx context.Context) error {
	t := time.NewTimer(b.Next())
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
