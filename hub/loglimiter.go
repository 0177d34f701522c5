package hub

import (
	"log/slog"
	"time"

	"sighub/internal/lockrank"
)

// A logLimiter keeps what happens again and again from filling the log. The first occurrence is logged at once, later ones
// together, once a minute.
type logLimiter struct {
	mu     lockrank.Mutex[lockrank.Leaf]
	told   time.Time
	untold int
}

const logEvery = time.Minute

// note counts an occurrence. It returns how many are to be logged now.
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

// limited calls log if the limiter allows it, with a logger that names the client and how many times it happened. log runs
// on a goroutine of its own, because the caller may hold a lock.
func (c *client) limited(l *logLimiter, log func(*slog.Logger)) {
	if n := l.note(); n > 0 {
		c.tasks.Go(func() { log(c.log().With("client", c.info.String(), "times", n)) })
	}
}

// unsent logs an event that cannot be sent to the client.
func (c *client) unsent(ev *Event, err error) {
	sender, event := ev.Sender, ev.Name
	c.limited(&c.failures, func(log *slog.Logger) {
		log.Warn("an event cannot be sent to a listener", "sender", sender, "event", event, "error", err)
	})
}

// rejects counts and logs an event that a listener of the client did not accept.
func (c *client) rejects(err error) {
	c.refusals.missed.Add(causeRefused, 1)
	c.limited(&c.rejected, func(log *slog.Logger) { log.Warn("a listener did not accept an event", "error", err) })
}

// dropping logs that a listener begins to miss events of a sender.
func (c *client) dropping(sender string, waiting int) {
	c.limited(&c.drops, func(log *slog.Logger) {
		log.Warn("events for a listener are dropped", "told", c.hello, "sender", sender, "waiting", waiting)
	})
}
