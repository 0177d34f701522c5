package bridge

import (
	"time"

	"sighub/hub"
	"sighub/journal"
)

// MaxFirst is how many functions Options.First may have: each is one more time that the journal is read.
const MaxFirst = 7

// MaxLanes is how many lanes there are at the most: those that go first, that of all others, and the late one.
const MaxLanes = MaxFirst + 2

// A lane has the events of some senders, in their order. Lanes read the journal each for itself, so that one does not wait for another:
//
//   - those of Options.First, whose senders are in no other lane;
//   - the main lane, of all other senders;
//   - with Options.Live, the late lane: what the main lane has passed over when it began with what happens now.
//
// A lane does not pass on what the one before it has not read. So what the main lane passes on is behind everything of the first lanes up
// to there, and what is passed on can be told by positions alone, whoever goes first the next time: see [Sent].
//
// There is one cursor for all of them. It is behind no event that is not acknowledged; what is ahead of it is read again, and the other
// side knows what it has.
type lane struct {
	reader *journal.Reader
	buf    []journal.Entry
	held   []journal.Entry            // of buf, not passed on yet
	before time.Time                  // of the latest event that was read
	owners map[string]*hub.ClientInfo // of senders

	at    hub.Position // up to which everything of the lane is acknowledged, or left out
	read  hub.Position // up to which everything is passed on, or left out
	until uint64       // of the late lane: the sequence of its last event; 0: it is closed
	sent  ring         // what is passed on and not acknowledged
}

// main returns the number of the main lane.
func (f *Feed) main() int { return len(f.o.First) }

// laneOf returns in which lane a sender is, but for the late one.
func (f *Feed) laneOf(sender string) int {
	for i, takes := range f.o.First {
		if takes(sender) {
			return i
		}
	}
	return f.main()
}

// reopen has reading go on behind what is acknowledged.
func (l *lane) reopen(j *journal.Journal) {
	if l.reader != nil {
		_ = l.reader.Close() // nothing was written
	}
	l.reader = j.Read(journal.Query{Start: journal.After(journal.Position(l.at))})
	l.read, l.before, l.held = l.at, time.Time{}, nil
	l.sent.clear()
}

// next returns the position of what is passed on next.
func (l *lane) next() hub.Position {
	if len(l.held) > 0 {
		return hub.Position(l.held[0].Position)
	}
	return hub.Position(l.reader.Position())
}

// open reports whether something of the late lane is not acknowledged.
func (l *lane) open() bool { return l.at.Sequence < l.until }

// limit returns the sequence up to which a lane may pass events on.
func (f *Feed) limit(i int) uint64 {
	switch {
	case i > f.main():
		return f.lanes[i].until
	case i > 0:
		return f.lanes[i-1].next().Sequence - 1
	}
	return f.o.Journal.End().Sequence
}

// waits reports whether there is something for a lane to pass on at once.
func (f *Feed) waits(i int) bool {
	next := f.lanes[i].next().Sequence
	return next < f.o.Journal.End().Sequence && next <= f.limit(i)
}

// maxOwners bounds what is remembered of the owners of senders.
const maxOwners = 1 << 16

// own notes whose a sender is.
func (l *lane) own(ev *hub.Event) {
	var c hub.Connection
	if ev.Data.Decode(&c) != nil || c.Client == nil || len(l.owners) >= maxOwners {
		delete(l.owners, ev.Sender)
		return
	}
	l.owners[ev.Sender] = c.Client
}
