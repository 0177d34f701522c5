package serial

import (
	"context"
	"fmt"
	"sync"

	"sighub/carrier"
)

// A talk is the messages of one connection, in both directions, over a link that may outlive it.
type talk struct {
	lock  sync.Locker // guards link and gone
	link  *link
	wake  func() // called with lock held: there is something to write
	calls *carrier.Calls
	gone  error
}

func newTalk(lock sync.Locker, l *link, wake func()) *talk {
	return &talk{lock: lock, link: l, wake: wake, calls: carrier.NewCalls(l.limits.window)}
}

// transmit sends the payload of a MSG frame: see carrier.Carrier.
func (t *talk) transmit(ctx context.Context, payload []byte, done func(carrier.Reply, error)) error {
	t.lock.Lock()
	limit := t.link.payloadLimit()
	t.lock.Unlock()
	if len(payload) > limit {
		return fmt.Errorf("%w: %d bytes for frames that hold %d", carrier.ErrTooLarge, len(payload), limit)
	}
	id, err := t.calls.Begin(ctx, done)
	if err != nil {
		return err
	}
	t.lock.Lock()
	gone := t.gone
	if gone == nil {
		t.link.send(frameMessage, id, payload)
		t.wake()
	}
	t.lock.Unlock()
	if gone != nil && t.calls.Drop(id) {
		return gone
	}
	return nil // or else done was told, by the one who ended the talk
}

// end is called with lock held; its caller then fails the calls with the error it returns.
func (t *talk) end(cause error) error {
	t.gone = fmt.Errorf("%w: %w", carrier.ErrGone, cause)
	return t.gone
}

// answered ends a call with the payload of its REP, or nil for an ACK.
func (t *talk) answered(a arrival) { t.calls.Answer(a.answered.id, unpackReply(a.reply)) }

// respond answers a frame. It may be called by anyone at any time; only the first call counts. The reply reaches
// the peer even after this talk has ended, if the peer goes on with the same numbers.
func (t *talk) respond(in *incoming, r carrier.Reply) {
	t.lock.Lock()
	defer t.lock.Unlock()
	if t.link.answer(in, packReply(r, t.link.payloadLimit())) {
		t.wake()
	}
}

// void tells whether nobody waits for the answer to a frame.
func (t *talk) void(in *incoming) bool {
	t.lock.Lock()
	defer t.lock.Unlock()
	return in.void
}

// consumed tells the link that a frame was dealt with.
func (t *talk) consumed() {
	t.lock.Lock()
	t.link.consumed()
	t.lock.Unlock()
}
