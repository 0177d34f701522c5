package journal

import (
	"context"
	"errors"
	"io/fs"
	"math"
	"slices"
)

// A view is what of a log may be read: what is committed.
type view struct {
	dir  folder
	kept []segment // oldest first
	end  int64     // of what is committed in the last one
	next uint64    // sequence of the next event
}

// view returns what may be read now.
func (l *log) view(dir folder) view {
	return view{dir: dir, kept: slices.Clone(l.kept), end: l.end, next: l.next}
}

// endOf returns the sequence before which a segment's events count. What stands behind it was not acknowledged there, and was
// written again to the next segment.
func (v *view) endOf(i int) uint64 {
	if i+1 < len(v.kept) {
		return v.kept[i+1].first
	}
	return v.next
}

// find returns the index of the segment that has the event, or the next one that is there.
func (v *view) find(sequence uint64) int {
	i, found := slices.BinarySearchFunc(v.kept, sequence, func(s segment, n uint64) int {
		switch {
		case s.first < n:
			return -1
		case s.first > n:
			return 1
		}
		return 0
	})
	if !found {
		i--
	}
	return max(i, 0)
}

// A Filter says which events are read. Empty fields mean any.
type Filter struct{ Sender, Event string }

func (f Filter) takes(t Topic) bool {
	return (f.Sender == "" || f.Sender == t.Sender) && (f.Event == "" || f.Event == t.Event)
}

// An Entry is what a Reader reads: an event with its position or, if Lost is not 0, events that are not there any more, or
// cannot be read: so many of them, of any sender, from the position on.
type Entry struct {
	Position
	Event
	Lost uint64
}

// A Reader reads the events of a journal in their order, and then goes on with those that are committed meanwhile. Its methods
// are for one goroutine.
type Reader struct {
	j      *Journal
	filter Filter
	next   uint64 // sequence that is read next

	number uint64 // of the segment that is open; 0: none
	file   file
	size   int64 // of it
	win    window
	at     int64 // in it
	parser parser
}

// Read returns a Reader of the events from a sequence on; 0 is the oldest that is there.
func (j *Journal) Read(from uint64, f Filter) *Reader {
	return &Reader{j: j, filter: f, next: max(from, 1)}
}

// Next gives entries to visit: those of the next commits that are there, or of the first that is made. It returns after some,
// when there is nothing more to read at the moment; or an error, when ctx is done, visit returned it, or the folder cannot be
// read. The data is valid until visit returns.
func (r *Reader) Next(ctx context.Context, visit func(*Entry) error) error {
	for {
		r.j.mu.Lock()
		v, changed := r.j.view, r.j.changed
		r.j.mu.Unlock()
		if r.next < v.next {
			return r.read(&v, visit)
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// Close closes the file that is open.
func (r *Reader) Close() error {
	if r.file == nil {
		return nil
	}
	f := r.file
	r.file, r.number = nil, 0
	return f.Close()
}

// read gives what one segment has of a view to visit.
func (r *Reader) read(v *view, visit func(*Entry) error) error {
	i := v.find(r.next)
	s, end := v.kept[i], v.endOf(i)
	if s.first > r.next { // the oldest have gone
		if err := r.lost(s.first, visit); err != nil {
			return err
		}
	}
	size := int64(math.MaxInt64)
	if i+1 == len(v.kept) {
		size = v.end
	}
	if s.number != r.number {
		if err := errors.Join(r.Close(), r.open(v, s)); err != nil {
			return err
		}
	}
	if r.file != nil {
		r.win.size = min(size, r.size) // what lies behind may change
		if err := r.frames(&s, end, visit); err != nil {
			return err
		}
	}
	if r.next < end { // the rest of the segment cannot be read
		return r.lost(end, visit)
	}
	return nil
}

func (r *Reader) open(v *view, s segment) error {
	f, err := v.dir.Open(segmentName(s.number))
	if errors.Is(err, fs.ErrNotExist) { // it was renamed to be written again
		return nil
	}
	if err != nil {
		return err
	}
	size, err := f.Size()
	if err != nil {
		return errors.Join(err, f.Close())
	}
	r.file, r.number, r.size, r.at, r.win = f, s.number, size, s.begin, window{f: f, data: r.win.data[:0]}
	return nil
}

// frames reads the frames of the segment that is open.
func (r *Reader) frames(s *segment, end uint64, visit func(*Entry) error) error {
	for r.at < r.win.size && r.next < end {
		data, err := r.win.at(r.at)
		var f frame
		if err == nil {
			f, err = parseFrame(data, s.seal())
		}
		if err != nil {
			r.at += frameAlign
			continue
		}
		if f.first+uint64(f.count) <= r.next || f.first >= end {
			r.at += f.size()
			continue
		}
		if f.first > r.next {
			if err := r.lost(f.first, visit); err != nil {
				return err
			}
		}
		if err := r.parser.read(&f, f.content, entries{r, visit}); err != nil {
			return err
		}
		r.at += f.size()
		r.next = f.first + uint64(f.count)
	}
	return nil
}

// lost tells that the events up to a sequence are not there, and goes on there.
func (r *Reader) lost(to uint64, visit func(*Entry) error) error {
	e := Entry{Position: Position{Sequence: r.next}, Lost: to - r.next}
	r.next = to
	return visit(&e)
}

// entries give a frame's events to whoever reads.
type entries struct {
	r     *Reader
	visit func(*Entry) error
}

func (v entries) event(p Position, e *Event) error {
	if p.Sequence < v.r.next || !v.r.filter.takes(e.Topic) {
		return nil
	}
	v.r.next = p.Sequence + 1 // so that whoever returns an error is not given it again
	return v.visit(&Entry{Position: p, Event: *e})
}

func (entries) mark(string, []byte)     {}
func (entries) cursor(string, Position) {}
func (entries) last(Position, *Event)   {}
func (entries) epoch(Position)          {}

// Last gives the last event of each topic to visit, in the order of their names, whether or not it is still in a segment. An
// event whose data is not kept in memory has none, and can be read by its position.
func (j *Journal) Last(f Filter, visit func(*Entry) error) error {
	j.mu.Lock()
	var list []Entry
	for t, l := range j.mem.lasts {
		if f.takes(t) {
			e := Entry{Position: l.Position, Event: l.event}
			e.Data = slices.Clone(e.Data)
			list = append(list, e)
		}
	}
	j.mu.Unlock()
	slices.SortFunc(list, func(a, b Entry) int { return compareTopics(a.Topic, b.Topic) })
	for i := range list {
		if err := visit(&list[i]); err != nil {
			return err
		}
	}
	return nil
}
