package bridge

import (
	"cmp"
	"context"
	"fmt"
	"strconv"
	"time"

	"sighub/hub"
	"sighub/internal/lockrank"
	"sighub/journal"
)

// Options are those of a Feed. Zero values are defaults, but for the hub, the journal and the cursor.
type Options struct {
	Hub     *hub.ServerRouter
	Journal *journal.Journal // the hub's
	Cursor  string           // by this name the hub remembers how far the other side has come
	Start   journal.Start    // where a new cursor begins; by default with the oldest event that the journal has
	// Takes says which events are passed on. Nil: all. Gaps of the journal are passed on whatever it says.
	Takes func(sender, event string) bool
	// Window is how many events may be read and not acknowledged: 4,096 by default.
	Window int
	// Bytes is how much data they may have together, about: 4 MiB by default. One event may always be read.
	Bytes int
	// Rate is how many events a second are read at the most; 0: as many as there are.
	Rate float64
	// Now is the clock; nil: time.Now.
	Now func() time.Time
}

// An Event is an event of the hub's on its way elsewhere.
type Event struct {
	hub.Event
	// Client is whose sender it is, as far as the journal tells; nil: the hub's own, or it is not known.
	Client *hub.ClientInfo
}

// Device returns what the event's sender belongs to, by the name of its client or, if it has none, its lasting identity. It is empty for
// senders of the hub's own.
func (e *Event) Device() string {
	if e.Client == nil {
		return ""
	}
	return cmp.Or(e.Client.Name, e.Client.UID)
}

// ID names the event for ever, in a journal: by its sender, the number of the sender's connection, and its number in that. A gap of the
// journal has no sender; its ID has its position instead.
func (e *Event) ID() string {
	var buf [128]byte
	return string(e.AppendID(buf[:0]))
}

// AppendID appends the ID to dst.
func (e *Event) AppendID(dst []byte) []byte {
	name, first, second := e.Sender, e.Connection, e.Seq
	if name == "" {
		name, first, second = e.Name, uint64(e.Position.Epoch), e.Position.Sequence
	}
	dst = strconv.AppendUint(append(append(dst, name...), '/'), first, 10)
	return strconv.AppendUint(append(dst, '/'), second, 10)
}

// A Feed reads the events of a hub from its journal, for a bridge. [Feed.Next] and [Feed.Rewind] are for one goroutine; the others may be
// called from any. Make one with [Open].
type Feed struct {
	o      Options
	cursor *hub.OwnCursor
	reader *journal.Reader
	batch  []journal.Entry
	before time.Time                  // of the latest event that was read
	owners map[string]*hub.ClientInfo // of senders
	pace   pace

	mu    lockrank.Mutex[lockrank.Leaf]
	at    hub.Position  // up to which everything is acknowledged, or left out
	read  hub.Position  // up to which everything is read
	kept  hub.Position  // where the cursor is
	sent  ring          // what is read and not acknowledged
	bytes int           // of its data
	lost  uint64        // events that the journal had no more
	told  hub.Position  // of the latest gap that says so
	room  chan struct{} // closed when something is acknowledged; nil: nobody waits
}

// batchSize is how many entries are read at a time.
const batchSize = 256

// overEach is how many events are left out before the cursor moves over them, while nothing else moves it.
const overEach = 1000

// Open returns a Feed that begins behind what was acknowledged last. It fails if another part of the program, or a client, has the cursor.
func Open(o Options) (*Feed, error) {
	if o.Window <= 0 {
		o.Window = 4096
	}
	if o.Bytes <= 0 {
		o.Bytes = 4 << 20
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Journal == nil {
		return nil, fmt.Errorf("bridge: what is passed on is read from the journal, and this hub keeps none: %w", hub.ErrNoJournal)
	}
	cursor, err := o.Hub.TakeCursor(o.Cursor, "the bridge "+o.Cursor, o.Start)
	if err != nil {
		return nil, fmt.Errorf("bridge: cannot remember how far the events have come: %w", err)
	}
	f := &Feed{o: o, cursor: cursor, batch: make([]journal.Entry, batchSize), owners: make(map[string]*hub.ClientInfo), pace: pace{rate: o.Rate}}
	f.at = cursor.At()
	f.kept = f.at
	f.findOwners()
	f.reopen()
	return f, nil
}

// findOwners finds whose the senders are that were there when the journal was opened. If another client has had one of them since, in
// what is not passed on yet, that one is taken for it until its #connect is read.
func (f *Feed) findOwners() {
	_ = f.o.Journal.Last(func(t journal.Topic) bool { return t.Event == hub.Connect }, func(e *journal.Entry) error {
		if len(e.Data) > 0 {
			ev := hub.EventOf(e, time.Time{}, time.Time{})
			f.own(&ev)
		}
		return nil
	})
}

// maxOwners bounds what is remembered of the owners of senders.
const maxOwners = 1 << 16

// own notes whose a sender is.
func (f *Feed) own(ev *hub.Event) {
	var c hub.Connection
	if ev.Data.Decode(&c) != nil || c.Client == nil || len(f.owners) >= maxOwners {
		delete(f.owners, ev.Sender)
		return
	}
	f.owners[ev.Sender] = c.Client
}

// reopen has reading go on behind what is acknowledged.
func (f *Feed) reopen() {
	if f.reader != nil {
		_ = f.reader.Close() // nothing was written
	}
	f.reader = f.o.Journal.Read(journal.Query{Start: journal.After(journal.Position(f.at))})
	f.read, f.before = f.at, time.Time{}
	f.sent.clear()
	f.bytes = 0
}

// Rewind has Next begin again behind what is acknowledged: after the connection is lost on which the rest was on its way.
func (f *Feed) Rewind() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.reopen()
}

// RewindTo has Next begin again behind a position that is before what is acknowledged: when the other side has lost what it had. The
// cursor goes back as well, so that the next run of the hub knows of it, whatever becomes of this one.
func (f *Feed) RewindTo(at hub.Position) {
	f.mu.Lock()
	back := at.Before(f.at)
	if back {
		f.at, f.kept = at, at
	}
	f.reopen()
	f.mu.Unlock()
	if back {
		f.cursor.Move(at, 1)
	}
}

// At returns the position up to which everything is acknowledged, or left out.
func (f *Feed) At() hub.Position {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.at
}

// Next sets some events of dst, which is not empty, and returns how many. It waits for one at least, and for room in the window. The
// events are the caller's to keep. The error is that of ctx, or that of a disk that cannot be read.
func (f *Feed) Next(ctx context.Context, dst []Event) (int, error) {
	most, err := f.waitForRoom(ctx)
	if err != nil {
		return 0, err
	}
	most, err = f.pace.wait(ctx, min(most, len(dst), batchSize))
	if err != nil {
		return 0, err
	}
	for {
		n, err := f.reader.Next(ctx, f.batch[:most])
		if err != nil {
			return 0, err
		}
		kept := f.sift(f.batch[:n])
		f.tell(dst, f.batch[:kept])
		clear(f.batch[:n])
		f.took(dst[:kept])
		f.pace.spend(kept)
		if kept > 0 {
			return kept, nil
		}
		f.keep(0)
	}
}

// sift moves those entries to the front that are passed on, and returns how many.
func (f *Feed) sift(list []journal.Entry) (kept int) {
	for i := range list {
		e := &list[i]
		if e.Lost == 0 && e.Back == 0 {
			if e.Topic.Event == hub.Connect {
				ev := hub.EventOf(e, time.Time{}, time.Time{})
				f.own(&ev)
			}
			if f.o.Takes != nil && !f.o.Takes(e.Sender, e.Topic.Event) {
				continue
			}
		}
		list[kept] = *e
		kept++
	}
	return kept
}

// tell makes events of entries, with data of their own.
func (f *Feed) tell(dst []Event, list []journal.Entry) {
	now, size := f.o.Now(), 0
	for i := range list {
		size += len(list[i].Data)
	}
	data := make([]byte, 0, size)
	for i := range list {
		e := &list[i]
		lost := e.Lost > 0 || e.Back > 0
		if start := len(data); !lost {
			data = append(data, e.Data...)
			e.Data = data[start:len(data):len(data)]
		}
		before := f.before
		if before.IsZero() {
			before = now
		}
		dst[i] = Event{Event: hub.EventOf(e, before, now)}
		if !lost {
			dst[i].Client = f.owners[e.Sender]
			f.before = dst[i].Time
		}
	}
}

// took notes that events were read.
func (f *Feed) took(list []Event) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for i := range list {
		ev := &list[i]
		size := eventCost + ev.Data.Size()
		f.sent.push(place{ev.Position, ev.Time, size})
		f.bytes += size
		if ev.Sender == "" && f.told.Before(ev.Position) {
			f.told = ev.Position
			f.lost += lossOf(ev)
		}
	}
	f.read = hub.Position(f.reader.Position())
	f.read.Sequence--
}

// lossOf returns how many events a gap tells of.
func lossOf(ev *Event) uint64 {
	var loss hub.Loss
	if ev.Data.Decode(&loss) != nil {
		return 0
	}
	return loss.Count
}

// eventCost is what an event takes beside its data, in bytes.
const eventCost = 200

// waitForRoom waits until the window has room, and returns for how many events.
func (f *Feed) waitForRoom(ctx context.Context) (int, error) {
	for {
		f.mu.Lock()
		room := f.o.Window - f.sent.n
		if f.sent.n > 0 && f.bytes >= f.o.Bytes {
			room = 0
		}
		if room > 0 {
			f.mu.Unlock()
			return room, ctx.Err()
		}
		if f.room == nil {
			f.room = make(chan struct{})
		}
		changed := f.room
		f.mu.Unlock()
		select {
		case <-changed:
		case <-ctx.Done():
			return 0, context.Cause(ctx)
		}
	}
}

// Acknowledge notes that the other side has everything up to a position, which is that of an event that was read.
func (f *Feed) Acknowledge(upTo hub.Position) {
	f.mu.Lock()
	done := 0
	for f.sent.n > 0 && !upTo.Before(f.sent.first().at) {
		f.bytes -= f.sent.first().size
		f.sent.pop()
		done++
	}
	if f.at.Before(upTo) {
		f.at = upTo
	}
	if f.room != nil {
		close(f.room)
		f.room = nil
	}
	f.mu.Unlock()
	f.keep(done)
}

// keep moves the cursor to where everything is acknowledged or left out.
func (f *Feed) keep(events int) {
	f.mu.Lock()
	if f.sent.n == 0 && f.at.Before(f.read) {
		f.at = f.read
	}
	at := f.at
	move := events > 0 || at.Epoch != f.kept.Epoch || at.Sequence >= f.kept.Sequence+overEach
	if move {
		f.kept = at
	}
	f.mu.Unlock()
	if move {
		f.cursor.Move(at, max(events, 1))
	}
}

// Waiting reports whether there is more to read at once. It is for the goroutine of Next.
func (f *Feed) Waiting() bool {
	return hub.Position(f.reader.Position()).Sequence < f.o.Journal.End().Sequence
}

// Close lets go of the cursor. Next must not be running.
func (f *Feed) Close() error {
	f.cursor.Release()
	return f.reader.Close()
}
