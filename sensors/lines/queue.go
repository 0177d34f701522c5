package lines

import (
	"time"

	"sighub/internal/lockrank"
)

// An item is a line that has arrived.
type item struct {
	text string
	at   time.Time // when its first byte came
	half bool      // its beginning may be missing
}

// A queue has the lines that have arrived and were not taken yet: those of the reader, for the rest of the Speaker, which may have to
// wait for listeners.
type queue struct {
	ready chan struct{} // has a token while there may be something
	room  chan struct{} // has a token when something was taken
	ended chan struct{} // closed when nothing is taken any more

	mu    lockrank.Mutex[lockrank.Leaf]
	items []item
	bytes int
	full  bool   // it was full for maxWait, and nothing was taken since
	lost  uint64 // lines for which there was no room
	long  uint64 // lines that were too long
}

// maxQueued bounds what a queue holds, in bytes. At 115200 baud, that is ten seconds.
const maxQueued = 128 << 10

// itemCost is what an item takes beside its text, in bytes.
const itemCost = 64

// maxWait is how long the reader waits for room. Meanwhile the system has room for some more, and tells a device that knows flow control
// to wait.
const maxWait = time.Second

func newQueue(ended chan struct{}) *queue {
	return &queue{ready: make(chan struct{}, 1), room: make(chan struct{}, 1), ended: ended}
}

// put adds a line. If there is no room, it waits for some, and then counts the line as lost.
func (q *queue) put(i item) {
	defer q.wake()
	if q.tryPut(i, false) {
		return
	}
	timer := time.NewTimer(maxWait)
	defer timer.Stop()
	for {
		select {
		case <-q.room:
			if q.tryPut(i, false) {
				return
			}
		case <-timer.C:
			q.tryPut(i, true)
			return
		case <-q.ended:
			return
		}
	}
}

// tryPut adds a line, or reports that there is no room. If it is the last try, or if an earlier line has waited in vain, the line is
// lost.
func (q *queue) tryPut(i item, last bool) (done bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	cost := len(i.text) + itemCost
	switch {
	case q.bytes+cost <= maxQueued:
		q.bytes += cost
		q.items = append(q.items, i)
		return true
	case last || q.full:
		q.full = true
		q.lost++
		return true
	}
	return false
}

// tooLong counts lines that were too long.
func (q *queue) tooLong(n uint64) {
	q.mu.Lock()
	q.long += n
	q.mu.Unlock()
	q.wake()
}

func (q *queue) wake() {
	select {
	case q.ready <- struct{}{}:
	default:
	}
}

// take returns what is there, and how many lines were lost and too long since the last time. It puts spare in the place of what it
// returns.
func (q *queue) take(spare []item) (items []item, lost, long uint64) {
	q.mu.Lock()
	defer q.mu.Unlock()
	items, lost, long = q.items, q.lost, q.long
	q.items, q.bytes, q.lost, q.long, q.full = spare[:0], 0, 0, 0, false
	select {
	case q.room <- struct{}{}:
	default:
	}
	return items, lost, long
}
