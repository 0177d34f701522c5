package modbus

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"sighub/carrier"
	"sighub/internal/lockrank"
	"sighub/sensors/modbus/frame"
)

// A bus is a link that one asks at a time.
type bus struct {
	link link
	timing
	turn    chan struct{} // its token is with whoever asks; those who wait get it in their order
	waiting atomic.Int32  // requests that wait for it

	mu     lockrank.Mutex[lockrank.Leaf]
	doubts map[byte]time.Time // until when an answer of a unit may come that nobody waits for any more
}

// A waitError says that a unit is to be left alone for a while.
type waitError struct{ until time.Time }

func (e *waitError) Error() string {
	return "modbus: the unit did not answer a moment ago, and is left alone for a while: try again"
}

// maxWaiting is how many requests may wait for the bus.
const maxWaiting = 16

// The reasons for which a request is not tried.
var (
	errGone = errors.New("the bus is not there: look at `sighub ports`")
	errBusy = fmt.Errorf("%w: too many requests wait for this bus", carrier.ErrLimit)
)

func newBus(t timing) *bus {
	b := &bus{timing: t, turn: make(chan struct{}, 1), doubts: make(map[byte]time.Time)}
	b.turn <- struct{}{}
	return b
}

// doubted returns until when an answer of a unit may come that nobody waits for any more; zero: none comes.
func (b *bus) doubted(unit byte) time.Time {
	b.mu.Lock()
	defer b.mu.Unlock()
	until := b.doubts[unit]
	if !time.Now().Before(until) {
		delete(b.doubts, unit)
		return time.Time{}
	}
	return until
}

// doubt notes that the answer to a request may still come. On a network, answers have the number of their request.
func (b *bus) doubt(unit byte, r *frame.Request, asked time.Time) {
	if _, numbered := b.link.(*tcp); numbered || !r.Function.Reads() {
		return // the answer to what writes is like no other
	}
	b.mu.Lock()
	b.doubts[unit] = asked.Add(lateness*b.timeout + time.Duration(r.AnswerSize()+3)*b.character)
	b.mu.Unlock()
}

// lateness is how many time-outs a unit is left alone from the moment on at which it was asked in vain: no answer comes later.
const lateness = 3

// ask asks a unit when it is its turn. The error is as that of a link, or a [*waitError].
func (b *bus) ask(ctx context.Context, unit byte, r *frame.Request) (answer, error) {
	select {
	case <-b.turn:
	case <-ctx.Done():
		return answer{}, context.Cause(ctx)
	}
	defer func() { b.turn <- struct{}{} }()
	return b.exchange(unit, r)
}

// exchange asks a unit, unless an answer may still come that could be taken for its answer.
func (b *bus) exchange(unit byte, r *frame.Request) (answer, error) {
	if until := b.doubted(unit); !until.IsZero() && r.Function.Reads() {
		return answer{}, &waitError{until}
	}
	begun := time.Now()
	a, err := b.link.exchange(unit, r)
	again := errors.Is(err, errDamaged) && time.Since(begun) < b.timeout
	if again { // a spark on the line is no reason to wait for the next round
		a, err = b.link.exchange(unit, r)
	}
	if again || errors.Is(err, errSilent) || errors.Is(err, errDamaged) { // one answer is still to come, as far as is known
		b.doubt(unit, r, a.asked)
	}
	return a, err
}
