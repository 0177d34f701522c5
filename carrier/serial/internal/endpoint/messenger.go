package endpoint

import (
	"context"
	"fmt"
	"sync"

	"sighub/carrier"
	"sighub/carrier/serial/internal/link"
	"sighub/carrier/serial/internal/wire"
)

// A Messenger carries the messages of one connection, in both directions. Its link may outlive it.
type Messenger struct {
	lock  sync.Locker // of the owner; guards link and gone
	link  *link.Link
	wake  func() // called with lock held: there is something to write
	calls *carrier.Calls
	gone  error // not nil once the connection has ended
}

// NewMessenger returns the Messenger of a new connection. The owner's lock guards the link; wake is called with it held.
func NewMessenger(lock sync.Locker, l *link.Link, wake func()) *Messenger {
	return &Messenger{lock: lock, link: l, wake: wake, calls: carrier.NewCalls(l.Window())}
}

// Transmit sends the payload of a MSG frame: see [carrier.Carrier].
func (m *Messenger) Transmit(ctx context.Context, payload []byte, done func(carrier.Reply, error)) error {
	if limit := m.payloadLimit(); len(payload) > limit {
		return fmt.Errorf("%w: the message has %d bytes, but a frame holds %d", carrier.ErrTooLarge, len(payload), limit)
	}
	id, err := m.calls.Begin(ctx, done)
	if err != nil {
		return err
	}
	if gone := m.Send(id, payload); gone != nil && m.calls.Drop(id) {
		return gone
	}
	return nil // if the connection has ended, Fail calls done
}

func (m *Messenger) payloadLimit() int {
	m.lock.Lock()
	defer m.lock.Unlock()
	return m.link.PayloadLimit()
}

// Send sends the payload of a MSG frame. The id comes back with the answer. It returns an error if the connection has ended.
func (m *Messenger) Send(id uint64, payload []byte) error {
	m.lock.Lock()
	defer m.lock.Unlock()
	if m.gone == nil {
		m.link.Send(wire.FrameMessage, id, payload)
		m.wake()
	}
	return m.gone
}

// End ends the connection; the lock is held. The caller then calls fail without the lock, because it calls callbacks.
func (m *Messenger) End(cause error) (fail func()) {
	gone := fmt.Errorf("%w: %w", carrier.ErrGone, cause)
	m.gone = gone
	return func() { m.calls.Fail(gone) }
}

// Answered ends the call whose frame was answered.
func (m *Messenger) Answered(a link.Arrival) {
	m.calls.Answer(a.Answered.ID, wire.UnpackReply(a.Reply))
}

// Respond answers a frame. Any goroutine may call it at any time, and only the first call counts. If the connection has
// ended, the reply still reaches the other end once it continues with the same numbers.
func (m *Messenger) Respond(in *link.Incoming, r carrier.Reply) {
	m.lock.Lock()
	answered := in.Answered()
	m.lock.Unlock()
	if answered {
		return // it is not even packed
	}
	var payload []byte // none for a plain reply, the most frequent one
	if r.Status != carrier.StatusDone || !r.Response.IsNull() {
		payload = wire.PackReply(r, m.payloadLimit())
	}
	m.answer(in, payload)
}

// RespondRefusal answers an EVT frame of which some readings are refused: those at these places. See Respond.
func (m *Messenger) RespondRefusal(in *link.Incoming, r carrier.Reply, places []int) {
	m.answer(in, wire.PackRefusal(r, places, m.payloadLimit()))
}

func (m *Messenger) answer(in *link.Incoming, payload []byte) {
	m.lock.Lock()
	defer m.lock.Unlock()
	if m.link.Answer(in, payload) {
		m.wake()
	}
}

// Doubt asks the other end to send a frame again whose payload makes no sense. It reports false if the frame is to be refused.
func (m *Messenger) Doubt(in *link.Incoming) bool {
	m.lock.Lock()
	defer m.lock.Unlock()
	doubted := m.link.Doubt(in)
	if doubted {
		m.wake()
	}
	return doubted
}

// Abandoned reports whether the other end no longer waits for the answer to a frame.
func (m *Messenger) Abandoned(in *link.Incoming) bool {
	m.lock.Lock()
	defer m.lock.Unlock()
	return in.Abandoned
}

// TakenBack reports whether a frame will come again, because it or one before it made no sense.
func (m *Messenger) TakenBack(in *link.Incoming) bool {
	m.lock.Lock()
	defer m.lock.Unlock()
	return in.TakenBack()
}

// Consumed notes that a frame was dealt with.
func (m *Messenger) Consumed() {
	m.lock.Lock()
	m.link.Consumed()
	m.lock.Unlock()
}
