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

// wakes is how often a second it wakes to read what it may by then. Timers are too coarse for each event to have one.
const wakes = 50

// wait waits until an event may be read, and returns how many may, up to most.
func (p *pace) wait(ctx context.Context, most int) (int, error) {
	if p.rate <= 0 {
		return most, nil
	}
	if p.since.IsZero() {
		p.left, p.since = max(p.rate, 1), time.Now()
	}
	p.earn()
	if p.left < 1 {
		worth := max(min(p.rate/wakes, float64(most)), 1)
		timer := time.NewTimer(time.Duration((worth - p.left) / p.rate * float64(time.Second)))
		defer timer.Stop()
		select {
		case <-timer.C:
		case <-ctx.Done():
			return 0, context.Cause(ctx)
		}
		p.earn()
	}
	return min(most, max(int(p.left), 1)), nil
}

// earn adds what may be read since the last time.
func (p *pace) earn() {
	now := time.Now()
	p.left = min(p.left+p.rate*now.Sub(p.since).Seconds(), max(p.rate, 1))
	p.since = now
}

// spend notes that so many events were read.
func (p *pace) spend(n int) { p.left -= float64(n) }
