package hub

import (
	"sync"

	"sighub/internal/lockrank"
)

// A runner runs functions one after the other, in the order given, on a goroutine that exists only while there is something
// to run.
type runner struct {
	tasks *sync.WaitGroup // the owner's, who waits for the goroutine
	limit int             // 0: none

	mu      lockrank.Mutex[lockrank.Leaf]
	queue   []func()
	running bool
	closed  bool
}

// do runs f after the functions given before. It returns false, and does not run f, if limit functions wait already or the
// runner is closed.
func (r *runner) do(f func()) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.closed || r.limit > 0 && len(r.queue) >= r.limit {
		return false
	}
	r.queue = append(r.queue, f)
	if !r.running {
		r.running = true
		r.tasks.Go(r.run)
	}
	return true
}

// close lets the functions run that were given before, and none after them. Once the owner has closed a runner that anybody
// may use at any time, it can wait for its goroutine.
func (r *runner) close() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.closed = true
}

// idle reports whether every function that was given has run.
func (r *runner) idle() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return !r.running
}

func (r *runner) run() {
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
