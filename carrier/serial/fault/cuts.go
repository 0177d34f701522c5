package fault

import (
	"cmp"
	"math"
	"math/rand/v2"
	"time"
)

// Cuts say when a line is cut and when it is mended. The time is an argument, and must not be earlier than in the call before.
// They are not safe for use by several goroutines.
type Cuts struct {
	mean, away time.Duration
	random     *rand.Rand
	cut        bool
	until      time.Time // when that changes
	count      uint64
}

// NewCuts returns the cuts that o describes. They count from the first call of At.
func NewCuts(o Options) (*Cuts, error) {
	if err := o.check(); err != nil {
		return nil, err
	}
	return &Cuts{mean: o.Cut, away: cmp.Or(o.Away, defaultAway), random: stream(o.Seed, streamCuts)}, nil
}

// At reports whether the line is cut, and until when that does not change; a zero time means for ever.
func (c *Cuts) At(now time.Time) (cut bool, until time.Time) {
	if c.mean == 0 {
		return false, time.Time{}
	}
	if c.until.IsZero() {
		c.until = now.Add(c.draw())
	}
	for !now.Before(c.until) {
		c.cut = !c.cut
		if c.cut {
			c.count++
			c.until = c.until.Add(c.away)
		} else {
			c.until = c.until.Add(c.draw())
		}
	}
	return c.cut, c.until
}

// draw returns how long the line is not cut: exponentially distributed, as accidents are.
func (c *Cuts) draw() time.Duration {
	d := c.random.ExpFloat64() * float64(c.mean)
	return max(time.Duration(min(d, math.MaxInt64/2)), minUp)
}
