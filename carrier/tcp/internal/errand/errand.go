// Package errand lets the goroutine that reads from a connection do what its reading has led to, so that no other goroutine need be
// woken for it. If that takes long, or somebody is about to wait for what the connection brings, another goroutine reads on.
package errand

import (
	"sync"
	"time"

	"sighub/internal/lockrank"
	"sighub/internal/nowait"
)

const (
	// patience is how long nobody reads, at the least, before another goroutine reads on; twice as long at the most. Until then,
	// what waits for the connection waits for the errand.
	patience = 10 * time.Millisecond

	// quick is how long all errands after one read may take. What is left of them then runs on goroutines of its own, and so does
	// what is given in the next time, which is rest times as long as they took. So slow errands delay others, and each other, during
	// one part in so many of the time.
	quick = 500 * time.Microsecond
	rest  = 100
)

// A Reader is the role of reading from a connection. One goroutine at a time has it.
type Reader struct {
	Tasks  *sync.WaitGroup // the owner's, who waits for all goroutines; that which reads first belongs to it
	ReadOn func()          // reads on, on another goroutine, from where Run was called

	mu     lockrank.Mutex[lockrank.Leaf]
	given  []func()
	done   int       // how many of them are done or being done
	out    uint64    // the trip on which the goroutine is that should read; 0: it reads
	trips  uint64    // so far
	seen   uint64    // the trip that was under way when the timer was set
	armed  bool      // the timer runs
	resume time.Time // until when nothing is taken
	ended  bool

	timer *time.Timer
}

// Give has f called by the goroutine that reads, when it calls Run. It returns false if f should have a goroutine of its own.
func (r *Reader) Give(f func()) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.ended || !r.resume.IsZero() && time.Now().Before(r.resume) {
		return false
	}
	r.given = append(r.given, f)
	return true
}

// Has reports whether something was given.
func (r *Reader) Has() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.given) > 0
}

// Run does what was given. It is called by the goroutine that reads, and reports whether that is still the one; if not, ReadOn was
// called on another one, and the caller must leave everything alone.
func (r *Reader) Run() (reads bool) {
	began := time.Now()
	r.mu.Lock()
	r.trips++
	trip := r.trips
	r.out = trip
	if !r.armed {
		r.seen = trip
		r.arm()
		nowait.Tell() // when errands keep all processors busy, only the watchdog can see that they take long
	}
	for i := 0; r.out == trip && i < len(r.given); i++ {
		f := r.given[i]
		r.given[i], r.done = nil, i+1
		r.mu.Unlock()
		r.do(f, trip)
		took := time.Since(began)
		r.mu.Lock()
		if r.out == trip && took > quick {
			r.slow(took)
		}
	}
	if reads = r.out == trip; reads {
		r.out, r.given, r.done = 0, r.given[:0], 0
	}
	r.mu.Unlock()
	return reads
}

// do calls f. If f ends its goroutine, another one reads on.
func (r *Reader) do(f func(), trip uint64) {
	returned := false
	defer func() {
		if returned {
			return
		}
		r.mu.Lock()
		defer r.mu.Unlock()
		if r.out == trip {
			r.hand()
		}
	}()
	f()
	returned = true
}

// Resume has another goroutine read on, if the one that should is on an errand: the caller is about to wait for what the connection
// brings, and may be part of that errand.
func (r *Reader) Resume() {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.out != 0 {
		r.hand()
	}
}

// Spread gives what was given, and is not begun, goroutines of its own: the goroutine that reads is about to wait.
func (r *Reader) Spread() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.spread()
}

// End ends all giving, when nobody reads any more. What was given and not done is done on goroutines of its own.
func (r *Reader) End() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.ended = true
	r.spread()
	if r.armed && r.timer.Stop() {
		r.armed = false
		r.Tasks.Done()
	}
}

// hand gives the role to another goroutine. The lock is held.
func (r *Reader) hand() {
	r.out = 0
	r.slow(patience)
	r.Tasks.Go(r.ReadOn)
}

// slow notes that errands take so long. The lock is held.
func (r *Reader) slow(took time.Duration) {
	r.resume = time.Now().Add(rest * took)
	r.spread()
}

// spread gives what is left goroutines of its own. The lock is held.
func (r *Reader) spread() {
	for _, f := range r.given[r.done:] {
		r.Tasks.Go(f)
	}
	r.given, r.done = nil, 0
}

// arm sets the timer. It is not stopped when the errand is over, because the next one would set it again. The lock is held.
func (r *Reader) arm() {
	r.armed = true
	r.Tasks.Add(1)
	if r.timer == nil {
		r.timer = time.AfterFunc(patience, r.late)
	} else {
		r.timer.Reset(patience)
	}
}

// late is called when an errand may have taken too long.
func (r *Reader) late() {
	r.mu.Lock()
	defer r.mu.Unlock()
	defer r.Tasks.Done()
	r.armed = false
	switch r.out {
	case 0:
	case r.seen:
		r.hand()
	default:
		r.seen = r.out
		r.arm()
	}
}
