package bridge

import (
	"time"

	"sighub/hub"
	"sighub/journal"
)

// MaxFirst is how many functions Options.First may have: each is one more time that the journal is read.
const MaxFirst = 7

// A lane has the events of some senders, in their order: a sender is in one lane only. Lanes read the journal each for itself, so that
// one does not wait for another. There is one cursor for all of them. It is behind no event that is not acknowledged, so that nothing is
// lost if a sender is in another lane the next time; what is ahead of it is read again, and the other side knows what it has.
type lane struct {
	reader *journal.Reader
	before time.Time                  // of the latest event that was read
	owners map[string]*hub.ClientInfo // of senders

	at   hub.Position // up to which everything of the lane is acknowledged, or left out
	read hub.Position // up to which everything is read
	sent ring         // what is read and not acknowledged
}

// laneOf returns in which lane a sender is.
func (f *Feed) laneOf(sender string) int {
	for i, takes := range f.o.First {
		if takes(sender) {
			return i
		}
	}
	return len(f.o.First)
}

// reopen has reading go on behind what is acknowledged.
func (l *lane) reopen(j *journal.Journal) {
	if l.reader != nil {
		_ = l.reader.Close() // nothing was written
	}
	l.reader = j.Read(journal.Query{Start: journal.After(journal.Position(l.at))})
	l.read, l.before = l.at, time.Time{}
	l.sent.clear()
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
