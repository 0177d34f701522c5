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

	// Whoever has the turn uses what follows, and the lock beside that to change it.
	mu     lockrank.Mutex[lockrank.Leaf]
	doubts map[byte]*doubt
}

// A doubt says that an answer of a unit may still be on its way, which would be taken for another one.
type doubt struct {
	asked frame.Request // what it would answer; no function: it was answered, and a second answer may come
	since time.Time
	until time.Time // the unit is not asked before
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
	b := &bus{timing: t, turn: make(chan struct{}, 1), doubts: make(map[byte]*doubt)}
	b.turn <- struct{}{}
	return b
}

// doubted reports whether an answer of a unit may still come.
func (b *bus) doubted(unit byte) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.doubts[unit] != nil
}

func (b *bus) setDoubt(unit byte, d *doubt) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.doubts[unit] = d; d == nil {
		delete(b.doubts, unit)
	}
}

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

// exchange asks a unit, unless an answer that may still come could be taken for its answer.
func (b *bus) exchange(unit byte, r *frame.Request) (answer, error) {
	d := b.doubts[unit]
	now := time.Now()
	if d != nil && now.Before(d.until) {
		return answer{}, &waitError{d.until}
	}
	if d != nil && d.asked.Function == 0 {
		b.setDoubt(unit, nil)
		d = nil
	}
	same := d != nil && d.asked.Same(r)
	if d != nil && !same && r.Function.Reads() {
		if err := b.clear(unit, d); err != nil {
			return answer{}, err
		}
		return answer{}, &waitError{d.until}
	}
	a, err := b.link.exchange(unit, r)
	again := errors.Is(err, errDamaged) && time.Since(now) < b.timeout
	if again { // once more: a spark on the line is no reason to wait for the next round
		a, err = b.link.exchange(unit, r)
	}
	if b.numbered() || !r.Function.Reads() {
		return a, err
	}
	since := now
	if same {
		since = d.since
	}
	until := b.settled(a, r)
	switch {
	case errors.Is(err, errSilent) || errors.Is(err, errDamaged):
		b.setDoubt(unit, &doubt{asked: *r, since: since, until: until})
	case (same || again) && answered(err):
		a.asked = since // it may be the answer to the first time
		b.setDoubt(unit, &doubt{since: since, until: until})
	}
	return a, err
}

// clear asks what was not answered again, so that no answer to it can come later.
func (b *bus) clear(unit byte, d *doubt) error {
	a, err := b.link.exchange(unit, &d.asked)
	until := b.settled(a, &d.asked)
	if answered(err) {
		*d = doubt{since: d.since, until: until}
		return nil
	}
	d.until = until
	return err
}

// settled returns when no answer to a request comes any more.
func (b *bus) settled(a answer, r *frame.Request) time.Time {
	return a.asked.Add(2*b.timeout + time.Duration(r.AnswerSize()+3)*b.character)
}

// numbered reports whether answers have the number of their request.
func (b *bus) numbered() bool {
	_, ok := b.link.(*tcp)
	return ok
}

// answered reports whether the unit has answered, given the error.
func answered(err error) bool {
	if err == nil {
		return true
	}
	e, ok := errors.AsType[*frame.ExceptionError](err)
	return ok && !e.Unreached()
}
