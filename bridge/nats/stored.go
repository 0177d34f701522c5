package nats

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"strconv"

	"github.com/nats-io/nats.go/jetstream"

	"sighub/bridge"
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
	group := j.NewGroup()
	group.Mark(markJournal, []byte(name))
	group.Append(0)
	if err := j.Sync(ctx); err != nil {
		return "", fmt.Errorf("nats: the journal cannot be written: %w", err)
	}
	return name, nil
}

// maxStored bounds for how many senders it is remembered how far they are in the stream.
const maxStored = 1 << 20

// A storedEvent is an event of this hub's journal in the stream.
type storedEvent struct {
	number          uint64 // of its message
	at              hub.Position
	sender          string
	connection, seq uint64
	sent            bridge.Sent  // what the stream has with it; zero: the message is of a version that does not say so
	own             hub.Position // up to where it has all of the sender, if that is ahead
}

// stored asks the stream for the hub's last message of each subject, and returns how far the hub is there.
func (b *Bridge) stored(ctx context.Context, st jetstream.Stream) (*standing, error) {
	s := &standing{known: make(map[string]hub.Position)}
	var latest, farthest storedEvent
	err := b.lasts(ctx, st, []string{b.subjects()}, true, func(m jetstream.Msg) error {
		meta, err := m.Metadata()
		if err != nil {
			return fmt.Errorf("nats: the server's messages are not understood: %w", err)
		}
		number := meta.Sequence.Stream
		if number > s.latest {
			s.latest, s.batch = number, m.Headers().Get(HeaderBatch)
		}
		ev, err := b.storedEvent(m)
		if err != nil {
			return nil //nolint:nilerr // somebody else's
		}
		ev.number = number
		if s.known[ev.sender].Before(ev.own) && len(s.known) < maxStored {
			s.known[ev.sender] = ev.own
		}
		if number > latest.number && !ev.sent.End().IsZero() {
			latest = ev
		}
		if ev.sender != "" && farthest.at.Before(ev.at) {
			farthest = ev
		}
		return nil
	})
	if s.sent = latest.sent; err != nil || b.hasHad(ctx, farthest) {
		return s, err
	}
	// The positions say nothing: events that were never sent have those of others, which the stream has.
	name, err := renameJournal(ctx, b.o.Journal)
	if err != nil {
		return nil, err
	}
	b.journal = name
	b.o.Logger.Warn("the journal does not know what the stream has of it, as when it is replaced by an older copy: what it has not noted as sent goes up, "+
		"and some of that may be there already", "bridge", b.o.Name, "position", formatPosition(farthest.at))
	return &standing{latest: s.latest, batch: s.batch}, nil
}

// storedEvent reads a message of this hub's journal. It fails for all others.
func (b *Bridge) storedEvent(m jetstream.Msg) (ev storedEvent, err error) {
	head := m.Headers()
	p, err := parseSubject(b.o.Prefix, m.Subject())
	if err != nil {
		return ev, err
	}
	if head.Get(HeaderJournal) != b.journal {
		return ev, fmt.Errorf("nats: %s is of another journal", shown(m.Subject()))
	}
	ev.sender = p.sender
	var bad [3]error
	ev.at, bad[0] = parsePosition(head.Get(HeaderPosition))
	ev.connection, bad[1] = strconv.ParseUint(head.Get(HeaderEpoch), 10, 64)
	ev.seq, bad[2] = strconv.ParseUint(head.Get(HeaderSeq), 10, 64)
	if err := errors.Join(bad[:]...); err != nil {
		return ev, err
	}
	ev.sent, ev.own, err = sentWith(head, ev.at)
	return ev, err
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
