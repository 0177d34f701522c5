package disk

import (
	"math/rand/v2"
	"slices"
)

// A Recording is the log of a frozen disk.
type Recording struct {
	base  *Image
	log   []entry
	image *Image // base with the first entries of the log
	done  int    // so many
}

// Recording returns the log of a disk that is frozen.
func (d *Disk) Recording() *Recording {
	d.mu.Lock()
	defer d.mu.Unlock()
	if !d.frozen {
		panic("disk: a recording of a disk that has power")
	}
	return &Recording{base: d.base, log: d.log, image: d.base.Clone()}
}

// Len returns the number of places at which the power can be cut. The last one is the end.
func (r *Recording) Len() int { return len(r.log) + 1 }

// After returns the first place after the first note that is the one.
func (r *Recording) After(is func(note any) bool) int {
	for i, e := range r.log {
		if e.note != nil && is(e.note) {
			return i + 1
		}
	}
	return len(r.log)
}

// A Cut says what a cut did to a disk.
type Cut struct {
	Place   int
	Loose   int // writes that were not flushed
	Dropped int // of them
	Torn    int // of the others
}

// Cut returns what is left after a cut at a place, and gives every note before it to visit, in order. What was flushed is there, of the other writes a random part. Of two writes to the same sector never the older one
// replaces the newer one, because no cache does that. Places that ascend from call to call are fast.
func (r *Recording) Cut(rng *rand.Rand, place int, visit func(note any)) (*Image, Cut) {
	flushed := 0
	for i, e := range r.log[:place] {
		if e.flush {
			flushed = i + 1
		}
		if e.note != nil {
			visit(e.note)
		}
	}
	if flushed < r.done {
		r.image, r.done = r.base.Clone(), 0
	}
	for ; r.done < flushed; r.done++ {
		r.image.Write(r.log[r.done].data, r.log[r.done].at)
	}
	left := r.image.Clone()
	return left, lose(rng, r.log[flushed:place], place, left)
}

// lose applies some of these writes.
func lose(rng *rand.Rand, log []entry, place int, dst *Image) Cut {
	c := Cut{Place: place}
	for _, e := range log {
		if e.data != nil && !e.force {
			c.Loose++
		}
	}
	kept := keepers(rng, c.Loose)
	i := -1
	for _, e := range log {
		switch {
		case e.data == nil:
			continue
		case e.force:
			dst.Write(e.data, e.at)
			continue
		}
		i++
		switch {
		case !kept(i):
			c.Dropped++
		case rng.IntN(8) == 0 && len(e.data) > Sector && !isSuperblock(e):
			c.Torn++
			tear(rng, e, dst)
		default:
			dst.Write(e.data, e.at)
		}
	}
	return c
}

// keepers decides which of n writes outlive a cut. Disks differ: some lose nearly everything, some hardly anything, some write in
// order, some lose just one.
func keepers(rng *rand.Rand, n int) func(i int) bool {
	switch rng.IntN(8) {
	case 0: // nothing was written
		return func(int) bool { return false }
	case 1: // in order
		first := rng.IntN(n + 1)
		return func(i int) bool { return i < first }
	case 2: // the latest ones first
		first := rng.IntN(n + 1)
		return func(i int) bool { return i >= first }
	case 3: // all but one
		lost := rng.IntN(n + 1)
		return func(i int) bool { return i != lost }
	}
	share := rng.Float64()
	return func(int) bool { return rng.Float64() < share }
}

// isSuperblock reports whether a write has the superblock of ext4, which is longer than a sector and does not survive being torn: the
// file system could not be mounted, whatever lies on it.
func isSuperblock(e entry) bool { return e.at < 2048 && e.at+int64(len(e.data)) > 1024 }

// tear writes some sectors of a write.
func tear(rng *rand.Rand, e entry, dst *Image) {
	sectors := len(e.data) / Sector
	if rng.IntN(2) == 0 {
		dst.Write(e.data[:Sector*rng.IntN(sectors)], e.at)
		return
	}
	for i := range sectors {
		if rng.IntN(2) == 0 {
			dst.Write(e.data[i*Sector:(i+1)*Sector], e.at+int64(i)*Sector)
		}
	}
}

// Places returns n places from first on, ascending: some anywhere, most between a write and the next flush, where there is something
// to lose.
func (r *Recording) Places(rng *rand.Rand, first, n int) []int {
	var writes []int
	flush := make(map[int]int, len(r.log)) // after each write, the next flush
	for i, next := len(r.log)-1, len(r.log); i >= first; i-- {
		switch {
		case r.log[i].flush:
			next = i
		case r.log[i].data != nil:
			writes = append(writes, i)
			flush[i] = next
		}
	}
	places := make([]int, n)
	for i := range places {
		if i%4 == 0 || len(writes) == 0 {
			places[i] = first + rng.IntN(len(r.log)+1-first)
			continue
		}
		w := writes[rng.IntN(len(writes))]
		places[i] = w + 1 + rng.IntN(flush[w]-w)
	}
	slices.Sort(places)
	return places
}

// All gives all notes to visit, in order.
func (r *Recording) All(visit func(note any)) {
	for _, e := range r.log {
		if e.note != nil {
			visit(e.note)
		}
	}
}
