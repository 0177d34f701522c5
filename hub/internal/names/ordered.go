package names

import (
	"iter"
	"slices"
	"strings"
)

// An Ordered has the keys of a map in their order, for those who read them page by page while keys come and go. A key that comes is
// only noted. Whoever reads brings what was noted into its place, among the latest few, so that not all keys are sorted again for
// each that comes.
//
// Whoever guards the map guards it, too. The zero Ordered is that of an empty map.
type Ordered struct {
	noted []string // came since somebody read or sorted; in no order, and perhaps in the lists already
	over  bool     // more have come than are noted
	late  []string // came after the list was made; in order
	list  []string // in order; of some, the key may have gone
	gone  int      // keys that went since the list was made
	begun uint64   // lists that somebody has begun to make
	made  uint64   // the number of this one
}

// maxLate is how many keys may come before the list is made anew; and as many, and a quarter of the list, may go. That is enough for
// the work of making it to be little for each, and few enough to be brought into their places quickly.
const maxLate = 1024

// Add notes that a key has come.
func (o *Ordered) Add(key string) {
	if len(o.noted) < maxLate {
		o.noted = append(o.noted, key)
	} else {
		o.noted, o.over = nil, true
	}
}

// Remove notes that a key has gone.
func (o *Ordered) Remove() { o.gone++ }

// Keys returns the keys as they are now. ok is false if they have to be sorted: see Sort.
func (o *Ordered) Keys() (k Keys, ok bool) {
	if o.over || o.made != o.begun || o.gone > maxLate+len(o.list)/4 || len(o.late) > maxLate {
		return Keys{}, false
	}
	if len(o.noted) > 0 {
		slices.Sort(o.noted)
		o.late, o.noted = merge(o.late, o.noted, o.list), nil
	}
	return Keys{o.list, o.late}, true
}

// Sort says that somebody has taken all keys from the map and is about to sort them, without the guard.
func (o *Ordered) Sort() (number uint64) {
	o.begun++
	o.noted, o.over, o.gone = nil, false, 0
	return o.begun
}

// Take takes the keys that were there when Sort returned the number, in order, unless somebody has begun to sort later ones.
func (o *Ordered) Take(number uint64, list []string) Keys {
	if number == o.begun {
		o.list, o.late, o.made = list, nil, number
	}
	return Keys{list: list}
}

// merge returns the elements of two lists in order, without those of the second one that are in the first one or in known.
func merge(a, b, known []string) []string {
	all := make([]string, 0, len(a)+len(b))
	for _, s := range b {
		n, found := slices.BinarySearch(a, s)
		all, a = append(all, a[:n]...), a[n:]
		if found || len(all) > 0 && all[len(all)-1] == s {
			continue
		}
		if _, found := slices.BinarySearch(known, s); !found {
			all = append(all, s)
		}
	}
	return append(all, a...)
}

// Keys are the keys at a moment, in order; of some, the key may have gone already. They do not change.
type Keys struct{ list, late []string }

// After yields the keys behind a key that may be there or not, in order.
func (k Keys) After(key string) iter.Seq[string] {
	return func(yield func(string) bool) {
		list, late := behind(k.list, key), behind(k.late, key)
		for len(list) > 0 || len(late) > 0 {
			from := &list
			if len(list) == 0 || len(late) > 0 && strings.Compare(late[0], list[0]) < 0 {
				from = &late
			}
			if !yield((*from)[0]) {
				return
			}
			*from = (*from)[1:]
		}
	}
}

func behind(list []string, key string) []string {
	n, found := slices.BinarySearch(list, key)
	if found {
		n++
	}
	return list[n:]
}
