package journal

import (
	"encoding/binary"
	"errors"
	"fmt"
)

// The content of a frame is a row of records. A record begins with its kind. Numbers are varints (as in encoding/binary), texts
// and bytes begin with their length.
//
//	name    sender, event            gives the next number, from 0, to an event; it holds within the frame
//	event   name number, connection, time, uncertainty, format, data
//	mark    key, state               the latest state of a key counts; an empty one removes it
//	cursor  name, epoch, sequence    likewise; sequence 0 removes it
//	last    name number, epoch, sequence, connection, time, uncertainty, format, data     in heads only
//	epoch   epoch, sequence          an epoch that began in front of that sequence; in heads only
//
// The times of the events of a frame are differences: from the one before, the first from 1970.
const (
	recordName = 1 + iota
	recordEvent
	recordMark
	recordCursor
	recordLast
	recordEpoch
)

// The formats of data.
const (
	formatCBOR = iota
	formatJSON
)

// A Topic is an event of a sender.
type Topic struct{ Sender, Event string }

// A Position is the place of an event in the journal. Sequences count up and are never used again within an epoch. A new epoch
// begins when a hub starts that was not stopped in order.
type Position struct {
	Epoch    uint32
	Sequence uint64
}

// An Event is one of the journal.
type Event struct {
	Topic
	Seq         uint64
	Connection  uint64 // of the sender: it counts how often the sender connected
	Time        int64  // nanoseconds since 1970
	Uncertainty int64  // nanoseconds
	JSON        bool   // Data is JSON, else CBOR
	Data        []byte
}

// A writer writes the records of one frame.
type writer struct {
	content []byte
	names   map[Topic]uint64
	events  int
	time    int64 // of the latest event
}

func (w *writer) reset() {
	w.content, w.events, w.time = w.content[:0], 0, 0
	clear(w.names)
}

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
func (w *writer) name(t Topic) uint64 {
	if n, ok := w.names[t]; ok {
		return n
	}
	if w.names == nil {
		w.names = make(map[Topic]uint64)
	}
	n := uint64(len(w.names))
	w.names[t] = n
	w.uint(recordName)
	w.text(t.Sender)
	w.text(t.Event)
	return n
}

func (w *writer) event(e *Event) {
	n := w.name(e.Topic)
	w.uint(recordEvent)
	w.uint(n)
	w.rest(e)
	w.events++
}

func (w *writer) rest(e *Event) {
	w.uint(e.Connection)
	w.int(e.Time - w.time)
	w.time = e.Time
	w.uint(uint64(max(e.Uncertainty, 0)))
	if e.JSON {
		w.uint(formatJSON)
	} else {
		w.uint(formatCBOR)
	}
	w.bytes(e.Data)
}

func (w *writer) last(p Position, e *Event) {
	n := w.name(e.Topic)
	w.uint(recordLast)
	w.uint(n)
	w.uint(uint64(p.Epoch))
	w.uint(p.Sequence)
	w.rest(e)
}

func (w *writer) mark(key string, state []byte) {
	w.uint(recordMark)
	w.text(key)
	w.bytes(state)
}

func (w *writer) cursor(name string, p Position) {
	w.uint(recordCursor)
	w.text(name)
	w.uint(uint64(p.Epoch))
	w.uint(p.Sequence)
}

func (w *writer) epoch(p Position) {
	w.uint(recordEpoch)
	w.uint(uint64(p.Epoch))
	w.uint(p.Sequence)
}

// A visitor gets the records of a frame. Bytes and texts of events are valid until the call returns.
type visitor interface {
	event(p Position, e *Event) error
	mark(key string, state []byte)
	cursor(name string, p Position)
	last(p Position, e *Event)
	epoch(p Position)
}

var errRecord = errors.New("journal: a record cannot be read")

// A parser reads the records of a frame. It is used again, so that its memory is.
type parser struct {
	rest  []byte
	names []Topic
	bad   bool
}

func (r *parser) uint() uint64 {
	n, size := binary.Uvarint(r.rest)
	if size <= 0 {
		r.bad, r.rest = true, nil
		return 0
	}
	r.rest = r.rest[size:]
	return n
}

func (r *parser) int() int64 {
	n, size := binary.Varint(r.rest)
	if size <= 0 {
		r.bad, r.rest = true, nil
		return 0
	}
	r.rest = r.rest[size:]
	return n
}

func (r *parser) bytes() []byte {
	n := r.uint()
	if n > uint64(len(r.rest)) {
		r.bad, r.rest = true, nil
		return nil
	}
	b := r.rest[:n:n]
	r.rest = r.rest[n:]
	return b
}

func (r *parser) topic() (t Topic) {
	n := r.uint()
	if n >= uint64(len(r.names)) {
		r.bad = true
		return t
	}
	return r.names[n]
}

// read gives the records of a frame to v. A record that cannot be read ends it with an error: that happens only if the journal
// was written by another version.
func (r *parser) read(f *frame, content []byte, v visitor) error {
	r.rest, r.names, r.bad = content, r.names[:0], false
	at := Position{f.epoch, f.first}
	var e Event
	for len(r.rest) > 0 {
		switch kind := r.uint(); kind {
		case recordName:
			sender := string(r.bytes())
			r.names = append(r.names, Topic{sender, string(r.bytes())})
		case recordEvent:
			e.Topic = r.topic()
			r.event(&e)
			if r.bad {
				break
			}
			if err := v.event(at, &e); err != nil {
				return err
			}
			at.Sequence++
		case recordMark:
			key := string(r.bytes())
			if state := r.bytes(); !r.bad {
				v.mark(key, state)
			}
		case recordCursor:
			name := string(r.bytes())
			if p := r.position(); !r.bad {
				v.cursor(name, p)
			}
		case recordLast:
			e.Topic = r.topic()
			p := r.position()
			if r.event(&e); !r.bad {
				v.last(p, &e)
			}
		case recordEpoch:
			if p := r.position(); !r.bad {
				v.epoch(p)
			}
		default:
			return fmt.Errorf("%w: its kind is %d: this version of sighub does not know it", errRecord, kind)
		}
		if r.bad {
			return errRecord
		}
	}
	if got := at.Sequence - f.first; f.kind != kindHead && got != uint64(f.count) {
		return fmt.Errorf("%w: a frame has %d events, not %d", errRecord, got, f.count)
	}
	return nil
}

// event reads what follows the topic of an event. e has the time of the event before.
func (r *parser) event(e *Event) {
	e.Connection = r.uint()
	e.Time += r.int()
	e.Uncertainty = int64(r.uint())
	e.JSON = r.uint() == formatJSON
	e.Data = r.bytes()
}

func (r *parser) position() Position {
	epoch := r.uint()
	return Position{uint32(epoch), r.uint()}
}
