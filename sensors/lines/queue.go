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

	mu    lockrank.Mutex[lockrank.Leaf]
	items []item
	bytes int
	lost  uint64 // lines for which there was no room
	long  uint64 // lines that were too long
}

// maxQueued bounds what a queue holds, in bytes. At 115200 baud, that is ten seconds.
const maxQueued = 128 << 10

// itemCost is what an item takes beside its text, in bytes.
const itemCost = 64

func newQueue() *queue { return &queue{ready: make(chan struct{}, 1)} }

// put adds a line, or counts it as lost.
func (q *queue) put(i item) {
	q.mu.Lock()
	if cost := len(i.text) + itemCost; q.bytes+cost > maxQueued {
		q.lost++
	} else {
		q.bytes += cost
		q.items = append(q.items, i)
	}
	q.mu.Unlock()
	q.wake()
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
	q.items, q.bytes, q.lost, q.long = spare[:0], 0, 0, 0
	return items, lost, long
}
