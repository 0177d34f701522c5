package journal

import (
	"cmp"
	"context"
	"math"
	"slices"
)

// Last gives the last event of each topic that the filter takes to visit, in the order of their names, whether or not the event is
// still in a segment. The data of one that is not in memory is read; it is nil if it is not there any more.
func (j *Journal) Last(f Filter, visit func(*Entry) error) error {
	for after, more := (Topic{}), true; more; {
		var list []Entry
		list, more = j.LastAfter(after, f, math.MaxInt, windowSize)
		for i := range list {
			if err := visit(&list[i]); err != nil {
				return err
			}
			after = list[i].Topic
		}
	}
	return nil
}

// lastCost is what an Entry takes beside its data, in bytes.
const lastCost = 128

// LastAfter returns the last events of topics behind one, as [Journal.Last] gives them: up to a number of them, and as many as take so
// many bytes, but one at least. It reports whether there are more behind these. What has to be read is read in one pass, so it costs
// less to ask for many at a time.
func (j *Journal) LastAfter(after Topic, f Filter, most, bytes int) (list []Entry, more bool) {
	topics := j.topics()
	i, found := slices.BinarySearchFunc(topics, after, compareTopics)
	if found {
		i++
	}
	size := 0
	for _, t := range topics[i:] {
		if !f.takes(t) {
			continue
		}
		e, ok := j.lastOf(t)
		if !ok {
			continue // it was forgotten meanwhile
		}
		if len(list) >= most || len(list) > 0 && size >= bytes {
			more = true
			break
		}
		size += lastCost + len(e.Data)
		list = append(list, e)
	}
	read := j.readLasts(list, bytes-size)
	return list[:read], more || read < len(list)
}

// readLasts reads the data of events that have none, in the order in which they lie in the journal. If the data has more than so many
// bytes together, room is made for it at the end of the list: it returns how many of the list are left.
func (j *Journal) readLasts(list []Entry, bytes int) (left int) {
	var missing []*Entry
	for i := range list {
		if e := &list[i]; len(e.Data) == 0 {
			missing = append(missing, e)
		}
	}
	left = len(list)
	if len(missing) == 0 {
		return left
	}
	slices.SortFunc(missing, func(a, b *Entry) int { return cmp.Compare(a.Sequence, b.Sequence) })
	r := j.Read(Query{Bounded: true})
	defer func() { _ = r.Close() }()
	r.win.ahead = seekStep
	oldest := r.next
	var one [1]Entry
	for _, e := range missing {
		if e.Sequence < oldest { // it has gone, or is not among those that are left
			continue
		}
		r.jump(e.Sequence)
		if n, err := r.Next(context.Background(), one[:]); n < 1 || err != nil || one[0].Lost > 0 || one[0].Sequence != e.Sequence {
			continue
		}
		e.Data = slices.Clone(one[0].Data)
		for bytes -= len(e.Data); bytes < 0 && left > 1; {
			left--
			bytes += lastCost + len(list[left].Data)
			list[left] = Entry{}
		}
	}
	return left
}

// An order is the topics that have a last event, in the order of their names. It is made when somebody asks, and holds until one of them
// is new or forgotten.
type order struct {
	at     uint64 // memory.topics when it was made
	topics []Topic
}

func (j *Journal) topics() []Topic {
	j.memMu.RLock()
	o := order{at: j.mem.topics}
	if known := j.order.Load(); known != nil && known.at == o.at {
		j.memMu.RUnlock()
		return known.topics
	}
	o.topics = make([]Topic, 0, len(j.mem.bare.items)+len(j.mem.lasts.items))
	for _, some := range []*recent[Topic, last]{j.mem.bare, j.mem.lasts} {
		some.all(func(t Topic, _ *last) { o.topics = append(o.topics, t) })
	}
	j.memMu.RUnlock()
	slices.SortFunc(o.topics, compareTopics)
	j.order.Store(&o)
	return o.topics
}

// lastOf returns the last event of a topic, if it is known.
func (j *Journal) lastOf(t Topic) (e Entry, ok bool) {
	j.memMu.RLock()
	defer j.memMu.RUnlock()
	l := j.mem.lasts.get(t)
	if l == nil {
		l = j.mem.bare.get(t)
	}
	if l == nil {
		return e, false
	}
	e = Entry{Position: l.Position, Event: l.event}
	e.Data = slices.Clone(e.Data)
	return e, true
}
