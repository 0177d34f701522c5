package journal

import (
	"context"
	"slices"
)

// Last gives the last event of each topic that the filter takes to visit, in the order of their names, whether or not the event is
// still in a segment. The data of one that is too long to be kept in memory is read; it is nil if it is not there any more.
func (j *Journal) Last(f Filter, visit func(*Entry) error) error {
	var list []Entry
	j.memMu.RLock()
	for _, some := range []*recent[Topic, last]{j.mem.bare, j.mem.lasts} {
		some.all(func(t Topic, l *last) {
			if f.takes(t) {
				e := Entry{Position: l.Position, Event: l.event}
				e.Data = slices.Clone(e.Data)
				list = append(list, e)
			}
		})
	}
	j.memMu.RUnlock()
	slices.SortFunc(list, func(a, b Entry) int { return compareTopics(a.Topic, b.Topic) })
	for i := range list {
		e := &list[i]
		if len(e.Data) == 0 {
			j.readOne(e)
		}
		if err := visit(e); err != nil {
			return err
		}
	}
	return nil
}

// readOne reads the data of an event.
func (j *Journal) readOne(e *Entry) {
	v := j.view.Load()
	if len(v.kept) == 0 || e.Sequence < v.kept[0].first {
		return
	}
	r := j.Read(Query{Bounded: true})
	r.next = e.Sequence
	defer func() { _ = r.Close() }()
	var one [1]Entry
	if n, err := r.Next(context.Background(), one[:]); n == 1 && err == nil && one[0].Lost == 0 && one[0].Sequence == e.Sequence {
		e.Data = slices.Clone(one[0].Data)
	}
}
