package hub

import "time"

// A clock tells the time of events in quick succession at half the cost of time.Now, which reads two clocks of the system:
// the time of day and the monotonic clock. A clock reads only the second until clockSpan has passed since it read both, and
// so follows a time of day that is set. Its times have no monotonic reading. The zero clock is ready for use by one
// goroutine at a time.
type clock struct {
	both      time.Time
	sec, nsec int64 // of both, since 1970
}

const clockSpan = time.Millisecond

func (c *clock) now() time.Time {
	since := time.Since(c.both)
	if since > clockSpan {
		c.both, since = time.Now(), 0
		c.sec, c.nsec = c.both.Unix(), int64(c.both.Nanosecond())
	}
	return time.Unix(c.sec, c.nsec+int64(since))
}
