package journal

import (
	"strings"

	"sighub/journal/internal/rollup"
)

// A memory is what a journal knows without reading: the last event of each topic, marks, cursors, epochs. It follows from the
// commits alone, both while they are made and when the journal is opened. So what a restart finds is what was there. All of it is
// bounded, so that it fits into the state of a segment: what was set longest ago goes first.
type memory struct {
	bound   bounds
	lasts   *recent[Topic, last] // with their data
	bare    *recent[Topic, last] // without: it was too long, or there was no room
	topics  uint64               // counts when one of them had no last event before, or has none any more
	marks   marks
	cursors *recent[string, Position]
	epochs  []Position // each with the sequence in front of which it began, ascending
	// connection is the highest one that an event has had, whatever became of the event.
	connection uint64

	table  *rollup.Table // the sums of the latest events
	frozen *rollup.Table // those of the events before, until they are in a file; nil: they are
	runs   rollup.Runs   // those in files
	full   func()        // is called when frozen is set

	parser parser
	latest []record         // of the frame that is read, by the number of the topic
	series []*rollup.Series // likewise
}

// bounds are how many bytes of a kind are kept.
type bounds struct {
	lasts, bare, marks, cursors, sums int
	epochs                            int // how many
}

// boundsOf divides the room that a state has.
func boundsOf(state int) bounds {
	return bounds{lasts: state / 4, bare: state / 4, marks: state / 5, cursors: state / 20, sums: state / 6, epochs: state / 1000}
}

// A last is the last event of a topic.
type last struct {
	Position
	event Event
}

const (
	longestLast = 4 << 10 // the longest data of a last event that is kept in memory
	overhead    = 48      // bytes that an item takes beside its texts, at most
)

func newMemory(b bounds) *memory {
	return &memory{
		bound: b, lasts: newRecent[Topic, last](), bare: newRecent[Topic, last](),
		marks: newMarks(), cursors: newRecent[string, Position](),
		table: rollup.NewTable(1), full: func() {},
	}
}

// read takes over what a frame says.
func (m *memory) read(f *frame) error {
	m.begin(f)
	p := &m.parser
	p.begin(f)
	defer p.end()
	for {
		ok, err := p.next()
		if err != nil || !ok {
			m.events(f)
			return err
		}
		switch p.kind {
		case recordEvent:
			for len(m.latest) <= p.name {
				m.latest = append(m.latest, record{})
			}
			m.latest[p.name] = p.record
			m.sum()
		case recordMark:
			m.mark(string(p.key), p.state)
		case recordCursor:
			m.cursor(string(p.key), p.position)
		case recordLast:
			m.last(p.position, &p.event)
		case recordEpoch:
			m.epoch(p.position)
		case recordSums:
			m.readSums(p.key, f.first)
		case recordConnection:
			m.connection = max(m.connection, p.position.Sequence)
		}
	}
}

// events takes over the latest event of each topic of a frame.
func (m *memory) events(f *frame) {
	for i := range m.latest {
		if r := &m.latest[i]; r.kind == recordEvent {
			m.last(Position{f.epoch, r.at}, &r.event)
		}
	}
	clear(m.latest)
	clear(m.series)
	m.latest, m.series = m.latest[:0], m.series[:0]
	m.table.To = max(m.table.To, f.first+uint64(f.count))
	if m.table.Bytes() > m.bound.sums { // if the one before is not written yet, its events are summed up again later
		m.frozen, m.table = m.table, rollup.NewTable(m.table.To)
		m.full()
	}
}

// sum adds the event that was read to the sums.
func (m *memory) sum() {
	p := &m.parser
	if p.at < m.table.From {
		return
	}
	n, ok := rollup.Number(p.event.JSON, p.event.Data)
	if !ok {
		return
	}
	for len(m.series) <= p.name {
		m.series = append(m.series, nil)
	}
	if m.series[p.name] == nil {
		m.series[p.name] = m.table.Series(rollup.Topic(p.event.Topic))
	}
	m.series[p.name].Add(p.event.Time, n)
}

// readSums takes over the sums of the events before a sequence, if files do not have them.
func (m *memory) readSums(data []byte, before uint64) {
	t, err := rollup.Read(data, before)
	if err != nil || t.From < m.runs.End() {
		t = rollup.NewTable(max(before, m.runs.End()))
	}
	m.table = t
}

func (m *memory) last(p Position, e *Event) {
	m.connection = max(m.connection, e.Connection)
	from, to := m.lasts, m.bare
	if n := len(e.Data); n > 0 && n <= longestLast {
		from, to = m.bare, m.lasts
	}
	known, n := from.remove(e.Topic), len(to.items)
	size := len(e.Sender) + len(e.Topic.Event) + overhead
	if to == m.lasts {
		size += len(e.Data)
	}
	l := to.put(e.Topic, size)
	if !known && len(to.items) > n {
		m.topics++
	}
	kept := reusable(l.event.Data, len(e.Data))
	l.Position, l.event = p, *e
	if l.event.Data = nil; to == m.lasts {
		kept = append(kept, e.Data...)
		l.event.Data = kept
	}
	m.shrink()
}

// reusable returns the memory of a text for another one, if it is not much more than that needs.
func reusable(b []byte, length int) []byte {
	if cap(b) > 2*length+64 {
		return nil
	}
	return b[:0]
}

// shrink forgets what there is no room for.
func (m *memory) shrink() {
	for m.lasts.bytes > m.bound.lasts {
		t, l := m.lasts.oldest()
		bare := *l
		bare.event.Data = nil
		m.lasts.remove(t)
		*m.bare.put(t, len(t.Sender)+len(t.Event)+overhead) = bare
	}
	for m.bare.bytes > m.bound.bare {
		t, _ := m.bare.oldest()
		m.bare.remove(t)
		m.topics++
	}
}

func (m *memory) mark(key string, state []byte) {
	size := len(key) + len(state) + overhead
	if len(state) == 0 || size > m.bound.marks {
		m.marks.remove(key)
		return
	}
	s := m.marks.put(key, size)
	*s = append(reusable(*s, len(state)), state...)
	m.marks.trim(m.bound.marks)
}

func (m *memory) cursor(name string, p Position) {
	if p == (Position{}) {
		m.cursors.remove(name)
		return
	}
	*m.cursors.put(name, len(name)+overhead) = p
	for m.cursors.bytes > m.bound.cursors {
		oldest, _ := m.cursors.oldest()
		m.cursors.remove(oldest)
	}
}

func (m *memory) epoch(p Position) {
	if n := len(m.epochs); n == 0 || m.epochs[n-1].Epoch < p.Epoch {
		m.epochs = append(m.epochs, p)
	}
	if n := len(m.epochs); n > max(m.bound.epochs, 2) {
		m.epochs = append(m.epochs[:0], m.epochs[n-max(m.bound.epochs, 2):]...)
	}
}

// epochAt returns the epoch of an event; 0 if that is forgotten.
func (m *memory) epochAt(sequence uint64) (epoch uint32) {
	for i := len(m.epochs) - 1; i >= 0 && epoch == 0; i-- {
		if m.epochs[i].Sequence <= sequence {
			epoch = m.epochs[i].Epoch
		}
	}
	return epoch
}

// begin notes the epoch of a commit.
func (m *memory) begin(f *frame) {
	if f.kind != kindState {
		m.epoch(Position{f.epoch, f.first})
	}
}

// snapshot writes everything as the records of a state.
func (m *memory) snapshot() []byte {
	var w writer
	for _, p := range m.epochs {
		w.epoch(p)
	}
	if m.connection > 0 {
		w.connection(m.connection)
	}
	m.marks.all(w.markOf)
	m.cursors.all(func(name string, p *Position) { w.cursor(name, *p) })
	for _, list := range []*recent[Topic, last]{m.bare, m.lasts} {
		list.all(func(_ Topic, l *last) { w.last(l.Position, &l.event) })
	}
	w.sums(m.table.Append(nil))
	return w.content
}

func (w *writer) markOf(key string, state *[]byte) { w.mark(key, *state) }

// resolve returns the sequence that a position stands for, and how much further it lies than the end of its epoch: that many
// events were on record once, and are not any more. next is the sequence of the next event of the current epoch.
func (m *memory) resolve(p Position, current uint32, next uint64) (sequence, back uint64) {
	if p.Epoch > current || p.Epoch == current && p.Sequence > next { // it is of another journal, so all of this one is new
		return 1, max(p.Sequence, 1) - 1
	}
	end := next
	for i := len(m.epochs) - 1; i >= 0 && m.epochs[i].Epoch > p.Epoch; i-- {
		end = m.epochs[i].Sequence
	}
	if p.Sequence > end {
		return end, p.Sequence - end
	}
	return max(p.Sequence, 1), 0
}

func compareTopics(a, b Topic) int {
	if c := strings.Compare(a.Sender, b.Sender); c != 0 {
		return c
	}
	return strings.Compare(a.Event, b.Event)
}
