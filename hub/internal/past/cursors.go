package past

import (
	"fmt"
	"maps"
	"slices"
	"time"

	"sighub/carrier"
	"sighub/internal/lockrank"
	"sighub/journal"
)

// Errors of Cursors, which are the hub's.
var (
	ErrTaken = carrier.NewRefusal("hub: cursor is in use", "exists")
	ErrNone  = carrier.NewRefusal("hub: no such cursor", "cursor")
)

// An Owner is whoever has a cursor.
type Owner interface {
	Gone() bool
	Left() bool // it has gone, and nothing comes of it any more
	String() string
}

// How often a cursor that moves is given to the journal.
const (
	keepAfter = 100 * time.Millisecond
	keepEach  = 1000 // moves
)

// Cursors are the cursors of a journal. Only they change them there.
type Cursors struct {
	j    *journal.Journal
	most int

	mu  lockrank.Mutex[lockrank.Leaf]
	all map[string]*Cursor
}

// NewCursors returns the cursors of a journal, of which there may be so many.
func NewCursors(j *journal.Journal, most int) *Cursors {
	cs := &Cursors{j: j, most: most, all: make(map[string]*Cursor)}
	for name, at := range j.Cursors() {
		cs.all[name] = &Cursor{set: cs, name: name, at: at}
	}
	return cs
}

// A Cursor remembers which event its owner has dealt with last. The lock of the Cursors guards it.
type Cursor struct {
	set   *Cursors
	name  string
	owner Owner // nil: it has none
	lost  bool  // it was removed, or has another owner

	at    journal.Position
	note  []byte // what its owner has said of the position; nil: nothing
	moves int    // that the journal does not know
	kept  time.Time
	timer *time.Timer // keeps moves when they are old enough; nil while there are none
}

// Take gives a cursor to an owner, and returns it with its position; known is false if it is new, and then at is its position. It fails
// while another owner is there.
func (cs *Cursors) Take(name string, o Owner, at journal.Position) (c *Cursor, position journal.Position, known bool, err error) {
	cs.mu.Lock()
	defer cs.mu.Unlock()
	before := cs.all[name]
	switch {
	case before == nil && len(cs.all) >= cs.most:
		return nil, at, false, fmt.Errorf("%w: there are %d cursors: remove one that nobody needs", carrier.ErrLimit, cs.most)
	case before != nil && before.owner != nil && !before.owner.Left():
		return nil, at, false, fmt.Errorf("%w: %s, by %s", ErrTaken, name, before.owner)
	}
	c = &Cursor{set: cs, name: name, owner: o, at: at}
	if before != nil {
		before.keep()
		before.lost = true
		c.at, c.note, known = before.at, before.note, true
	}
	cs.all[name] = c
	if !known {
		c.moves = 1
		c.keep()
	}
	return c, c.at, known, nil
}

// Owner returns the owner of a cursor; nil if it has none.
func (cs *Cursors) Owner(name string) Owner {
	cs.mu.Lock()
	defer cs.mu.Unlock()
	if c := cs.all[name]; c != nil {
		return c.owner
	}
	return nil
}

// Move moves the cursor to a position, after so many events. It does nothing for a cursor that its owner has lost.
func (c *Cursor) Move(to journal.Position, events int) { c.MoveWith(to, events, nil) }

// MoveWith moves the cursor, and keeps a note of the owner's with it: the position is not on disk before the note is. Nil changes no note.
func (c *Cursor) MoveWith(to journal.Position, events int, note []byte) {
	c.set.mu.Lock()
	defer c.set.mu.Unlock()
	if c.lost {
		return
	}
	c.at = to
	if note != nil {
		c.note = note
	}
	c.moves += events
	if c.moves >= keepEach || time.Since(c.kept) >= keepAfter {
		c.keep()
		return
	}
	if c.timer == nil {
		c.timer = time.AfterFunc(keepAfter, c.keepLater)
	}
}

func (c *Cursor) keepLater() {
	c.set.mu.Lock()
	defer c.set.mu.Unlock()
	c.keep()
}

// keep gives the position to the journal, if it does not know it. The lock is held.
func (c *Cursor) keep() {
	if c.timer != nil {
		c.timer.Stop()
		c.timer = nil
	}
	if c.moves > 0 && !c.lost {
		c.moves, c.kept = 0, time.Now()
		if c.note != nil {
			c.set.mark(c.name, c.note)
		}
		c.set.j.SetCursor(c.name, c.at)
	}
}

// noteKey is in front of a cursor's name, where the journal keeps its note.
const noteKey = "cursor/"

func (cs *Cursors) mark(name string, note []byte) {
	g := cs.j.NewGroup()
	g.Mark(noteKey+name, note)
	g.AppendUnawaited()
}

// Note returns the note that was kept last; nil if there was none.
func (c *Cursor) Note() []byte {
	c.set.mu.Lock()
	defer c.set.mu.Unlock()
	if c.note == nil {
		c.note = c.set.j.State(noteKey + c.name)
	}
	return c.note
}

// Name returns the cursor's name.
func (c *Cursor) Name() string { return c.name }

// At returns the position.
func (c *Cursor) At() journal.Position {
	c.set.mu.Lock()
	defer c.set.mu.Unlock()
	return c.at
}

// Release leaves the cursor without an owner. It may still move, because of answers that come late, until it has another one.
func (c *Cursor) Release() {
	c.set.mu.Lock()
	defer c.set.mu.Unlock()
	c.owner = nil
	c.keep()
}

// Keep gives all positions to the journal.
func (cs *Cursors) Keep() {
	cs.mu.Lock()
	defer cs.mu.Unlock()
	for _, c := range cs.all {
		c.keep()
	}
}

// Remove removes a cursor that has no owner.
func (cs *Cursors) Remove(name string) error {
	cs.mu.Lock()
	defer cs.mu.Unlock()
	c := cs.all[name]
	switch {
	case c == nil:
		return fmt.Errorf("%w: %s", ErrNone, name)
	case c.owner != nil && !c.owner.Gone():
		return fmt.Errorf("%w: %s, by %s: remove its listener first", ErrTaken, name, c.owner)
	}
	c.lost = true
	c.keep()
	delete(cs.all, name)
	cs.mark(name, nil)
	cs.j.SetCursor(name, journal.Position{})
	return nil
}

// A Status is what is known of a cursor.
type Status struct {
	Name  string
	At    journal.Position
	Owner Owner // nil: it has none
}

// List lists all cursors by name.
func (cs *Cursors) List() []Status {
	cs.mu.Lock()
	defer cs.mu.Unlock()
	list := make([]Status, 0, len(cs.all))
	for _, name := range slices.Sorted(maps.Keys(cs.all)) {
		c := cs.all[name]
		s := Status{Name: name, At: c.at}
		if c.owner != nil && !c.owner.Gone() {
			s.Owner = c.owner
		}
		list = append(list, s)
	}
	return list
}
