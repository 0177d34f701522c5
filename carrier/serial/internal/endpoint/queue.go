package endpoint

import "sync"

// A Queue hands things from those who must not wait to one who may. What goes into it is bounded elsewhere: by
// windows, and by the room for readings.
type Queue[T any] struct {
	mu    sync.Mutex
	items []T
	Ready Notice
}

func NewQueue[T any](items ...T) *Queue[T] { return &Queue[T]{items: items, Ready: NewNotice()} }

func (q *Queue[T]) Put(item T) {
	q.mu.Lock()
	q.items = append(q.items, item)
	q.mu.Unlock()
	q.Ready.Give()
}

// Take returns the oldest item; if there is none, ready tells of the next.
func (q *Queue[T]) Take() (item T, ok bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if len(q.items) == 0 {
		return item, false
	}
	item = q.items[0]
	var zero T
	q.items[0] = zero
	q.items = q.items[1:]
	return item, true
}

// Clear takes out everything.
func (q *Queue[T]) Clear() (all []T) {
	q.mu.Lock()
	defer q.mu.Unlock()
	all, q.items = q.items, nil
	return all
}
