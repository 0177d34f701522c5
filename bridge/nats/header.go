package nats

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"sighub/bridge"
	"sighub/carrier"
	"sighub/hub"
)

// Headers of a message.
const (
	HeaderTime        = "Sighub-Time"        // when the event happened, as RFC 3339 has it
	HeaderUncertainty = "Sighub-Uncertainty" // how far off that may be, in nanoseconds; missing: not known, or the hub's own time
	HeaderEpoch       = "Sighub-Epoch"       // a number that no other connection of any sender of the hub has had
	HeaderSeq         = "Sighub-Seq"         // counts up in each epoch of a sender, from 1 for its #connect: what is missing shows
	HeaderPosition    = "Sighub-Position"    // in the hub's journal: its epoch/sequence
	HeaderJournal     = "Sighub-Journal"     // which journal that is
	HeaderBatch       = "Sighub-Batch"       // in which batch the message was sent
	// HeaderSent is what the stream has of the journal with this message: all up to a position, and what went ahead, such as
	// "1/449 1/5000-1/5213 +1/800": what is behind 1/5000, up to 1/5213, and of this sender all up to 1/800. Missing: all up to the event
	// itself.
	HeaderSent = "Sighub-Sent"
)

// A guard has the server store a message only if the last one with such a subject is the one of a number.
const (
	headerLast   = jetstream.ExpectedLastSubjSeqHeader
	headerLastOf = jetstream.ExpectedLastSubjSeqSubjHeader
)

// guardSize is how many bytes a guard takes at the most, beside the subjects.
const guardSize = len(headerLast) + len(headerLastOf) + len("18446744073709551615") + 2*len(": \r\n")

// A writer makes messages of events. It makes one at a time, which is valid until the next one.
type writer struct {
	prefix, hub, journal string

	m        nats.Msg
	values   [7][1]string
	subjects map[place]string
}

// Where the values of headers are.
const (
	valueTime = iota
	valueEpoch
	valueSeq
	valuePosition
	valueJournal
	valueBatch
	valueSent // the first that not every message has
)

// maxSubjects is how many subjects are remembered.
const maxSubjects = 4096

func newWriter(prefix, hub, journal, batch string) *writer {
	w := &writer{prefix: prefix, hub: hub, journal: journal, subjects: make(map[place]string)}
	w.m.Header = make(nats.Header, 12)
	for i, key := range []string{HeaderTime, HeaderEpoch, HeaderSeq, HeaderPosition, HeaderJournal, HeaderBatch} {
		w.m.Header[key] = w.values[i][:]
	}
	w.values[valueJournal][0], w.values[valueBatch][0] = journal, batch
	return w
}

// message returns the message of an event. Late is one that others have passed; sent is what the stream has with it, and nil if that is
// all up to the event; own is up to where it has all of the event's sender, and zero if that is not ahead of sent.
func (w *writer) message(ev *bridge.Event, late bool, sent *bridge.Sent, own hub.Position) (*nats.Msg, error) {
	at := place{w.hub, ev.Device(), ev.Sender, ev.Name, late}
	subject := w.subjects[at]
	if subject == "" {
		if subject = at.subject(w.prefix); len(w.subjects) >= maxSubjects {
			clear(w.subjects)
		}
		w.subjects[at] = subject
	}
	w.m.Subject = subject
	if len(w.m.Header) > valueSent { // the message before has had more than those of every message
		for _, key := range []string{HeaderSent, HeaderUncertainty, headerLast, headerLastOf} {
			delete(w.m.Header, key)
		}
	}
	var buf [128]byte
	w.values[valueTime][0] = string(ev.Time.UTC().AppendFormat(buf[:0], time.RFC3339Nano))
	w.values[valueEpoch][0] = strconv.FormatUint(ev.Connection, 10)
	w.values[valueSeq][0] = strconv.FormatUint(ev.Seq, 10)
	w.values[valuePosition][0] = string(appendPosition(buf[:0], ev.Position))
	if sent != nil {
		w.values[valueSent][0] = formatSent(sent, own)
		w.m.Header[HeaderSent] = w.values[valueSent][:]
	}
	if ev.Uncertainty > 0 {
		w.m.Header[HeaderUncertainty] = []string{strconv.FormatInt(int64(ev.Uncertainty), 10)}
	}
	data, err := ev.Data.AppendTo(w.m.Data[:0], carrier.JSON)
	w.m.Data = data
	return &w.m, err
}

// size returns about how many bytes the message has.
func (w *writer) size() int {
	n := len(w.m.Data) + len("NATS/1.0\r\n\r\n")
	for key, values := range w.m.Header {
		n += len(key) + len(values[0]) + len(": \r\n")
	}
	return n
}

// guard has the server store a message only if the last one of the hub has a number.
func guard(m *nats.Msg, subjects string, last uint64) {
	m.Header[headerLast], m.Header[headerLastOf] = []string{strconv.FormatUint(last, 10)}, []string{subjects}
}

func appendPosition(b []byte, p hub.Position) []byte {
	return strconv.AppendUint(append(strconv.AppendUint(b, uint64(p.Epoch), 10), '/'), p.Sequence, 10)
}

func formatPosition(p hub.Position) string { return string(appendPosition(nil, p)) }

func parsePosition(text string) (p hub.Position, err error) {
	epoch, sequence, ok := strings.Cut(text, "/")
	e, err1 := strconv.ParseUint(epoch, 10, 32)
	s, err2 := strconv.ParseUint(sequence, 10, 64)
	if !ok || err1 != nil || err2 != nil {
		return p, fmt.Errorf("nats: %s is not a position", shown(text))
	}
	return hub.Position{Epoch: uint32(e), Sequence: s}, nil
}

func formatSent(s *bridge.Sent, own hub.Position) string {
	var buf [512]byte
	b := appendPosition(buf[:0], s.UpTo)
	for _, a := range s.Ahead {
		b = append(appendPosition(append(b, ' '), a.After), '-')
		b = appendPosition(b, a.UpTo)
	}
	if !own.IsZero() {
		b = appendPosition(append(b, " +"...), own)
	}
	return string(b)
}

func parseSent(text string) (s bridge.Sent, own hub.Position, err error) {
	text, last, more := strings.Cut(text, " +")
	if more {
		if own, err = parsePosition(last); err != nil {
			return s, own, err
		}
	}
	upTo, rest, more := strings.Cut(text, " ")
	if s.UpTo, err = parsePosition(upTo); err != nil {
		return s, own, err
	}
	for more {
		var one string
		one, rest, more = strings.Cut(rest, " ")
		after, upTo, _ := strings.Cut(one, "-")
		from, err1 := parsePosition(after)
		to, err2 := parsePosition(upTo)
		if err := errors.Join(err1, err2); err != nil {
			return bridge.Sent{}, own, err
		}
		if from.Before(s.End()) || to.Before(from) || len(s.Ahead) == bridge.MaxAhead {
			return bridge.Sent{}, own, fmt.Errorf("nats: %s does not say what was sent", shown(text))
		}
		s.Ahead = append(s.Ahead, bridge.Span{After: from, UpTo: to})
	}
	return s, own, nil
}
