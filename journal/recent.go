package journal

import (
	"maps"
	"slices"
	"strings"
)

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

// marks are the states of marks, by their kind: what stands before the first slash of a key, if there is one. Strangers may name very many
// marks of a kind. When there is no room left, the oldest of the kind that has most goes, so each kind keeps at least an equal part.
type marks struct {
	kinds map[string]*recent[string, []byte]
	bytes int
}

func newMarks() marks { return marks{kinds: make(map[string]*recent[string, []byte])} }

func kindOf(key string) string { return key[:max(strings.IndexByte(key, '/'), 0)] }

// get returns the state of a key; nil if it has none.
func (ms *marks) get(key string) *[]byte {
	if r := ms.kinds[kindOf(key)]; r != nil {
		return r.get(key)
	}
	return nil
}

// put returns the state of a key, to be set to something of that size.
func (ms *marks) put(key string, size int) *[]byte {
	kind := kindOf(key)
	r := ms.kinds[kind]
	if r == nil {
		r = newRecent[string, []byte]()
		ms.kinds[strings.Clone(kind)] = r
	}
	before := r.bytes
	state := r.put(key, size)
	ms.bytes += r.bytes - before
	return state
}

// remove removes a key.
func (ms *marks) remove(key string) {
	kind := kindOf(key)
	r := ms.kinds[kind]
	if r == nil {
		return
	}
	before := r.bytes
	r.remove(key)
	ms.bytes += r.bytes - before
	if len(r.items) == 0 {
		delete(ms.kinds, kind)
	}
}

// trim removes the oldest marks of the kind that has most, until all take no more bytes than that.
func (ms *marks) trim(most int) {
	for ms.bytes > most {
		kinds := slices.Sorted(maps.Keys(ms.kinds)) // so that a state that is read again has the same ones
		kind := slices.MaxFunc(kinds, func(a, b string) int { return ms.kinds[a].bytes - ms.kinds[b].bytes })
		oldest, _ := ms.kinds[kind].oldest()
		ms.remove(oldest)
	}
}

// all calls visit for each, the oldest of a kind first.
func (ms *marks) all(visit func(string, *[]byte)) {
	for _, kind := range slices.Sorted(maps.Keys(ms.kinds)) {
		ms.kinds[kind].all(visit)
	}
}
