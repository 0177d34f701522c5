package names

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"testing"
)

// An orderedMap is a map with its keys in order, as the router has it.
type orderedMap struct {
	Ordered
	m     map[string]bool
	sorts int
}

func (o *orderedMap) add(key string) {
	if !o.m[key] {
		o.m[key] = true
		o.Add(key)
	}
}

func (o *orderedMap) remove(key string) {
	if o.m[key] {
		delete(o.m, key)
		o.Remove()
	}
}

func (o *orderedMap) keys() Keys {
	k, ok := o.Keys()
	if !ok {
		o.sorts++
		n := o.Sort()
		k = o.Take(n, slices.Sorted(maps.Keys(o.m)))
	}
	return k
}

// check compares the keys behind one with those of the map.
func (o *orderedMap) check(t *testing.T, k Keys, behind string) {
	t.Helper()
	var got, want []string
	for key := range k.After(behind) {
		if o.m[key] {
			got = append(got, key)
		}
	}
	for _, key := range slices.Sorted(maps.Keys(o.m)) {
		if key > behind {
			want = append(want, key)
		}
	}
	if !slices.Equal(got, want) {
		t.Fatalf("behind %q are %d keys, want %d", behind, len(got), len(want))
	}
}

// TestOrdered: whatever comes and goes, the keys are those of the map, each once and in order.
func TestOrdered(t *testing.T) {
	for seed := range uint64(8) {
		random := rand.New(rand.NewPCG(seed, 1))
		o := orderedMap{m: make(map[string]bool)}
		kinds := 1 + random.IntN(4*maxLate)
		for range 60 {
			for range random.IntN(1 << random.IntN(12)) {
				key := fmt.Sprint(random.IntN(kinds))
				if random.IntN(3) == 0 {
					o.remove(key)
				} else {
					o.add(key)
				}
			}
			k := o.keys()
			o.check(t, k, "")
			o.check(t, k, fmt.Sprint(random.IntN(kinds)))
		}
	}
}

// TestOrderedSeldomSorts: many keys are sorted once for many that come and go, also if each time somebody reads.
func TestOrderedSeldomSorts(t *testing.T) {
	o := orderedMap{m: make(map[string]bool)}
	const many = 20_000
	for n := range many {
		o.add(fmt.Sprint(n))
	}
	o.keys()
	o.sorts = 0
	for n := range 4 * maxLate {
		o.add(fmt.Sprint("new", n))
		o.keys()
		o.remove(fmt.Sprint(n))
		o.keys()
	}
	if o.sorts > 6 {
		t.Errorf("the keys were sorted %d times", o.sorts)
	}
	o.check(t, o.keys(), "")
	for n := range many { // nobody reads
		o.add(fmt.Sprint("unread", n))
		if n := len(o.noted); n > maxLate {
			t.Fatalf("%d keys are noted", n)
		}
	}
	o.check(t, o.keys(), "")
	for n := range many {
		o.remove(fmt.Sprint("unread", n))
	}
	o.check(t, o.keys(), "")
	if len(o.list) > 2*len(o.m) {
		t.Errorf("%d keys are remembered of %d", len(o.list), len(o.m))
	}
}

// TestOrderedMeanwhile: while somebody sorts, keys come and go, and others sort, too.
func TestOrderedMeanwhile(t *testing.T) {
	o := orderedMap{m: make(map[string]bool)}
	for n := range 3 * maxLate {
		o.add(fmt.Sprint(n))
	}
	first, firstKeys := o.Sort(), slices.Sorted(maps.Keys(o.m))
	if _, ok := o.Keys(); ok {
		t.Error("while the keys are sorted for the first time, there are some")
	}
	o.add("between")
	second, secondKeys := o.Sort(), slices.Sorted(maps.Keys(o.m))
	o.add("later")
	o.Take(second, secondKeys)
	o.Take(first, firstKeys) // must not replace the newer ones
	k, ok := o.Keys()
	if !ok {
		t.Error("the keys are to be sorted again")
	}
	o.check(t, k, "")
	third := o.Sort()
	thirdKeys := slices.Sorted(maps.Keys(o.m))
	for n := range 2 * maxLate { // more than are noted
		o.add(fmt.Sprint("more", n))
	}
	o.Take(third, thirdKeys)
	o.check(t, o.keys(), "")
}
