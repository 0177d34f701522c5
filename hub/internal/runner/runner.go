// Package runner runs functions in order, one at a time.
package runner

import (
	"sync"

	"sighub/internal/lockrank"
)

// A Runner runs functions one after the other, in the order given, on a goroutine that exists, or is lent, only while there is
// something to run.
type Runner struct {
	Tasks *sync.WaitGroup // the owner's, who waits for the goroutine
	Limit int             // of functions that wait; 0: none

	mu      lockrank.Mutex[lockrank.Leaf]
	queue   []func()
	running bool
	closed  bool
}

// Do runs f after the functions given before. It returns false, and does not run f, if Limit functions wait already or the
// runner is closed.
func (r *Runner) Do(f func()) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	taken, begin := r.take(f)
	if begin {
		r.Tasks.Go(r.run)
	}
	return taken
}

// DoBy is Do, with lend to have the functions run by a goroutine that is there already. Where that returns false, they have one of
// their own. Unlike Do, it must not be called when the owner may be waiting for the goroutine.
func (r *Runner) DoBy(lend func(run func()) bool, f func()) bool {
	r.mu.Lock()
	taken, begin := r.take(f)
	r.mu.Unlock()
	if begin && !lend(r.run) {
		r.Tasks.Go(r.run)
	}
	return taken
}

// take takes a function, and reports whether the caller has to begin running functions. The lock is held.
func (r *Runner) take(f func()) (taken, begin bool) {
	if r.closed || r.Limit > 0 && len(r.queue) >= r.Limit {
		return false, false
	}
	r.queue = append(r.queue, f)
	begin = !r.running
	r.running = true
	return true, begin
}

// Close lets the functions run that were given before, and none after them. Once the owner has closed a runner that anybody
// may use at any time, it can wait for its goroutine.
func (r *Runner) Close() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.closed = true
}

// Idle reports whether every function that was given has run.
func (r *Runner) Idle() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return !r.running
}

func (r *Runner) run() {
	for {
		r.mu.Lock()
		if len(r.queue) == 0 {
			r.queue, r.running = nil, false
			r.mu.Unlock()
			return
		}
		f := r.queue[0]
		r.queue[0] = nil
		r.queue = r.queue[1:]
		r.mu.Unlock()
		f()
	}
}
