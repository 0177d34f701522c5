package hub

import (
	"sync"
	"time"
)

// A logLimiter keeps what happens again and again from filling the log: the first time is told at once, later ones together,
// once a minute.
type logLimiter struct {
	mu     sync.Mutex
	told   time.Time
	untold int
}

const seldomEvery = time.Minute

// note counts one more. It returns how many are to be told of; 0: none, for now.
func (s *logLimiter) note() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.untold++
	if now := time.Now(); s.told.IsZero() || now.Sub(s.told) >= seldomEvery {
		n := s.untold
		s.told, s.untold = now, 0
		return n
	}
	return 0
}

// unsent logs that an event cannot be sent to the client.
func (c *client) unsent(ev *Event, err error) {
	if n := c.failures.note(); n > 0 {
		c.log().Warn("an event cannot be sent to a listener", "client", c.info.String(), "times", n,
			"sender", ev.Sender, "event", ev.Name, "error", err)
	}
}

// refused logs that a listener of the client's did not take an event.
func (c *client) refused(err error) {
	if n := c.refusals.note(); n > 0 {
		c.log().Warn("a listener did not take an event", "client", c.info.String(), "times", n, "error", err)
	}
}

// dropping logs that a listener begins to miss events of a sender.
func (c *client) dropping(sender string, waiting int) {
	if n := c.drops.note(); n > 0 {
		c.log().Warn("events for a listener are dropped", "told", c.hello, "client", c.info.String(), "times", n,
			"sender", sender, "waiting", waiting)
	}
}
