package nats

import (
	"sighub/carrier"
	"sighub/internal/lockrank"
)

// A frame takes the answers to signals that the hub was given together. They are on record together with their mark, or not at all.
type frame struct {
	far     *far
	entries []*entry
	key     string
	state   []byte

	mu   lockrank.Mutex[lockrank.Leaf]
	left int
}

// Mark implements [carrier.Marked].
func (f *frame) Mark() carrier.Mark { return carrier.Mark{Key: f.key, State: f.state} }

// Done implements [carrier.Answers].
func (f *frame) Done(n int) {
	f.mu.Lock()
	f.left -= n
	all := f.left <= 0 && n > 0
	f.mu.Unlock()
	if all {
		f.far.track.finish(f.entries...)
	}
}

// Fail implements [carrier.Answers]. What the hub refuses is told its listeners as a gap; it is the same when it comes again.
func (f *frame) Fail(carrier.Reply) { f.Done(1) }
