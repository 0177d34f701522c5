package journal

import (
	"math"
	"sort"
	"time"

	"sighub/journal/folder"
)

// A view is what of a log may be read: what is committed. It does not change.
type view struct {
	dir   folder.Folder
	kept  []segment // oldest first
	end   int64     // of what is committed in the last one
	times           // of that one's events
	epoch uint32
	next  uint64 // sequence of the next event
}

// view returns what may be read now.
func (l *log) view() *view {
	return &view{dir: l.dir, kept: l.kept, end: l.end, times: l.times, epoch: l.epoch, next: l.next}
}

// endOf returns the sequence before which a segment's events count. What stands behind it was not acknowledged there, and was
// written again to the next segment.
func (v *view) endOf(i int) uint64 {
	if i+1 < len(v.kept) {
		return v.kept[i+1].first
	}
	return v.next
}

// timesOf returns between which times the events of a segment lie.
func (v *view) timesOf(i int) times {
	if i+1 == len(v.kept) {
		return v.times
	}
	return v.kept[i].times
}

// find returns the index of the segment that has the event, or the next one that is there. Of segments that begin with the same
// sequence, only the last one may have events.
func (v *view) find(sequence uint64) int {
	behind := sort.Search(len(v.kept), func(i int) bool { return v.kept[i].first > sequence })
	return max(behind-1, 0)
}

// A Filter says which topics are wanted. Nil: all.
type Filter func(Topic) bool

// Only takes the topics with that sender and event. Empty texts mean any.
func Only(sender, event string) Filter {
	if sender == "" && event == "" {
		return nil
	}
	return func(t Topic) bool {
		return (sender == "" || sender == t.Sender) && (event == "" || event == t.Event)
	}
}

func (f Filter) takes(t Topic) bool { return f == nil || f(t) }

// A Start says where reading begins. The zero Start is the oldest event that is there.
type Start struct {
	kind     startKind
	position Position
	cursor   string
	time     int64
}

type startKind int

const (
	startOldest startKind = iota
	startEnd
	startAt
	startSince
	startCursor
)

// FromOldest begins with the oldest event that is there.
func FromOldest() Start { return Start{} }

// FromEnd begins with what is committed after the call of Read.
func FromEnd() Start { return Start{kind: startEnd} }

// At begins with the event at a position.
func At(p Position) Start { return Start{kind: startAt, position: p} }

// After begins behind the event at a position.
func After(p Position) Start { return At(Position{p.Epoch, p.Sequence + 1}) }

// Since leaves out the events of an earlier time. It applies to those that are on record; those that are committed after the
// call of Read are read whatever their time is, because a device's clock may be wrong.
func Since(t time.Time) Start { return Start{kind: startSince, time: nanoseconds(t)} }

// AfterCursor begins behind the event that the owner of a cursor has acknowledged last; with the oldest if there is no such cursor.
func AfterCursor(name string) Start { return Start{kind: startCursor, cursor: name} }

// nanoseconds returns a time as events have it. Those that are too far away to be one are as far away as one can be.
func nanoseconds(t time.Time) int64 {
	switch year := t.UTC().Year(); {
	case year < 1678:
		return math.MinInt64
	case year > 2261:
		return math.MaxInt64
	}
	return t.UnixNano()
}

// A Query says what is read.
type Query struct {
	Start  Start
	Filter Filter
	// Until leaves out the events of that time and of later ones. Zero: none.
	Until time.Time
	// Bounded has reading end with io.EOF behind what was committed when Read was called. Else it goes on with what is committed.
	Bounded bool
}

// An Entry is what a Reader reads: an event with its position, or what became of events. The latter does not depend on the filter.
type Entry struct {
	Position
	Event
	// Lost is how many events, from the position on, are not there any more or cannot be read; 0: this is an event.
	Lost uint64
	// Back is how many events behind this position were on record and are not any more, because the disk has lost them or the
	// journal is another one. Their sequences are used again. It comes first, without an event.
	Back uint64
}
