// Package frames knows which frames of signals a hub has begun to handle, so that it can end those before it stops.
package frames

import (
	"time"

	"sighub/carrier"
	"sighub/internal/lockrank"
)

// InHand are the frames that belong to marks, and are being handled. Such a frame comes again if the hub stops before the mark is kept, and
// listeners then hear again what they were told of it. So a hub that stops ends the frames that it has begun, and takes no others. The zero
// InHand has none.
type InHand struct {
	mu     lockrank.Mutex[lockrank.Leaf]
	n      int
	closed bool
	ended  chan struct{} // closed when the last frame in hand ends; nil: Close does not wait
}

// Begin reports whether a frame with these answers may be handled. If so, End must be called once.
func (h *InHand) Begin(answers carrier.Answers) bool {
	if _, ok := answers.(carrier.Marked); !ok {
		return true
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if !h.closed {
		h.n++
	}
	return !h.closed
}

// End notes that a frame has been handled, or is given up.
func (h *InHand) End(answers carrier.Answers) {
	if _, ok := answers.(carrier.Marked); !ok {
		return
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.n--; h.n == 0 && h.ended != nil {
		close(h.ended)
		h.ended = nil
	}
}

// Count returns how many there are.
func (h *InHand) Count() int {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.n
}

// Close lets no more frames begin, and waits for those in hand, up to a time. It is called once.
func (h *InHand) Close(within time.Duration) {
	h.mu.Lock()
	h.closed = true
	if h.n == 0 {
		h.mu.Unlock()
		return
	}
	ended := make(chan struct{})
	h.ended = ended
	h.mu.Unlock()
	select {
	case <-ended:
	case <-time.After(within):
	}
}
