package fair

import (
	"context"
	"sync"
	"time"
)

// A Pace spaces pieces of work, whoever wants them, so that all together take no more than a part of one core: after each of
// them, as much time passes as it took, and [Burst] may come without a pause. Whoever comes first begins first. The zero Pace
// is ready for use.
type Pace struct {
	mu   sync.Mutex
	next time.Time // when the work begun so far and the pauses after it will be over
}

const (
	// Burst is how much work may be done without a pause.
	Burst = 5 * time.Millisecond
	// expected is what a piece of work is taken to need until it has ended. So not many begin at once.
	expected = time.Millisecond
	// most is what a piece of work counts for at most. One that took longer has waited for something.
	most = 20 * time.Millisecond
	// rest is how long the pause after a piece of work is, in parts of what it took.
	rest = 1
)

// Do does a piece of work when its turn has come, unless ctx is done before.
func (p *Pace) Do(ctx context.Context, work func()) {
	if wait := p.begin(time.Now()); wait > 0 {
		timer := time.NewTimer(wait)
		defer timer.Stop()
		select {
		case <-timer.C:
		case <-ctx.Done():
			p.end(0)
			return
		}
	}
	began := time.Now()
	defer func() { p.end(time.Since(began)) }()
	work()
}

// begin returns how long to wait before the work begins.
func (p *Pace) begin(now time.Time) time.Duration {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.next.Before(now) {
		p.next = now
	}
	wait := p.next.Sub(now) - (1+rest)*Burst
	p.next = p.next.Add((1 + rest) * expected)
	return wait
}

// end corrects what was expected by what the work took.
func (p *Pace) end(took time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.next = p.next.Add((1 + rest) * (min(took, most) - expected))
}
