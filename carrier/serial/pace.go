package serial

import (
	"math"
	"time"
)

// paceTime is the time constant of a pace in seconds: what happened so long ago counts a third of what happens now.
const paceTime = 5

// A pace is how often something happens, of late: a mean over the past that fades exponentially.
type pace struct {
	weight float64 // of what happened
	began  time.Time
	at     time.Time // of the latest
}

func (p *pace) add(now time.Time, n int) {
	if p.began.IsZero() {
		p.began = now
	}
	p.weight = p.weight*fade(now.Sub(p.at)) + float64(n)
	p.at = now
}

// rate returns how often it happens in a second. The first second is too short to tell: it counts as a whole one.
func (p *pace) rate(now time.Time) float64 {
	if p.began.IsZero() {
		return 0
	}
	past := 1 - fade(max(now.Sub(p.began), time.Second))
	return p.weight * fade(now.Sub(p.at)) / paceTime / past
}

func fade(d time.Duration) float64 { return math.Exp(-max(d.Seconds(), 0) / paceTime) }
