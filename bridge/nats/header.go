package nats

import (
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
)

// HeaderID is hub/sender/epoch/seq, in messages of which the server may have one already: it takes none twice whose id it remembers.
const HeaderID = jetstream.MsgIDHeader

// A writer makes messages of events. It makes one at a time, which is valid until the next one.
type writer struct {
	prefix, hub, journal string

	m        nats.Msg
	values   [6][1]string
	subjects map[place]string
}

// maxSubjects is how many subjects are remembered.
const maxSubjects = 4096

func newWriter(prefix, hub, journal string) *writer {
	w := &writer{prefix: prefix, hub: hub, journal: journal, subjects: make(map[place]string)}
	w.m.Header = make(nats.Header, 8)
	for i, key := range []string{HeaderID, HeaderTime, HeaderEpoch, HeaderSeq, HeaderPosition, HeaderJournal} {
		w.m.Header[key] = w.values[i][:]
	}
	w.values[5][0] = journal
	return w
}

// message returns the message of an event, with its id or without.
func (w *writer) message(ev *bridge.Event, id bool) (*nats.Msg, error) {
	at := place{w.hub, ev.Device(), ev.Sender, ev.Name}
	subject := w.subjects[at]
	if subject == "" {
		if subject = at.subject(w.prefix); len(w.subjects) >= maxSubjects {
			clear(w.subjects)
		}
		w.subjects[at] = subject
	}
	w.m.Subject = subject
	var buf [128]byte
	if id {
		w.values[0][0] = string(ev.AppendID(append(append(buf[:0], w.hub...), '/')))
		w.m.Header[HeaderID] = w.values[0][:]
	} else {
		delete(w.m.Header, HeaderID)
	}
	w.values[1][0] = string(ev.Time.UTC().AppendFormat(buf[:0], time.RFC3339Nano))
	w.values[2][0] = strconv.FormatUint(ev.Connection, 10)
	w.values[3][0] = strconv.FormatUint(ev.Seq, 10)
	w.values[4][0] = formatPosition(ev.Position)
	if ev.Uncertainty > 0 {
		w.m.Header[HeaderUncertainty] = []string{strconv.FormatInt(int64(ev.Uncertainty), 10)}
	} else {
		delete(w.m.Header, HeaderUncertainty)
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

func formatPosition(p hub.Position) string {
	var buf [32]byte
	b := append(strconv.AppendUint(buf[:0], uint64(p.Epoch), 10), '/')
	return string(strconv.AppendUint(b, p.Sequence, 10))
}

func parsePosition(text string) (p hub.Position, err error) {
	epoch, sequence, ok := strings.Cut(text, "/")
	e, err1 := strconv.ParseUint(epoch, 10, 32)
	s, err2 := strconv.ParseUint(sequence, 10, 64)
	if !ok || err1 != nil || err2 != nil {
		return p, fmt.Errorf("nats: %s is not a position", shown(text))
	}
	return hub.Position{Epoch: uint32(e), Sequence: s}, nil
}
