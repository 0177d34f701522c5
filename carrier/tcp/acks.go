package tcp

import (
	"sync"
	"time"

	"sighub/carrier"
)

// acks are the answers that the writer owes to signals that have arrived. The writer's lock guards them.
//
// A sender waits for its answers, so the hub's end gives them at once. A listener's answers only tell the hub that there
// is room for more. So the listener's end lets them wait for each other when signals come in quick succession: an answer for
// each would cost both ends as much as the signal did.
type acks struct {
	done    int  // signals to be answered
	owed    int  // signals that have arrived, and are not answered
	held    bool // unhold writes soon
	waiting bool // they wait now, until timer fires
	timer   *time.Timer
	ending  sync.WaitGroup // timer's function, until it is stopped or has returned
}

const (
	ackPause = 2 * time.Millisecond // after the latest write, in which the answers of the end that connects wait
	ackMost  = 1024                 // signals that are answered without waiting
)

// due reports whether there are answers to be written now.
func (a *acks) due() bool { return a.done > 0 && !a.waiting }

func (a *acks) wait(d time.Duration, then func()) {
	a.waiting = true
	switch {
	case a.timer == nil:
		a.timer = time.AfterFunc(d, then)
	case a.timer.Reset(d):
		return // an earlier end of the waiting came late: this was begun by then
	}
	a.ending.Add(1)
}

// stop ends the waiting. If the timer has run out already, its function finds nothing to do.
func (a *acks) stop() {
	if a.timer != nil && a.timer.Stop() {
		a.ending.Done()
	}
	a.waiting = false
}

// signalsDone records that n signals are done, and arranges for the answer to be written. The lock is held.
func (w *writer) signalsDone(n int) {
	a := &w.acks
	a.done += n
	w.signalAnswered(n)
	if w.connecting && a.done < ackMost {
		if a.waiting {
			return
		}
		if pause := ackPause - time.Since(w.wrote); pause > 0 {
			a.wait(pause, w.waited)
			return
		}
	}
	a.stop()
	w.startUnlessHeld()
}

// waited is called when answers have waited for others.
func (w *writer) waited() {
	w.mu.Lock()
	defer w.mu.Unlock()
	defer w.acks.ending.Done()
	w.acks.waiting = false
	if !w.idle() {
		w.startUnlessHeld()
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

func (w *writer) startUnlessHeld() {
	if !w.acks.held {
		w.start()
	}
}
