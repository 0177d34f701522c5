package bridge

import (
	"cmp"
	"context"
	"errors"
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
	// First says whose events are read before all others, however many of those wait: the senders that the first of these functions
	// takes go before those that the second one takes, and so on. There are at most MaxFirst of them.
	First []func(sender string) bool
	// Live has what happens now be read before what waits when Resume is called: see [Feed.Resume]. It does not concern the senders of
	// First, whose events stay in order.
	Live bool
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
	// Lane is the place of the event's sender in Options.First; that behind the last one for all others; and the next one for those of
	// them that others have passed: see Options.Live.
	Lane int
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
	pace   pace
	lanes  []lane // those of First, the main one, and with Live the late one
	ahead  []Span // what was sent ahead when Resume was called

	mu    lockrank.Mutex[lockrank.Leaf]
	kept  hub.Position  // where the cursor is: before everything that is not acknowledged
	last  hub.Position  // of the event that the other side has stored last; zero: not known
	open  int           // events that are read and not acknowledged
	bytes int           // of their data
	done  int           // events that are acknowledged, and that the cursor is not behind yet
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
	if len(o.First) > MaxFirst {
		return nil, fmt.Errorf("bridge: %d kinds of senders go before others: there can be %d", len(o.First), MaxFirst)
	}
	if o.Journal == nil {
		return nil, fmt.Errorf("bridge: what is passed on is read from the journal, and this hub keeps none: %w", hub.ErrNoJournal)
	}
	cursor, err := o.Hub.TakeCursor(o.Cursor, "the bridge "+o.Cursor, o.Start)
	if err != nil {
		return nil, fmt.Errorf("bridge: cannot remember how far the events have come: %w", err)
	}
	n := 1 + len(o.First)
	if o.Live {
		n++
	}
	f := &Feed{o: o, cursor: cursor, lanes: make([]lane, n), pace: pace{rate: o.Rate}}
	f.kept = cursor.At()
	if note := cursor.Note(); note != nil && f.last.UnmarshalJSON(note) != nil {
		f.last = hub.Position{}
	}
	for i := range f.lanes {
		f.lanes[i].at = f.kept
		if i <= f.main() {
			f.lanes[i].owners = make(map[string]*hub.ClientInfo)
		}
	}
	f.findOwners(0)
	f.reopen()
	return f, nil
}

// findOwners finds whose the senders are that were there when the journal was opened. If another client has had one of them since, in
// what is not passed on yet, that one is taken for it until its #connect is read. Lanes before one keep what they know.
func (f *Feed) findOwners(from int) {
	_ = f.o.Journal.Last(func(t journal.Topic) bool { return t.Event == hub.Connect }, func(e *journal.Entry) error {
		if len(e.Data) > 0 {
			ev := hub.EventOf(e, time.Time{}, time.Time{})
			if i := f.laneOf(ev.Sender); i >= from {
				f.lanes[i].own(&ev)
			}
		}
		return nil
	})
}

// reopen has reading go on behind what is acknowledged.
func (f *Feed) reopen() {
	for i := range f.lanes {
		f.lanes[i].reopen(f.o.Journal)
	}
	f.open, f.bytes = 0, 0
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
	back := false
	for i := range f.lanes {
		if l := &f.lanes[i]; at.Before(l.at) {
			l.at, back = at, true
		}
	}
	f.kept = f.acknowledged()
	kept := f.kept
	f.reopen()
	f.mu.Unlock()
	if back {
		f.cursor.Move(kept, 1)
	}
}

// At returns the position up to which everything is acknowledged, or left out.
func (f *Feed) At() hub.Position {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.acknowledged()
}

// Stored notes which of the events that are acknowledged next the other side has stored last, in the order in which they were sent.
func (f *Feed) Stored(last hub.Position) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.last = last
}

// Last returns the position of the event that the other side has stored last, as Stored has said, here or in an earlier run; zero if it is not
// known. As long as the other side has that event, it has lost nothing of what is acknowledged.
func (f *Feed) Last() hub.Position {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.last
}

// acknowledged returns the position up to which everything is acknowledged, or left out. The lock is held.
func (f *Feed) acknowledged() hub.Position {
	at := f.lanes[0].at
	for i := range f.lanes[1:] {
		if l := &f.lanes[1+i]; l.at.Before(at) && f.counts(1+i) {
			at = l.at
		}
	}
	return at
}

// counts reports whether a lane has a say in how far the feed has come. One that is closed has none. The lock is held.
func (f *Feed) counts(i int) bool { return i <= f.main() || f.lanes[i].open() }

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
		for i := range f.lanes {
			for f.waits(i) {
				if n, err := f.take(ctx, i, dst[:most]); n > 0 || err != nil {
					return n, err
				}
			}
		}
		if n, err := f.take(ctx, 0, dst[:most]); n > 0 || err != nil { // whatever comes next wakes it, though another lane may take it
			return n, err
		}
	}
}

// take passes on some events of a lane. It waits until entries are read, and returns 0 if none of them is for the lane.
func (f *Feed) take(ctx context.Context, i int, dst []Event) (int, error) {
	if ctx.Err() != nil {
		return 0, context.Cause(ctx)
	}
	l := &f.lanes[i]
	if len(l.held) == 0 {
		if l.buf == nil {
			l.buf = make([]journal.Entry, batchSize)
		}
		n, err := l.reader.Next(ctx, l.buf[:len(dst)])
		if err != nil {
			return 0, err
		}
		l.held = l.buf[:n]
	}
	list, limit := l.held[:min(len(l.held), len(dst))], f.limit(i)
	for n := len(list); n > 0 && list[n-1].Sequence > limit; n-- {
		list = list[:n-1]
	}
	kept := f.sift(i, list)
	f.tell(i, dst, list[:kept])
	clear(list)
	l.held = l.held[len(list):]
	f.took(i, dst[:kept])
	f.pace.spend(kept)
	if kept == 0 {
		f.keep(0)
	}
	return kept, nil
}

// sift moves those entries to the front that are of a lane and passed on, and returns how many.
func (f *Feed) sift(i int, list []journal.Entry) (kept int) {
	for k := range list {
		if f.isFor(i, &list[k]) {
			list[kept] = list[k]
			kept++
		}
	}
	return kept
}

// isFor reports whether an entry is of a lane and passed on. Those that go first have no gaps of the journal: the main lane and the late
// one are further behind.
func (f *Feed) isFor(i int, e *journal.Entry) bool {
	late := i > f.main()
	if e.Lost > 0 || e.Back > 0 {
		return i >= f.main() && (!late || f.clip(&f.lanes[i], e))
	}
	if own := f.laneOf(e.Sender); own != i && !(late && own == f.main()) {
		return false
	}
	if e.Topic.Event == hub.Connect {
		ev := hub.EventOf(e, time.Time{}, time.Time{})
		f.lanes[i].own(&ev)
	}
	return f.o.Takes == nil || f.o.Takes(e.Sender, e.Topic.Event)
}

// tell makes events of entries, with data of their own.
func (f *Feed) tell(lane int, dst []Event, list []journal.Entry) {
	l, now, size := &f.lanes[lane], f.o.Now(), 0
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
		before := l.before
		if before.IsZero() {
			before = now
		}
		dst[i] = Event{Event: hub.EventOf(e, before, now), Lane: lane}
		if !lost {
			dst[i].Client = l.owners[e.Sender]
			l.before = dst[i].Time
		}
	}
}

// took notes that events were read.
func (f *Feed) took(lane int, list []Event) {
	f.mu.Lock()
	defer f.mu.Unlock()
	l := &f.lanes[lane]
	for i := range list {
		ev := &list[i]
		size := eventCost + ev.Data.Size()
		l.sent.push(place{ev.Position, ev.Time, size})
		f.open++
		f.bytes += size
		if ev.Sender == "" && f.told.Before(ev.Position) {
			f.told = ev.Position
			f.lost += lossOf(ev)
		}
	}
	l.read = l.next()
	l.read.Sequence--
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
		room := f.o.Window - f.open
		if f.open > 0 && f.bytes >= f.o.Bytes {
			room = 0
		}
		if room > 0 {
			f.mu.Unlock()
			if ctx.Err() != nil {
				return 0, context.Cause(ctx)
			}
			return room, nil
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

// Acknowledge notes that the other side has everything of a lane up to a position, which is that of an event that was read.
func (f *Feed) Acknowledge(lane int, upTo hub.Position) {
	f.mu.Lock()
	l, done := &f.lanes[lane], 0
	for l.sent.n > 0 && !upTo.Before(l.sent.first().at) {
		f.bytes -= l.sent.first().size
		l.sent.pop()
		done++
	}
	f.open -= done
	if l.at.Before(upTo) {
		l.at = upTo
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
	for i := range f.lanes {
		if l := &f.lanes[i]; l.sent.n == 0 && l.at.Before(l.read) {
			l.at = l.read
		}
	}
	at := f.acknowledged()
	f.done += events
	move := f.done > 0 && f.kept.Before(at) || at.Epoch != f.kept.Epoch || at.Sequence >= f.kept.Sequence+overEach
	if move {
		f.kept, events, f.done = at, max(f.done, 1), 0
	}
	last := f.last
	f.mu.Unlock()
	if move {
		f.move(at, events, last)
	}
}

// move moves the cursor, and notes what was stored last: that is on disk before the position is.
func (f *Feed) move(at hub.Position, events int, last hub.Position) {
	note, err := last.MarshalJSON()
	if err != nil || last.IsZero() {
		note = nil
	}
	f.cursor.MoveWith(at, events, note)
}

// Waiting reports whether there is more to read at once. It is for the goroutine of Next.
func (f *Feed) Waiting() bool {
	for i := range f.lanes {
		if f.waits(i) {
			return true
		}
	}
	return false
}

// Close lets go of the cursor. Next must not be running.
func (f *Feed) Close() error {
	f.cursor.Release()
	var err error
	for i := range f.lanes {
		err = errors.Join(err, f.lanes[i].reader.Close())
	}
	return err
}
