package tcp

import (
	"cmp"
	"sync"
	"time"

	"sighub/carrier"
)

// acks are the answers that the writer owes to signals that have arrived. The writer's lock guards them.
//
// A sender waits for its answers, so the hub's end gives them at once. A listener's answers only tell the hub that there
// is room for more. So the listener's end lets them wait for each other when signals come in quick succession: an answer for
// each would cost both ends as much as the signal did. Whoever answers a signal then writes the answers that have waited; the
// timer is for the last of them. It would else run out just when a sender that is as regular sends, and be in the way.
type acks struct {
	done    int  // signals to be answered
	owed    int  // signals that have arrived, and are not answered
	held    bool // unhold writes soon
	waiting bool // they wait now, until another is answered or the timer fires
	armed   bool // the timer runs, perhaps for nothing
	most    int  // signals that are answered without waiting; 0: ackMost
	timer   *time.Timer
	ending  sync.WaitGroup // timer's function, until it is stopped or has returned
}

const (
	ackPause = 5 * time.Millisecond  // after the latest write, in which the answers of the end that connects wait
	ackLate  = 20 * time.Millisecond // the longest wait, if no other signal is answered
	ackMost  = 1024                  // signals that are answered without waiting, or a quarter of a window that is small
)

// due reports whether there are answers to be written now.
func (a *acks) due() bool { return a.done > 0 && !a.waiting }

// wait lets the answers wait, until then is called at the latest.
func (a *acks) wait(then func()) {
	a.waiting = true
	switch {
	case a.armed:
		return
	case a.timer == nil:
		a.timer = time.AfterFunc(ackLate, then)
	default:
		a.timer.Reset(ackLate)
	}
	a.armed = true
	a.ending.Add(1)
}

// stop ends the waiting. If the timer has run out already, its function finds nothing to do.
func (a *acks) stop() {
	if a.armed && a.timer.Stop() {
		a.armed = false
		a.ending.Done()
	}
	a.waiting = false
}

// done answers n signals as done, at once or together with others.
func (w *writer) done(n int) {
	w.mu.Lock()
	if w.err == nil && n > 0 && w.signalsDone(n) && !w.acks.held {
		w.unlockAndFlush()
		return
	}
	w.mu.Unlock()
}

// signalsDone records that n signals are done, and reports whether the answer is to be written now. The lock is held.
func (w *writer) signalsDone(n int) bool {
	a := &w.acks
	a.done += n
	w.signalAnswered(n)
	if w.connecting && a.done < cmp.Or(a.most, ackMost) && time.Since(w.wrote) < ackPause {
		a.wait(w.waited)
		return false
	}
	a.waiting = false
	return true
}

// waited is called when answers have waited for others.
func (w *writer) waited() {
	w.mu.Lock()
	defer w.mu.Unlock()
	defer w.acks.ending.Done()
	w.acks.waiting, w.acks.armed = false, false
	if !w.idle() && !w.acks.held {
		w.start()
	}
}

// answerSignals puts the answer to the signals that are done. The lock is held.
func (w *writer) answerSignals() {
	if w.acks.done > 0 {
		w.scratch = carrier.AppendDone(w.scratch[:0], w.json, w.acks.done)
		w.acks.done = 0
		w.append(w.scratch)
	}
}

// signalAnswered records that n signals were answered. The lock is held.
func (w *writer) signalAnswered(n int) {
	if w.acks.owed -= n; w.acks.owed <= 0 {
		w.notify()
	}
}

// hold delays the answers to signals, of which this many arrive now, until unhold writes them together.
func (w *writer) hold(arrived int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.acks.held = true
	w.acks.owed += arrived
}

func (w *writer) unhold() {
	w.mu.Lock()
	w.acks.held = false
	w.mu.Unlock()
	w.FlushNow()
}
