package bridge

import (
	"time"

	"sighub/hub"
)

// A place is where an event is that was read and is not acknowledged.
type place struct {
	at   hub.Position
	time time.Time
	size int // in bytes
}

// A ring holds places in their order. The zero ring is empty.
type ring struct {
	places []place // its length is a power of two, or 0
	from   int     // where the oldest is
	n      int
}

func (r *ring) push(p place) {
	if r.n == len(r.places) {
		places := make([]place, max(64, 2*r.n))
		for i := range r.n {
			places[i] = r.places[(r.from+i)&(len(r.places)-1)]
		}
		r.places, r.from = places, 0
	}
	r.places[(r.from+r.n)&(len(r.places)-1)] = p
	r.n++
}

// first returns the oldest place. There is one.
func (r *ring) first() *place { return &r.places[r.from] }

// pop removes the oldest place. There is one.
func (r *ring) pop() {
	r.from = (r.from + 1) & (len(r.places) - 1)
	r.n--
}

func (r *ring) clear() { r.from, r.n = 0, 0 }
