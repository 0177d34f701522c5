package bridge

import (
	"context"
	"time"
)

// A pace bounds how many events a second are read. What was not used within a second is not saved up.
type pace struct {
	rate  float64 // events a second; 0: any
	left  float64 // events that may be read at once
	since time.Time
}

// wait waits until an event may be read, and returns how many may, up to most.
func (p *pace) wait(ctx context.Context, most int) (int, error) {
	if p.rate <= 0 {
		return most, nil
	}
	now := time.Now()
	if p.since.IsZero() {
		p.left = p.rate
	}
	p.left = min(p.left+p.rate*now.Sub(p.since).Seconds(), max(p.rate, 1))
	p.since = now
	if p.left < 1 {
		timer := time.NewTimer(time.Duration((1 - p.left) / p.rate * float64(time.Second)))
		defer timer.Stop()
		select {
		case <-timer.C:
		case <-ctx.Done():
			return 0, context.Cause(ctx)
		}
		p.left, p.since = 1, time.Now()
	}
	return min(most, int(p.left)), nil
}

// spend notes that so many events were read.
func (p *pace) spend(n int) { p.left -= float64(n) }
