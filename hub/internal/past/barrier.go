package past

import (
	"context"
	"sync/atomic"
	"time"

	"sighub/internal/lockrank"
)

// A Signal wakes whoever waits for something to happen. The zero Signal is ready for use.
type Signal struct {
	mu   lockrank.Mutex[lockrank.Leaf]
	next chan struct{} // nil: nobody waits
}

// Wait returns a channel that is closed when it happens next.
func (s *Signal) Wait() <-chan struct{} {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.next == nil {
		s.next = make(chan struct{})
	}
	return s.next
}

// Happened wakes those who wait.
func (s *Signal) Happened() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.next != nil {
		close(s.next)
		s.next = nil
	}
}

// A Barrier counts things that are begun and not ended, so that one can wait for those that were begun before, however many are begun
// meanwhile. The zero Barrier is ready for use.
type Barrier struct {
	generation atomic.Uint32
	begun      [2]atomic.Int64 // and not ended, of a generation
	waiting    atomic.Int64
	ended      Signal
	turn       atomic.Pointer[chan struct{}] // holds one element while a goroutine waits for a generation
}

// barrierPatience is how long a barrier waits at the most: things are short, unless a callback keeps one open.
const barrierPatience = time.Second

// Begin notes that something is begun, and returns what End is to be called with.
func (b *Barrier) Begin() (generation uint32) {
	generation = b.generation.Load() & 1
	b.begun[generation].Add(1)
	return generation
}

// End notes that something has ended.
func (b *Barrier) End(generation uint32) {
	if b.begun[generation].Add(-1) == 0 && b.waiting.Load() > 0 {
		b.ended.Happened()
	}
}

// Wait waits until everything has ended that was begun before, but for a second at the most.
func (b *Barrier) Wait(ctx context.Context) error {
	timer := time.NewTimer(barrierPatience)
	defer timer.Stop()
	b.waiting.Add(1)
	defer b.waiting.Add(-1)
	free := make(chan struct{}, 1)
	if !b.turn.CompareAndSwap(nil, &free) {
		free = *b.turn.Load()
	}
	select {
	case free <- struct{}{}: // two at a time would begin to wait for what is begun meanwhile
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	defer func() { <-free }()
	current := b.generation.Load() & 1
	if done, err := b.empty(ctx, 1-current, timer); !done { // what a barrier has given up to wait for
		return err
	}
	b.generation.Add(1)
	_, err := b.empty(ctx, current, timer)
	return err
}

// empty waits until everything of a generation has ended, and reports whether it has.
func (b *Barrier) empty(ctx context.Context, generation uint32, timer *time.Timer) (bool, error) {
	for {
		ended := b.ended.Wait()
		if b.begun[generation].Load() == 0 {
			return true, nil
		}
		select {
		case <-ended:
		case <-timer.C:
			return false, nil
		case <-ctx.Done():
			return false, context.Cause(ctx)
		}
	}
}
