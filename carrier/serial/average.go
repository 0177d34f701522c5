package serial

import (
	"math"
	"time"
)

// averageTime is the time constant of an average in seconds: what happened that long ago counts a third.
const averageTime = 5

// An average is how often something has happened of late: a mean that fades exponentially.
type average struct {
	weight float64 // of what happened
	began  time.Time
	at     time.Time // of the latest
}

func (a *average) add(now time.Time, n int) {
	if a.began.IsZero() {
		a.began = now
	}
	a.weight = a.weight*fade(now.Sub(a.at)) + float64(n)
	a.at = now
}

// rate returns how often it happens per second. The first second counts as a whole one.
func (a *average) rate(now time.Time) float64 {
	past := 1 - fade(max(now.Sub(a.began), time.Second))
	return a.weight * fade(now.Sub(a.at)) / averageTime / past
}

func fade(d time.Duration) float64 { return math.Exp(-max(d.Seconds(), 0) / averageTime) }
