package hub

import (
	"log/slog"
	"time"

	"sighub/internal/lockrank"
)

// A logLimiter keeps what happens again and again from filling the log: the first time is told at once, later ones
// together, once a minute.
type logLimiter struct {
	mu     lockrank.Mutex[lockrank.Leaf]
	told   time.Time
	untold int
}

const logEvery = time.Minute

// note counts one more. It returns how many are to be told of; 0: none, for now.
func (s *logLimiter) note() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.untold++
	if now := time.Now(); s.told.IsZero() || now.Sub(s.told) >= logEvery {
		n := s.untold
		s.told, s.untold = now, 0
		return n
	}
	return 0
}

// limited has log called if the limiter lets it, with a logger that says who the client is and how many times it happened.
// It is called on a goroutine of its own: whoever notices it may hold a lock.
func (c *client) limited(l *logLimiter, log func(*slog.Logger)) {
	if n := l.note(); n > 0 {
		c.tasks.Go(func() { log(c.log().With("client", c.info.String(), "times", n)) })
	}
}

// unsent logs that an event cannot be sent to the client.
func (c *client) unsent(ev *Event, err error) {
	sender, event := ev.Sender, ev.Name
	c.limited(&c.failures, func(log *slog.Logger) {
		log.Warn("an event cannot be sent to a listener", "sender", sender, "event", event, "error", err)
	})
}

// refused logs that a listener of the client's did not take an event.
func (c *client) refused(err error) {
	c.limited(&c.refusals, func(log *slog.Logger) { log.Warn("a listener did not take an event", "error", err) })
}

// dropping logs that a listener begins to miss events of a sender.
func (c *client) dropping(sender string, waiting int) {
	c.limited(&c.drops, func(log *slog.Logger) {
		log.Warn("events for a listener are dropped", "told", c.hello, "sender", sender, "waiting", waiting)
	})
}
