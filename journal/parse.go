package journal

import (
	"encoding/binary"
	"errors"
	"fmt"
)

var errRecord = errors.New("journal: a record cannot be read")

// A record is one that a parser has read. Which fields count depends on its kind. Bytes are a part of the frame's content.
type record struct {
	kind     byte   // recordEvent without its bits, or another one
	name     int    // number of the topic of an event or a last
	at       uint64 // sequence of an event
	event    Event
	position Position
	key      []byte
	state    []byte
}

// A parser reads the records of a frame. It is used again, so that its memory is.
type parser struct {
	rest  []byte
	names []named
	known map[string]Topic // topics by what a record says of them, so that their texts are made once
	bad   bool

	epoch    uint32
	first    uint64
	count    uint32
	snapshot bool // the frame is no commit
	record
}

// A named is a topic with what is known of its latest event in the frame.
type named struct {
	written
	takes bool // for whoever reads
}

// These bound which topics a parser remembers.
const (
	maxKnown     = 1024 // topics
	longestKnown = 512  // bytes
)

// end lets go of the frame, which may be a large part of a segment.
func (r *parser) end() { r.rest, r.record = nil, record{} }

// begin has the parser read a frame, whose content is that of f or, of a head, a part of it.
func (r *parser) begin(f *frame) {
	r.rest, r.names, r.bad = f.content, r.names[:0], false
	r.epoch, r.first, r.count, r.snapshot = f.epoch, f.first, f.count, f.kind == kindState
	r.at, r.event = f.first-1, Event{}
}

// next reads the next record. It returns false at the end of the frame. A record that cannot be read ends it with an error: that
// happens only if the journal was written by another version.
func (r *parser) next() (bool, error) {
	if len(r.rest) == 0 {
		if got := r.at + 1 - r.first; !r.snapshot && got != uint64(r.count) {
			return false, fmt.Errorf("%w: a frame has %d events, not %d", errRecord, got, r.count)
		}
		return false, nil
	}
	r.kind = r.rest[0]
	r.rest = r.rest[1:]
	if r.kind&^eventBits == recordEvent {
		r.readEvent(r.kind)
		r.kind = recordEvent
	} else if err := r.readOther(); err != nil {
		return false, err
	}
	if r.bad {
		return false, fmt.Errorf("%w: it is of kind %d", errRecord, r.kind)
	}
	return true, nil
}

func (r *parser) readEvent(kind byte) {
	n := r.uint()
	if n >= uint64(len(r.names)) {
		r.bad = true
		return
	}
	r.name = int(n)
	t, e := &r.names[n], &r.event
	if kind&eventConnection != 0 {
		t.connection += uint64(r.int())
	}
	t.seq += uint64(r.int())
	e.Time += r.int()
	if kind&eventUncertainty != 0 {
		t.uncertainty = int64(r.uint())
	}
	e.Topic, e.Connection, e.Seq, e.Uncertainty, e.JSON = t.Topic, t.connection, t.seq, t.uncertainty, kind&eventJSON != 0
	e.Data = r.bytes()
	r.at++
}

func (r *parser) readOther() error {
	switch r.kind {
	case recordName:
		r.readName()
	case recordMark:
		r.key = r.bytes()
		r.state = r.bytes()
	case recordCursor:
		r.key = r.bytes()
		r.position = r.readPosition()
	case recordLast:
		n := r.uint()
		if n >= uint64(len(r.names)) {
			r.bad = true
			return nil
		}
		r.name = int(n)
		r.position = r.readPosition()
		json := r.uint() == formatJSON
		r.event = Event{Topic: r.names[n].Topic, JSON: json, Connection: r.uint(), Seq: r.uint(), Time: r.int(), Uncertainty: int64(r.uint()), Data: r.bytes()}
	case recordSums:
		r.key = r.bytes()
	case recordEpoch:
		r.position = r.readPosition()
	case recordConnection:
		r.position.Sequence = r.uint()
	default:
		return fmt.Errorf("%w: its kind is %d: this version of sighub does not know it", errRecord, r.kind)
	}
	return nil
}

func (r *parser) readName() {
	start := r.rest
	sender := r.bytes()
	event := r.bytes()
	if r.bad {
		return
	}
	text := start[:len(start)-len(r.rest)]
	t, ok := r.known[string(text)]
	if !ok {
		if r.known == nil || len(r.known) >= maxKnown {
			r.known = make(map[string]Topic)
		}
		t = Topic{string(sender), string(event)}
		if len(text) <= longestKnown {
			r.known[string(text)] = t
		}
	}
	r.names = append(r.names, named{written: written{Topic: t}})
}

func (r *parser) uint() uint64 {
	if len(r.rest) > 0 && r.rest[0] < 0x80 {
		n := r.rest[0]
		r.rest = r.rest[1:]
		return uint64(n)
	}
	n, size := binary.Uvarint(r.rest)
	if size <= 0 {
		r.bad, r.rest = true, nil
		return 0
	}
	r.rest = r.rest[size:]
	return n
}

func (r *parser) int() int64 {
	n := r.uint()
	return int64(n>>1) ^ -int64(n&1)
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

func (r *parser) readPosition() Position {
	epoch := r.uint()
	return Position{uint32(epoch), r.uint()}
}
