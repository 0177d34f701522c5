package endpoint

import (
	"context"
	"fmt"
	"sync"

	"sighub/carrier"
	"sighub/carrier/serial/internal/link"
	"sighub/carrier/serial/internal/wire"
)

// A Messenger is the messages of one connection, in both directions, over a link that may outlive it.
type Messenger struct {
	lock  sync.Locker // guards link and gone
	link  *link.Link
	wake  func() // called with lock held: there is something to write
	calls *carrier.Calls
	gone  error
}

func NewMessenger(lock sync.Locker, l *link.Link, wake func()) *Messenger {
	return &Messenger{lock: lock, link: l, wake: wake, calls: carrier.NewCalls(l.Window())}
}

// Transmit sends the payload of a MSG frame: see carrier.Carrier.
func (t *Messenger) Transmit(ctx context.Context, payload []byte, done func(carrier.Reply, error)) error {
	t.lock.Lock()
	limit := t.link.PayloadLimit()
	t.lock.Unlock()
	if len(payload) > limit {
		return fmt.Errorf("%w: %d bytes for frames that hold %d", carrier.ErrTooLarge, len(payload), limit)
	}
	id, err := t.calls.Begin(ctx, done)
	if err != nil {
		return err
	}
	if gone := t.Send(id, payload); gone != nil && t.calls.Drop(id) {
		return gone
	}
	return nil // or else done was told, by the one who ended the talk
}

// Send sends the payload of a MSG frame whose answer comes with the id. The error is that the talk has ended.
func (t *Messenger) Send(id uint64, payload []byte) error {
	t.lock.Lock()
	defer t.lock.Unlock()
	if t.gone == nil {
		t.link.Send(wire.FrameMessage, id, payload)
		t.wake()
	}
	return t.gone
}

// End is called with lock held. It returns what ends the calls, to be called without the lock: whoever made them may be
// waiting for it.
func (t *Messenger) End(cause error) (fail func()) {
	gone := fmt.Errorf("%w: %w", carrier.ErrGone, cause)
	t.gone = gone
	return func() { t.calls.Fail(gone) }
}

// Answered ends a call with the payload of its REP, or nil for an ACK.
func (t *Messenger) Answered(a link.Arrival) {
	t.calls.Answer(a.Answered.ID, wire.UnpackReply(a.Reply))
}

// Respond answers a frame. It may be called by anyone at any time; only the first call counts. The reply reaches
// the peer even after this talk has ended, if the peer goes on with the same numbers.
func (t *Messenger) Respond(in *link.Incoming, r carrier.Reply) {
	t.lock.Lock()
	defer t.lock.Unlock()
	if t.link.Answer(in, wire.PackReply(r, t.link.PayloadLimit())) {
		t.wake()
	}
}

// Void tells whether nobody waits for the answer to a frame.
func (t *Messenger) Void(in *link.Incoming) bool {
	t.lock.Lock()
	defer t.lock.Unlock()
	return in.Void
}

// Consumed tells the link that a frame was dealt with.
func (t *Messenger) Consumed() {
	t.lock.Lock()
	t.link.Consumed()
	t.lock.Unlock()
}
