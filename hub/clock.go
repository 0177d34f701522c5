package hub

import "time"

// A clock tells the time of events that come in quick succession at half the cost of time.Now, which asks the system for
// two times, that of day and the monotonic one. A clock asks for the second alone, until clockSpan has passed since it
// asked for both: so it follows a time of day that is set or slewed (at 500 ppm, as NTP does, it is 5 µs off at the most).
// The zero clock is ready for use, by one goroutine at a time.
type clock struct {
	both      time.Time
	sec, nsec int64 // of both, since 1970
}

const clockSpan = 10 * time.Millisecond

func (c *clock) now() time.Time {
	since := time.Since(c.both)
	if since > clockSpan {
		c.both = time.Now()
		c.sec, c.nsec = c.both.Unix(), int64(c.both.Nanosecond())
		return c.both
	}
	return time.Unix(c.sec, c.nsec+int64(since))
}
