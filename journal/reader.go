package journal

import (
	"cmp"
	"context"
	"errors"
	"io"
	"io/fs"
	"math"
	"sync"

	"sighub/journal/folder"
)

// A Reader reads the events of a journal in their order, and then goes on with those that are committed meanwhile. It keeps nothing
// in memory while it waits. Its methods are for one goroutine.
type Reader struct {
	j     *Journal
	q     Query
	next  uint64 // sequence that is read next
	back  uint64 // events that are told first
	end   uint64 // what was committed when it began
	since int64  // of events before end
	until int64

	number uint64 // of the segment that is open; 0: none
	file   folder.File
	win    window
	at     int64  // of the next frame in it
	far    bool   // the frame that has next may lie far behind that
	frame  bool   // the parser is in a frame
	after  uint64 // sequence of the frame after that
	parser parser
}

// Read returns a Reader. It does not read yet.
func (j *Journal) Read(q Query) *Reader {
	v := j.view.Load()
	r := &Reader{j: j, q: q, next: 1, end: v.next, since: math.MinInt64, until: math.MaxInt64}
	if !q.Until.IsZero() {
		r.until = nanoseconds(q.Until)
	}
	j.memMu.RLock()
	defer j.memMu.RUnlock()
	switch s := q.Start; s.kind {
	case startEnd:
		r.next = v.next
	case startAt:
		r.next, r.back = j.mem.resolve(s.position, v.epoch, v.next)
	case startSince:
		r.since = s.time
	case startCursor:
		if p := j.mem.cursors.get(s.cursor); p != nil {
			r.next, r.back = j.mem.resolve(Position{p.Epoch, p.Sequence + 1}, v.epoch, v.next)
		}
	}
	if s := q.Start.kind; (s == startOldest || s == startSince) && len(v.kept) > 0 {
		r.next = v.kept[0].first // what went before is not missed
	}
	return r
}

// Position returns where another Reader goes on: behind the last entry, and what was left out behind it.
// The epoch is not a later one than that of the next entry.
func (r *Reader) Position() Position { return Position{r.j.EpochOf(r.next), r.next} }

// Next sets some entries of dst, which is not empty, and returns how many. It waits for one at least. The data is valid until the next
// call. The error is io.EOF at the end of what is read, that of ctx, or that of a folder that cannot be read.
func (r *Reader) Next(ctx context.Context, dst []Entry) (int, error) {
	if r.back > 0 {
		dst[0] = Entry{Position: Position{r.j.view.Load().epoch, r.next}, Back: r.back}
		r.back = 0
		return 1, nil
	}
	for {
		n, err := r.more(dst)
		if n > 0 || err != nil {
			return n, err
		}
		if r.q.Bounded && r.next >= r.end {
			return 0, io.EOF
		}
		if ctx.Err() != nil {
			return 0, context.Cause(ctx)
		}
		changed := r.j.changes()
		if r.next < r.j.view.Load().next {
			continue
		}
		r.rest()
		select {
		case <-changed:
		case <-ctx.Done():
			return 0, context.Cause(ctx)
		}
	}
}

// jump goes on with an event further behind.
func (r *Reader) jump(sequence uint64) {
	r.next, r.far = sequence, true
	r.frame = r.frame && sequence < r.after
}

// changes returns a channel that is closed when more can be read.
func (j *Journal) changes() <-chan struct{} {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.changed == nil {
		j.changed = make(chan struct{})
	}
	return j.changed
}

// Close closes the file that is open.
func (r *Reader) Close() error {
	r.rest()
	if r.file == nil {
		return nil
	}
	f := r.file
	r.file, r.number = nil, 0
	return f.Close()
}

// windows are the buffers of readers that read.
var windows = sync.Pool{New: func() any { return new([]byte) }}

// fewTopics are so many that it is not worth forgetting them.
const fewTopics = 64

// rest lets go of the buffer.
func (r *Reader) rest() {
	if cap(r.win.data) == 0 {
		return
	}
	r.frame = false // the parser has read all of it
	if len(r.parser.known) > fewTopics || cap(r.parser.names) > fewTopics {
		r.parser = parser{}
	}
	if cap(r.win.data) <= longestBuffer {
		data := r.win.data[:0]
		windows.Put(&data)
	}
	r.win.data, r.win.start = nil, 0
}

// more reads of one segment what is there, as far as dst or a frame goes. It may return 0 although there is more.
func (r *Reader) more(dst []Entry) (int, error) {
	if r.frame {
		if n := r.events(dst); n > 0 {
			return n, nil
		}
	}
	v := r.j.view.Load()
	if end := min(v.next, r.limit()); r.next < end {
		if len(v.kept) == 0 { // everything there was has been given up
			return r.lost(end, dst), nil
		}
		i := v.find(r.next)
		s, end := &v.kept[i], min(v.endOf(i), r.limit())
		if s.first > r.next { // the oldest have gone
			return r.lost(s.first, dst), nil
		}
		if r.next < end && end <= r.end && !v.timesOf(i).overlaps(r.since, r.until) {
			r.next = end
			return 0, nil
		}
		if s.number != r.number {
			if err := errors.Join(r.Close(), r.open(v, s)); err != nil {
				return 0, err
			}
		}
		r.win.size = s.size
		if i+1 == len(v.kept) {
			r.win.size = min(s.size, v.end) // what lies behind may change
		}
		n := r.frames(s, end, dst)
		if n == 0 && r.next < end { // the rest of the segment cannot be read
			n = r.lost(end, dst)
		}
		return n, nil
	}
	return 0, nil
}

// limit returns the sequence at which reading ends.
func (r *Reader) limit() uint64 {
	if r.q.Bounded {
		return r.end
	}
	return math.MaxUint64
}

func (r *Reader) open(v *view, s *segment) error {
	f, err := v.dir.Open(segmentName(s.number))
	if errors.Is(err, fs.ErrNotExist) { // it was renamed to be written again
		return nil
	}
	if err != nil {
		return err
	}
	r.file, r.number, r.at, r.far = f, s.number, headSize, r.next > s.first
	return nil
}

// frames reads the frames of the segment that is open, up to the first with something for dst.
func (r *Reader) frames(s *segment, end uint64, dst []Entry) int {
	if r.file == nil {
		return 0
	}
	if cap(r.win.data) == 0 {
		r.win.data = (*windows.Get().(*[]byte))[:0]
	}
	r.win.f = r.file
	if r.far {
		r.at, r.far = r.win.seek(r.at, r.next, s.seal), false
	}
	for r.at < r.win.size && r.next < end {
		data, err := r.win.at(r.at)
		var f frame
		if err == nil {
			f, err = parseFrame(data, s.seal)
		}
		if err != nil {
			r.at += frameAlign
			continue
		}
		after := f.first + uint64(f.count)
		switch {
		case f.count == 0 || after <= r.next || f.first >= end:
			r.at += f.size()
			continue
		case f.first > r.next:
			return r.lost(f.first, dst)
		case after <= r.end && !f.overlaps(r.since, r.until):
			r.at, r.next = r.at+f.size(), after
			continue
		}
		r.at += f.size()
		r.parser.begin(&f)
		r.frame, r.after = true, after
		if n := r.events(dst); n > 0 {
			return n
		}
	}
	return 0
}

// events reads events of the frame.
func (r *Reader) events(dst []Entry) (n int) {
	p, read := &r.parser, r.next
	for n < len(dst) {
		ok, err := p.next()
		if err != nil { // another version has written it: the rest of the frame is lost
			r.frame, r.next = false, read
			if n == 0 {
				n = r.lost(r.after, dst)
			}
			return n
		}
		if !ok {
			r.frame, r.next = false, r.after
			break
		}
		if p.kind == recordName {
			name := &p.names[len(p.names)-1]
			name.takes = r.q.Filter.takes(name.Topic)
		}
		if p.kind != recordEvent || p.at < r.next {
			continue
		}
		if read = p.at + 1; !p.names[p.name].takes {
			continue
		}
		if t := p.event.Time; p.at < r.end && t < r.since || t >= r.until {
			continue
		}
		e := &dst[n]
		e.Epoch, e.Sequence, e.Event, e.Lost, e.Back = p.epoch, p.at, p.event, 0, 0
		n++
	}
	if r.frame {
		r.next = read
	}
	return n
}

// lost tells that the events up to a sequence are not there, and goes on there.
func (r *Reader) lost(to uint64, dst []Entry) int {
	dst[0] = Entry{Position: Position{r.j.EpochOf(to - 1), r.next}, Lost: to - r.next}
	r.next = to
	return 1
}

// EpochOf returns the epoch of the event that has a sequence; if none has it yet, the current epoch. If it is forgotten when that
// began, it is the epoch in which the event's segment did.
func (j *Journal) EpochOf(sequence uint64) uint32 {
	v := j.view.Load()
	if sequence >= v.next || len(v.kept) == 0 {
		return v.epoch
	}
	j.memMu.RLock()
	defer j.memMu.RUnlock()
	return cmp.Or(j.mem.epochAt(sequence), v.kept[v.find(sequence)].epoch)
}
