package fair

import (
	"container/list"
	"context"
	"sync"
	"time"
)

// A Pace spaces pieces of work, whoever wants them, so that all together take no more than a part of one core: after each of
// them, as much time passes as it took, and [Burst] may come without a pause. Whoever comes first begins first. The zero Pace
// is ready for use.
type Pace struct {
	mu    sync.Mutex
	next  time.Time // when the work begun so far and the pauses after it will be over
	queue list.List // of chan struct{}: those that wait, each closed when it is its turn
	timer *time.Timer
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
	p.DoOrWait(ctx, func() time.Duration { work(); return 0 })
}

// DoOrWait is Do for work that returns for how long it has only waited. That does not count.
func (p *Pace) DoOrWait(ctx context.Context, work func() (waited time.Duration)) {
	if turn := p.enter(time.Now()); turn != nil {
		select {
		case <-turn.Value.(chan struct{}):
		case <-ctx.Done():
			p.giveUp(turn)
			return
		}
	}
	began, waited := time.Now(), time.Duration(0)
	defer func() { p.end(time.Since(began) - waited) }()
	waited = work()
}

// enter returns the place in the queue, or nil if the work may begin at once.
func (p *Pace) enter(now time.Time) *list.Element {
	p.mu.Lock()
	defer p.mu.Unlock()
	turn := p.queue.PushBack(make(chan struct{}))
	if p.queue.Len() == 1 && p.advance(now) {
		return nil
	}
	return turn
}

// giveUp leaves the queue. The turn may have come meanwhile.
func (p *Pace) giveUp(turn *list.Element) {
	p.mu.Lock()
	defer p.mu.Unlock()
	select {
	case <-turn.Value.(chan struct{}):
		p.ended(0)
	default:
		p.queue.Remove(turn)
	}
}

// advance lets those begin whose turn has come, and reports whether that is everybody.
func (p *Pace) advance(now time.Time) bool {
	if p.next.Before(now) {
		p.next = now
	}
	for turn := p.queue.Front(); turn != nil; turn = p.queue.Front() {
		if wait := p.next.Sub(now) - (1+rest)*Burst; wait > 0 {
			if p.timer == nil {
				p.timer = time.AfterFunc(wait, p.wake)
			} else {
				p.timer.Reset(wait)
			}
			return false
		}
		p.queue.Remove(turn)
		p.next = p.next.Add((1 + rest) * expected)
		close(turn.Value.(chan struct{}))
	}
	return true
}

func (p *Pace) wake() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.advance(time.Now())
}

// end corrects what was expected by what the work took.
func (p *Pace) end(took time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.ended(took)
}

func (p *Pace) ended(took time.Duration) {
	p.next = p.next.Add((1 + rest) * (min(took, most) - expected))
	p.advance(time.Now())
}
