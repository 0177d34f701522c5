// Package deadline bounds many waits that are all equally long with one timer.
package deadline

import (
	"time"

	"sighub/internal/lockrank"
)

// A Queue holds the waits, in the order in which they end. It must not be copied.
type Queue struct {
	After time.Duration // how long each wait may be

	mu          lockrank.Mutex[lockrank.Leaf]
	first, last *Wait
	armed       bool // the timer runs; perhaps for a wait that is over
	timer       *time.Timer
}

// An Expirer waits.
type Expirer interface {
	// Expire is called when the time is over, on a goroutine that others need: it must not block.
	Expire()
}

// A Wait is one wait. It may be in a Queue once.
type Wait struct {
	Of Expirer // who waits

	at            time.Time
	before, after *Wait
	in            bool
}

// Begin begins a wait.
func (q *Queue) Begin(w *Wait) {
	q.mu.Lock()
	defer q.mu.Unlock()
	w.at, w.in = time.Now().Add(q.After), true
	if w.before = q.last; q.last == nil {
		q.first = w
	} else {
		q.last.after = w
	}
	q.last = w
	q.arm(q.After)
}

// End ends a wait, unless its time is over.
func (q *Queue) End(w *Wait) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if w.in {
		q.remove(w)
	}
}

// remove removes a wait. The lock is held.
func (q *Queue) remove(w *Wait) {
	if w.before == nil {
		q.first = w.after
	} else {
		w.before.after = w.after
	}
	if w.after == nil {
		q.last = w.before
	} else {
		w.after.before = w.before
	}
	w.before, w.after, w.in = nil, nil, false
}

// arm sets the timer, unless it runs. It is not stopped when waits end: that would take as much as a timer for each. The lock is held.
func (q *Queue) arm(d time.Duration) {
	switch {
	case q.armed:
		return
	case q.timer == nil:
		q.timer = time.AfterFunc(d, q.expire)
	default:
		q.timer.Reset(d)
	}
	q.armed = true
}

// expire ends the waits whose time is over.
func (q *Queue) expire() {
	now := time.Now()
	q.mu.Lock()
	q.armed = false
	var over []*Wait
	for q.first != nil && !q.first.at.After(now) {
		over = append(over, q.first)
		q.remove(q.first)
	}
	if q.first != nil {
		q.arm(q.first.at.Sub(now))
	}
	q.mu.Unlock()
	for _, w := range over {
		w.Of.Expire()
	}
}
