package serial

import "sync"

// A queue hands things from those who must not wait to one who may. What goes into it is bounded elsewhere: by
// windows, and by the room for readings.
type queue[T any] struct {
	mu    sync.Mutex
	items []T
	ready notice
}

func newQueue[T any]() *queue[T] { return &queue[T]{ready: newNotice()} }

func (q *queue[T]) put(item T) {
	q.mu.Lock()
	q.items = append(q.items, item)
	q.mu.Unlock()
	q.ready.give()
}

// take returns the oldest item; if there is none, ready tells of the next.
func (q *queue[T]) take() (item T, ok bool) {
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

// clear takes out everything.
func (q *queue[T]) clear() (all []T) {
	q.mu.Lock()
	defer q.mu.Unlock()
	all, q.items = q.items, nil
	return all
}
