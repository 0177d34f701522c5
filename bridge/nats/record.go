package nats

import (
	"errors"
	"maps"
	"slices"
	"strings"

	"github.com/nats-io/nats.go"

	"sighub/bridge"
	"sighub/hub"
	"sighub/internal/safetext"
)

// A record says which events of another hub's journal were heard. It is kept with the events themselves, so that none is heard twice that the
// stream had lost and has again, whenever that is. What each message says of the hub's journal is enough for it: see [HeaderSent].
// What was removed from the stream before it was heard, and told as a gap, counts as heard.
type record struct {
	journal string
	bridge.Sent
	own map[string]hub.Position // of senders that are ahead of that: all of theirs was heard up to there
}

// maxOwn is of how many senders that are ahead it is known how far they are.
const maxOwn = 64

// maxJournal bounds the name of another hub's journal, in bytes.
const maxJournal = 64

// has reports whether an event was heard.
func (r *record) has(t *told) bool {
	return !t.at.IsZero() && t.journal == r.journal && (r.Has(t.at) || !r.own[t.sender].Before(t.at))
}

// add notes that an event is heard, and so what the stream had with it. Of what somebody else has written, there is nothing to note.
func (r *record) add(t *told) {
	if t.at.IsZero() {
		return
	}
	if t.journal != r.journal {
		*r = record{journal: strings.Clone(t.journal)}
	}
	r.Join(&t.sent)
	known, there := r.own[t.sender]
	if room := len(r.own) < maxOwn && len(t.sender) <= safetext.MaxName; known.Before(t.own) && r.UpTo.Before(t.own) && (there || room) {
		if r.own == nil {
			r.own = make(map[string]hub.Position)
		}
		r.own[t.sender] = t.own
	}
}

// append appends the record to a mark.
func (r *record) append(b []byte) []byte {
	if r.journal == "" {
		return b
	}
	b = append(append(b, ' '), token(r.journal)...)
	b = append(append(b, ' '), formatSent(&r.Sent, hub.Position{})...)
	maps.DeleteFunc(r.own, func(_ string, at hub.Position) bool { return !r.UpTo.Before(at) })
	for _, sender := range slices.Sorted(maps.Keys(r.own)) {
		b = append(append(append(b, ' '), token(sender)...), '+')
		b = appendPosition(b, r.own[sender])
	}
	return b
}

// parseRecord reads what append has written. What is not understood is no record.
func parseRecord(text string) (r record) {
	journal, text, _ := strings.Cut(text, " ")
	fields := strings.Fields(text)
	n := slices.IndexFunc(fields, func(field string) bool { return strings.Contains(field, "+") })
	if n < 0 {
		n = len(fields)
	}
	var err error
	if r.journal, err = untoken(journal); err != nil {
		return record{}
	}
	if r.Sent, _, err = parseSent(strings.Join(fields[:n], " ")); err != nil {
		return record{}
	}
	for _, field := range fields[n:] {
		i := strings.LastIndexByte(field, '+')
		at, err := parsePosition(field[i+1:])
		sender, err2 := untoken(field[:max(i, 0)])
		if errors.Join(err, err2) != nil {
			return record{}
		}
		if r.own == nil {
			r.own = make(map[string]hub.Position)
		}
		r.own[sender] = at
	}
	return r
}

// sentWith returns what the stream has with a message of the event at a position: of all senders, and of the event's own if that is ahead.
func sentWith(head nats.Header, at hub.Position) (s bridge.Sent, own hub.Position, err error) {
	switch sent := head.Get(HeaderSent); {
	case sent != "":
		return parseSent(sent)
	case head.Get(HeaderBatch) != "":
		return bridge.Sent{UpTo: at}, own, nil
	}
	return s, at, nil // of a version that does not say so
}
