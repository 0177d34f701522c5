package journal

// A recent is a map that knows in which order its values were set, and how large they are together.
type recent[K comparable, V any] struct {
	items map[K]*item[K, V]
	root  item[K, V] // before the oldest and behind the newest; of a ring
	bytes int
}

type item[K comparable, V any] struct {
	key          K
	value        V
	size         int
	older, newer *item[K, V]
}

func newRecent[K comparable, V any]() *recent[K, V] {
	r := &recent[K, V]{items: make(map[K]*item[K, V])}
	r.root.older, r.root.newer = &r.root, &r.root
	return r
}

// get returns the value of a key; nil if it has none.
func (r *recent[K, V]) get(key K) *V {
	if i := r.items[key]; i != nil {
		return &i.value
	}
	return nil
}

// put returns the value of a key, which is the newest from now on, to be set to something of that size.
func (r *recent[K, V]) put(key K, size int) *V {
	i := r.items[key]
	if i == nil {
		i = &item[K, V]{key: key}
		r.items[key] = i
	} else {
		i.older.newer, i.newer.older = i.newer, i.older
	}
	r.bytes += size - i.size
	i.size = size
	i.older, i.newer = r.root.older, &r.root
	i.older.newer, i.newer.older = i, i
	return &i.value
}

// remove removes a key, and reports whether it was there.
func (r *recent[K, V]) remove(key K) bool {
	i := r.items[key]
	if i == nil {
		return false
	}
	delete(r.items, key)
	i.older.newer, i.newer.older = i.newer, i.older
	r.bytes -= i.size
	return true
}

// oldest returns the key and the value that were set first.
func (r *recent[K, V]) oldest() (K, *V) { return r.root.newer.key, &r.root.newer.value }

// all calls visit for each, the oldest first.
func (r *recent[K, V]) all(visit func(K, *V)) {
	for i := r.root.newer; i != &r.root; i = i.newer {
		visit(i.key, &i.value)
	}
}
