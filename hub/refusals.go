package hub

import (
	"sync"
	"time"
)

// refusals count the events that a client's listeners did not take, and keep them from filling the log: the first is told
// at once, later ones together, once a minute.
type refusals struct {
	mu     sync.Mutex
	told   time.Time
	untold int
}

const refusalsEvery = time.Minute

// note counts one more. It returns how many are to be told of; 0: none, for now.
func (r *refusals) note() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.untold++
	if now := time.Now(); r.told.IsZero() || now.Sub(r.told) >= refusalsEvery {
		n := r.untold
		r.told, r.untold = now, 0
		return n
	}
	return 0
}

// refused logs that a listener of the client's did not take an event.
func (c *remote) refused(err error) {
	if n := c.refusals.note(); n > 0 {
		c.log().Warn("a listener did not take an event", "client", c.info.String(), "events", n, "error", err)
	}
}
