package hub

import (
	"time"

	"sighub/carrier"
	"sighub/internal/lockrank"
)

// Frames are those that belong to marks, and are in hand. Such a frame comes again if the hub stops before the mark is kept, and listeners
// then hear again what they were told of it. So a hub that stops ends the frames that it has begun, and takes no others.
type frames struct {
	mu     lockrank.Mutex[lockrank.Leaf]
	inHand int
	closed bool
	ended  waiters // until none is in hand
}

// begin reports whether a frame with these answers may be handled. If so, end must be called.
func (f *frames) begin(answers carrier.Answers) bool {
	if _, ok := answers.(carrier.Marked); !ok {
		return true
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if !f.closed {
		f.inHand++
	}
	return !f.closed
}

// end notes that a frame has been handled, or is given up.
func (f *frames) end(answers carrier.Answers) {
	if _, ok := answers.(carrier.Marked); !ok {
		return
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.inHand--; f.inHand == 0 {
		f.ended.wake()
	}
}

// close lets no more frames begin, and waits for those in hand, up to a time.
func (f *frames) close(within time.Duration) {
	f.mu.Lock()
	f.closed = true
	if f.inHand == 0 {
		f.mu.Unlock()
		return
	}
	ended := f.ended.wait()
	f.mu.Unlock()
	select {
	case <-ended:
	case <-time.After(within):
	}
}
