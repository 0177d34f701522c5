package journal

import "encoding/binary"

// The content of a frame is a row of records. A record begins with its kind, a byte. Numbers are varints (as in encoding/binary),
// texts and bytes begin with their length.
//
//	name        sender, event            gives the next number, from 0, to an event; it holds within the frame
//	mark        key, state               the latest state of a key counts; an empty one removes it
//	cursor      name, epoch, sequence    likewise; zeros remove it
//	last        name number, epoch, sequence, format, connection, seq, time, uncertainty, data     in states only
//	epoch       epoch, sequence          an epoch that began in front of that sequence; in states only
//	connection  connection               the highest one that an event has had; in states only
//	sums        bytes                    see rollup.Table; in states only
//	event       name number, connection, seq, time, uncertainty, data
//
// The lowest bits of an event's kind say what it has. Connection and uncertainty are there only if they are not those of the event
// before, of the same topic in this frame; connection and seq are differences from it. Times are differences from the event before,
// of any topic; the first is from 1970.
const (
	recordName = 1 + iota
	recordMark
	recordCursor
	recordLast
	recordEpoch
	recordConnection
	recordSums
	recordEvent = 0x40 // with the bits that follow
)

const (
	eventJSON = 1 << iota
	eventConnection
	eventUncertainty
	eventBits = eventJSON | eventConnection | eventUncertainty
)

// The formats of data of last events.
const (
	formatCBOR = iota
	formatJSON
)

// A Topic is an event of a sender.
type Topic struct{ Sender, Event string }

// A Position is the place of an event in the journal. Sequences count up, from 1, over all epochs. A new epoch begins when a hub
// starts that was not stopped in order. Epochs count up, from 1.
type Position struct {
	Epoch    uint32
	Sequence uint64
}

// An Event is one of the journal.
type Event struct {
	Topic
	Connection  uint64 // of the sender: it counts how often the sender connected
	Seq         uint64 // the number of the event in that connection
	Time        int64  // nanoseconds since 1970
	Uncertainty int64  // nanoseconds
	JSON        bool   // Data is JSON, else CBOR
	Data        []byte
}

// A writer writes the records of one frame.
type writer struct {
	content []byte
	names   map[Topic]int
	topics  []written
	events  int
	time    int64 // of the latest event
	times         // of the events
}

// A written is what a frame says of the latest event of a topic.
type written struct {
	Topic
	connection, seq uint64
	uncertainty     int64
}

func (w *writer) reset() {
	w.content, w.events, w.time = w.content[:0], 0, 0
	w.times = never
	clear(w.names)
	clear(w.topics)
	w.topics = w.topics[:0]
}

func (w *writer) kind(k byte) { w.content = append(w.content, k) }

func (w *writer) uint(n uint64) { w.content = binary.AppendUvarint(w.content, n) }

func (w *writer) int(n int64) { w.content = binary.AppendVarint(w.content, n) }

func (w *writer) text(s string) {
	w.uint(uint64(len(s)))
	w.content = append(w.content, s...)
}

func (w *writer) bytes(b []byte) {
	w.uint(uint64(len(b)))
	w.content = append(w.content, b...)
}

// name returns the number of a topic in this frame.
func (w *writer) name(t Topic) int {
	if n, ok := w.names[t]; ok {
		return n
	}
	if w.names == nil {
		w.names = make(map[Topic]int)
	}
	n := len(w.topics)
	w.names[t] = n
	w.topics = append(w.topics, written{Topic: t})
	w.kind(recordName)
	w.text(t.Sender)
	w.text(t.Event)
	return n
}

func (w *writer) event(e *Event) { w.numbered(w.name(e.Topic), e) }

// numbered writes an event whose topic has a number.
func (w *writer) numbered(n int, e *Event) {
	t := &w.topics[n]
	kind := byte(recordEvent)
	if e.JSON {
		kind |= eventJSON
	}
	if e.Connection != t.connection {
		kind |= eventConnection
	}
	if e.Uncertainty != t.uncertainty {
		kind |= eventUncertainty
	}
	w.kind(kind)
	w.uint(uint64(n))
	if kind&eventConnection != 0 {
		w.int(int64(e.Connection - t.connection)) // it wraps back when it is read
	}
	w.int(int64(e.Seq - t.seq))
	w.int(e.Time - w.time)
	if kind&eventUncertainty != 0 {
		w.uint(uint64(e.Uncertainty))
	}
	w.bytes(e.Data)
	t.connection, t.seq, t.uncertainty = e.Connection, e.Seq, e.Uncertainty
	w.time, w.times = e.Time, w.times.and(times{e.Time, e.Time})
	w.events++
}

func (w *writer) last(p Position, e *Event) {
	n := w.name(e.Topic)
	w.kind(recordLast)
	w.uint(uint64(n))
	w.uint(uint64(p.Epoch))
	w.uint(p.Sequence)
	if e.JSON {
		w.uint(formatJSON)
	} else {
		w.uint(formatCBOR)
	}
	w.uint(e.Connection)
	w.uint(e.Seq)
	w.int(e.Time)
	w.uint(uint64(e.Uncertainty))
	w.bytes(e.Data)
}

func (w *writer) mark(key string, state []byte) {
	w.kind(recordMark)
	w.text(key)
	w.bytes(state)
}

func (w *writer) cursor(name string, p Position) {
	w.kind(recordCursor)
	w.text(name)
	w.uint(uint64(p.Epoch))
	w.uint(p.Sequence)
}

func (w *writer) epoch(p Position) {
	w.kind(recordEpoch)
	w.uint(uint64(p.Epoch))
	w.uint(p.Sequence)
}

func (w *writer) connection(highest uint64) {
	w.kind(recordConnection)
	w.uint(highest)
}

func (w *writer) sums(table []byte) {
	w.kind(recordSums)
	w.bytes(table)
}
