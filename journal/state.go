package journal

import (
	"maps"
	"slices"
	"strings"
)

// A memory is what a journal knows without reading: the last event of each topic, marks, cursors, epochs. It follows from the
// commits alone, both while they are made and when the journal is opened. So what a restart finds is what was there.
type memory struct {
	lasts   map[Topic]*last
	marks   map[string][]byte
	cursors map[string]Position
	epochs  []Position // each with the sequence in front of which it began, ascending
}

// A last is the last event of a topic.
type last struct {
	Position
	event Event // its Data is nil if it is too long to be kept, unless it is empty
	long  bool
}

const (
	longestLast = 4 << 10 // the longest data of a last event that is kept in memory
	lastsInHead = 1 << 20 // bytes of last events in the head of a segment; of further ones only the position is there
)

func newMemory() *memory {
	return &memory{lasts: map[Topic]*last{}, marks: map[string][]byte{}, cursors: map[string]Position{}}
}

func (m *memory) event(p Position, e *Event) error {
	l := m.lasts[e.Topic]
	if l == nil {
		l = new(last)
		m.lasts[e.Topic] = l
	}
	kept := l.event.Data[:0] // its memory is used again
	l.Position, l.event, l.long = p, *e, len(e.Data) > longestLast
	l.event.Data = nil
	if !l.long {
		kept = append(kept, e.Data...)
		l.event.Data = kept
	}
	return nil
}

func (m *memory) mark(key string, state []byte) {
	if len(state) == 0 {
		delete(m.marks, key)
		return
	}
	m.marks[key] = append(m.marks[key][:0], state...)
}

func (m *memory) cursor(name string, p Position) {
	if p.Sequence == 0 {
		delete(m.cursors, name)
		return
	}
	m.cursors[name] = p
}

func (m *memory) last(p Position, e *Event) {
	_ = m.event(p, e)
	l := m.lasts[e.Topic]
	l.long = l.long || len(e.Data) == 0 // see snapshot
}

func (m *memory) epoch(p Position) { m.epochs = append(m.epochs, p) }

// begin notes the epoch of a commit.
func (m *memory) begin(f *frame) {
	if n := len(m.epochs); n == 0 || m.epochs[n-1].Epoch < f.epoch {
		m.epochs = append(m.epochs, Position{f.epoch, f.first})
	}
}

// snapshot writes everything as the records of a head, in an order that does not depend on chance.
func (m *memory) snapshot() []byte {
	var w writer
	for _, p := range m.epochs {
		w.epoch(p)
	}
	for _, key := range slices.Sorted(maps.Keys(m.marks)) {
		w.mark(key, m.marks[key])
	}
	for _, name := range slices.Sorted(maps.Keys(m.cursors)) {
		w.cursor(name, m.cursors[name])
	}
	start := len(w.content)
	for _, t := range slices.SortedFunc(maps.Keys(m.lasts), compareTopics) {
		l := m.lasts[t]
		e := l.event
		if l.long || len(w.content)-start+len(e.Data) > lastsInHead {
			e.Data = nil // no value is empty in any format, so this stands for "it must be read"
		}
		w.last(l.Position, &e)
	}
	return w.content
}

func compareTopics(a, b Topic) int {
	if c := strings.Compare(a.Sender, b.Sender); c != 0 {
		return c
	}
	return strings.Compare(a.Event, b.Event)
}
