package endpoint

import (
	"slices"

	"sighub/internal/lockrank"
)

// A Notice wakes the goroutine that receives from it. Given several times, it is received once.
type Notice chan struct{}

// NewNotice returns a Notice.
func NewNotice() Notice { return make(Notice, 1) }

// Give wakes the receiver.
func (n Notice) Give() {
	select {
	case n <- struct{}{}:
	default:
	}
}

// A Queue hands on items from those who must not wait to one goroutine. Its owner bounds the number of items: by windows,
// and by the room for readings.
type Queue[T any] struct {
	Ready Notice // there may be an item to take

	mu    lockrank.Mutex[lockrank.Leaf]
	items []T
}

// NewQueue returns a queue of these items.
func NewQueue[T any](items ...T) *Queue[T] { return &Queue[T]{items: items, Ready: NewNotice()} }

// Put appends an item.
func (q *Queue[T]) Put(item T) {
	q.mu.Lock()
	q.items = append(q.items, item)
	q.mu.Unlock()
	q.Ready.Give()
}

// Take removes and returns the oldest item. If ok is false there is none.
func (q *Queue[T]) Take() (item T, ok bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if len(q.items) == 0 {
		return item, false
	}
	item = q.items[0]
	q.items = slices.Delete(q.items, 0, 1) // so that what is taken can be collected, and its place is used again
	return item, true
}

// Clear removes and returns all items.
func (q *Queue[T]) Clear() (all []T) {
	q.mu.Lock()
	defer q.mu.Unlock()
	all, q.items = q.items, nil
	return all
}
