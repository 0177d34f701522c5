package fault

// A ring is a queue of limited length.
type ring[T any] struct {
	items    []T
	first, n int
}

func newRing[T any](size int) ring[T] { return ring[T]{items: make([]T, size)} }

func (r *ring[T]) room() int { return len(r.items) - r.n }

// push appends an item, for which there must be room.
func (r *ring[T]) push(item T) {
	r.items[(r.first+r.n)%len(r.items)] = item
	r.n++
}

// peek returns the first item of a ring that must not be empty.
func (r *ring[T]) peek() T { return r.items[r.first] }

func (r *ring[T]) pop() T {
	item := r.items[r.first]
	r.first = (r.first + 1) % len(r.items)
	r.n--
	return item
}

func (r *ring[T]) clear() { r.first, r.n = 0, 0 }
