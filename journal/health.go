package journal

import "time"

// Health says whether a journal can write, and what it has.
type Health struct {
	Err        error     // why the latest commit failed; nil if it did not
	Since      time.Time // when commits began to fail
	Lost       uint64    // commits that were given up
	LostEvents uint64    // in them

	Segments int
	Bytes    int64     // of all files
	Size     int64     // that they may have
	First    Position  // the oldest event that is there; zero: the journal is empty
	Next     Position  // the place of the next event
	Oldest   time.Time // between these lie the times of the events, as far as that is known; zero if there are none
	Newest   time.Time

	tried  time.Time // when the latest attempt failed
	gaveUp bool
}

// Health returns whether the journal can write, and what it has.
func (j *Journal) Health() Health {
	j.mu.Lock()
	h := j.health
	j.mu.Unlock()
	j.memMu.RLock()
	h.Bytes = j.mem.runs.Bytes()
	j.memMu.RUnlock()
	v := j.view.Load()
	h.Segments, h.Size, h.Next = len(v.kept), j.o.Size, Position{v.epoch, v.next}
	all := never
	for i := range v.kept {
		s := &v.kept[i]
		h.Bytes += s.size
		if t := v.timesOf(i); t != unknown {
			all = all.and(t)
		}
	}
	if n := len(v.kept); n > 0 && v.kept[0].first < v.next {
		h.First = Position{v.kept[0].epoch, v.kept[0].first}
	}
	if all.min <= all.max {
		h.Oldest, h.Newest = time.Unix(0, all.min), time.Unix(0, all.max)
	}
	return h
}
