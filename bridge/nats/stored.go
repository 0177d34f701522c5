package nats

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"strconv"

	"github.com/nats-io/nats.go/jetstream"

	"sighub/hub"
	"sighub/journal"
)

// markJournal is the key under which the journal keeps a name of its own.
const markJournal = "bridge/journal"

// nameJournal returns the name of a journal, which it gets once. By it, positions in another journal are told from those in this one.
func nameJournal(ctx context.Context, j *journal.Journal) (string, error) {
	if name := j.State(markJournal); name != nil {
		return string(name), nil
	}
	return renameJournal(ctx, j)
}

// renameJournal gives a journal a new name.
func renameJournal(ctx context.Context, j *journal.Journal) (string, error) {
	var random [8]byte
	_, _ = rand.Read(random[:]) // it never fails
	name := hex.EncodeToString(random[:])
	return name, keep(ctx, j, markJournal, name)
}

// maxStored bounds for how many senders it is remembered how far they are in the stream.
const maxStored = 1 << 20

// A storedEvent is an event of this hub's journal in the stream.
type storedEvent struct {
	at              hub.Position
	sender          string
	connection, seq uint64
}

// stored asks the stream for the last message of each sender, and returns their positions in this journal.
func (b *Bridge) stored(ctx context.Context, st jetstream.Stream) (map[string]hub.Position, error) {
	all := make(map[string]hub.Position)
	var latest storedEvent
	err := b.lasts(ctx, st, []string{b.o.Prefix + "." + token(b.o.Hub) + ".>"}, true, func(m jetstream.Msg) error {
		if m.Headers().Get(HeaderJournal) != b.journal {
			return nil
		}
		p, err := parseSubject(b.o.Prefix, m.Subject())
		if err != nil {
			return nil //nolint:nilerr // somebody else's
		}
		at, err := parsePosition(m.Headers().Get(HeaderPosition))
		if err != nil {
			return nil //nolint:nilerr // somebody else's
		}
		if len(all) < maxStored && all[p.sender].Before(at) {
			all[p.sender] = at
		}
		if p.sender != "" && latest.at.Before(at) {
			connection, err := strconv.ParseUint(m.Headers().Get(HeaderEpoch), 10, 64)
			seq, err2 := strconv.ParseUint(m.Headers().Get(HeaderSeq), 10, 64)
			if err == nil && err2 == nil {
				latest = storedEvent{at, p.sender, connection, seq}
			}
		}
		return nil
	})
	if err != nil || b.hasHad(ctx, latest) {
		return all, err
	}
	// The positions say nothing: events that were never sent have those of others, which the stream has.
	name, err := renameJournal(ctx, b.o.Journal)
	if err != nil {
		return nil, err
	}
	b.journal = name
	b.o.Logger.Warn("the journal does not know what the stream has of it, as when it is replaced by an older copy: what it has not noted as sent goes up, "+
		"and some of that may be there already", "bridge", b.o.Name, "position", formatPosition(latest.at))
	return map[string]hub.Position{}, nil
}

// hasHad reports whether an event in the stream is the one at its position in the journal, as far as the journal can tell. The zero event is.
func (b *Bridge) hasHad(ctx context.Context, ev storedEvent) bool {
	if ev.at.IsZero() {
		return true
	}
	j := b.o.Journal
	if end := hub.Position(j.End()); !ev.at.Before(end) {
		return false
	}
	r := j.Read(journal.Query{Start: journal.At(journal.Position(ev.at)), Bounded: true})
	defer r.Close() //nolint:errcheck // nothing was written
	var one [1]journal.Entry
	n, err := r.Next(ctx, one[:])
	if n == 0 || err != nil || one[0].Lost > 0 || one[0].Back > 0 || hub.Position(one[0].Position) != ev.at {
		return true // it is not there any more
	}
	return one[0].Sender == ev.sender && one[0].Connection == ev.connection && one[0].Seq == ev.seq
}
