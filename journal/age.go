package journal

import (
	"math"
	"time"
)

// A clock is the hub's, which may be wrong: it starts in 1970, is set years ahead, or an hour back. It is taken to be set if it goes
// on from what was recorded, or goes for a day without a jump.
type clock struct {
	now    func() time.Time
	set    bool
	known  int64     // what it showed when it was set the last time, in nanoseconds since 1970
	shows  int64     // when it was looked at last
	looked time.Time // then, by time that only passes
	steady time.Time // since when it goes without a jump
}

const (
	day          = 24 * time.Hour
	smallestJump = time.Hour // that is no correction
)

// newClock returns a clock. recorded are times that it has shown, some of them perhaps of others.
func newClock(now func() time.Time, recorded ...int64) *clock {
	c := &clock{now: now, known: math.MinInt64, shows: now().UnixNano(), looked: time.Now(), steady: time.Now()}
	for _, t := range recorded {
		if t <= c.shows {
			c.known = max(c.known, t)
		}
	}
	c.check()
	return c
}

// check looks at the clock, and reports whether it is set.
func (c *clock) check() bool {
	shows, now := c.now().UnixNano(), time.Now()
	if jump := time.Duration(shows-c.shows) - now.Sub(c.looked); jump.Abs() > smallestJump {
		c.set, c.steady = false, now
	}
	c.shows, c.looked = shows, now
	goesOn := c.known != math.MinInt64 && shows >= c.known && time.Duration(shows-c.known) <= day
	if goesOn || now.Sub(c.steady) >= day {
		c.set = true
	}
	if c.set {
		c.known = shows
	}
	return c.set
}

// expire removes the segments whose events are all older than [Options].Age. It is called by the goroutine that commits.
func (j *Journal) expire() {
	if j.o.Age <= 0 || !j.clock.check() || len(j.log.kept) == 0 {
		return
	}
	l, before := j.log, j.clock.shows-int64(j.o.Age)
	removed := false
	for len(l.kept) > 1 && writtenBefore(l.kept) < before {
		if err := l.drop(); err != nil {
			j.o.Logger.Warn("old events of the journal cannot be removed", "error", err)
			break
		}
		removed = true
	}
	// The newest segment is ended early, else a hub on which little happens would keep it for years.
	newest := &l.kept[len(l.kept)-1]
	if l.out != nil && newest.began < j.clock.shows-int64(j.o.Age)/4 {
		if err := l.giveUp(); err != nil {
			j.o.Logger.Warn("a segment of the journal cannot be closed", "error", err)
		}
		removed = true
	}
	if removed {
		j.view.Store(l.view())
	}
}

// writtenBefore returns a time, by the hub's clock, at which all events of the oldest segment had been written: when one of the
// next ones began. A time before its own beginning is of a clock that was not set.
func writtenBefore(kept []segment) int64 {
	earliest, latest := int64(math.MaxInt64), int64(math.MinInt64)
	for i := range kept[1:] {
		began := kept[1+i].began
		latest = max(latest, began)
		if began >= kept[0].began {
			earliest = min(earliest, began)
		}
	}
	if earliest == math.MaxInt64 { // its own beginning is in the future
		return latest
	}
	return earliest
}
