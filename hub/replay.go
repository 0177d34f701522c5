package hub

import (
	"context"
	"errors"
	"time"

	"sighub/carrier"
	"sighub/hub/internal/past"
	"sighub/hub/internal/rights"
	"sighub/journal"
)

// A replay feeds a client's listener from the journal, in the journal's order, as fast as the client answers. It holds a few events
// while it reads, and nothing while it waits for long. A listener that hears events at once has one at first, if it asked for last
// values or for what it missed: see join.
type replay struct {
	listener *Listener
	outbox   *outbox
	keeping  *keeping
	ctx      context.Context // done when the listener is removed
	cancel   context.CancelFunc

	last    bool // the last values come first
	live    bool // it ends when the listener hears events at once
	listens bool // the router has the listener
	cursor  *past.Cursor
	manual  bool // the client moves the cursor

	reader *journal.Reader
	batch  []journal.Entry
	packed carrier.PackedSignal
	before time.Time // of the latest event that was told
	lasts  bool      // those that are told now are last values
	sight  rights.Sight
	since  int64 // events of an earlier time are left out, before until
	until  uint64

	// Under the outbox's lock.
	first   map[string]journal.Event // the first event of each sender that the listener hears at once, as it joins; without data
	at      journal.Position         // of the latest event that was answered
	moves   int                      // of the cursor that it does not know
	sent    journal.Position         // of the latest event that was sent
	refused bool                     // the client has no such listener any more
}

// replays are what an outbox knows of the replays that share it with the events that its other listeners hear at once.
type replays struct {
	flight  past.Flight[*replay]
	tracks  bool      // flight is kept: there was a replay
	moved   []*replay // whose cursors are to be moved
	waiting int       // replays that wait for room
	room    waiters   // these
	// turn says who goes on while replays wait as well as other events: these, so many more times, or replays if it is negative.
	turn    int
	joining map[*Listener]*replay
	reached reached
}

// replayShare is how many events of replays, and of three times as many others, are sent in a row while both wait.
const replayShare = 32

const (
	replayCost   = 48 << 10 // bytes that a replay takes
	maxReplays   = 1024     // of all clients: each may have a file open
	maxOfClient  = 256
	maxCursors   = 256
	batchSize    = 128         // events that are read at a time
	replayStall  = time.Second // after which a replay that waits for its client lets go of what it has read
	lastsAtATime = 64 << 10    // bytes of last values that are held
	passOverEach = 1000        // events that a listener does not hear
)

var errStalled = errors.New("hub: the client has taken nothing for a while")

// run feeds the listener until it is removed or, if it is to hear events at once, until it does.
func (r *replay) run() {
	defer r.ended()
	if r.last && !r.live && r.tellLasts(r.reader.Position().Sequence) != nil {
		return
	}
	if r.live && r.reader == nil {
		r.join()
		return
	}
	var pause carrier.Backoff
	for r.ctx.Err() == nil {
		n, err := r.read()
		switch {
		case err == nil:
			pause = carrier.Backoff{}
			if r.tell(r.batch[:n]) != nil {
				return
			}
		case errors.Is(err, errCaughtUp):
			r.flush()
			if r.live {
				r.join()
				return
			}
			r.passOver()
			if n, err = r.reader.Next(r.ctx, r.batch[:1]); err == nil && r.tell(r.batch[:r.sift(n)]) != nil {
				return
			}
		default:
			r.gaveUp(err)
			if pause.Wait(r.ctx) != nil {
				return
			}
		}
	}
}

// gaveUp tells the log what the listener does not hear.
func (r *replay) gaveUp(err error) {
	if r.ctx.Err() == nil {
		l := r.listener
		l.log().Warn("a listener cannot be fed from the journal at the moment", "client", l.client.info.String(), "sender", l.sender,
			"event", l.event, "error", err)
	}
}

// ended gives back what the replay has.
func (r *replay) ended() {
	r.cancel()
	r.outbox.flush(nil, false) // what it left the room to when it gave up
	if r.reader != nil {
		_ = r.reader.Close() // nothing was written
	}
	r.reader, r.batch = nil, nil
	c := r.listener.client
	r.keeping.replays.Add(-1)
	c.replays.Add(-1)
	c.account.Give(replayCost)
	c.account.Close()
}

// passOver moves the cursor over events that the listener does not hear, now and then, so that they are not missed when they are
// not there any more.
func (r *replay) passOver() {
	at := r.keeping.before(r.reader.Position().Sequence)
	o := r.outbox
	o.mu.Lock()
	over := r.cursor != nil && !r.manual && !r.refused && r.sent == r.at && at.Sequence >= r.at.Sequence+passOverEach
	if over {
		r.at, r.sent = at, at
	}
	o.mu.Unlock()
	if over {
		r.cursor.Move(at, 1)
	}
}

var errCaughtUp = errors.New("hub: nothing more is committed")

// read reads some events in its turn, those that the listener may hear. It returns errCaughtUp if there are none at the moment.
func (r *replay) read() (int, error) {
	if r.batch == nil {
		r.batch = make([]journal.Entry, batchSize)
	}
	if err := r.keeping.enter(r.ctx); err != nil {
		return 0, err
	}
	defer r.keeping.leave()
	n, err := r.reader.Next(r.keeping.caughtUp, r.batch)
	return r.sift(n), err
}

// sift moves those entries of the batch to its front that the listener may hear, and returns how many.
func (r *replay) sift(n int) (kept int) {
	l := r.listener
	in := l.router.policy.Load()
	for i := range r.batch[:n] {
		e := &r.batch[i]
		if e.Lost > 0 || e.Back > 0 || (l.sender == "" || l.sender == e.Sender) &&
			(l.event == "" || l.event == e.Topic.Event || e.Topic.Event == Gap) && r.mayHear(in, e) {
			if kept < i {
				r.batch[kept] = *e
			}
			kept++
		}
	}
	return kept
}

// tell tells the listener of entries. If the client takes nothing for a while, it lets go of them, to read them again.
func (r *replay) tell(list []journal.Entry) error {
	told, err := r.put(list, replayStall)
	if !errors.Is(err, errStalled) {
		return err
	}
	at := list[told].Position // of entries that are not there, too
	r.reopen(journal.At(at))
	clear(r.batch)
	r.outbox.mu.Lock()
	defer r.outbox.mu.Unlock()
	return r.wait(0)
}

// reopen goes on somewhere else. The reader leaves no topics out, so that each of its calls is short, whatever the listener hears.
func (r *replay) reopen(s journal.Start) {
	if r.reader != nil {
		_ = r.reader.Close() // nothing was written
	}
	r.reader = r.keeping.Read(journal.Query{Start: s})
}

// find returns the position in front of the first event that is told.
func (r *replay) find(from past.From) (at journal.Position, err error) {
	if !from.Since.IsZero() {
		r.since, r.until = from.Since.UnixNano(), r.keeping.End().Sequence
	}
	r.reopen(from.Start)
	for passed := r.reader.Position(); ; passed = at {
		var found bool
		if at, found, err = r.next(); err != nil {
			return at, err
		}
		if found || at == passed { // else it has passed over a part of the journal, and more may follow
			break
		}
	}
	return r.keeping.before(at.Sequence), nil
}

// next reads one event, and returns its position; if none was found, the one that the reader has come to.
func (r *replay) next() (at journal.Position, found bool, err error) {
	if err := r.keeping.enter(r.ctx); err != nil {
		return at, false, err
	}
	defer r.keeping.leave()
	var first [1]journal.Entry
	n, err := r.reader.Next(r.keeping.caughtUp, first[:])
	switch {
	case n > 0:
		return first[0].Position, true, nil
	case errors.Is(err, errCaughtUp):
		return r.reader.Position(), false, nil
	default:
		return at, false, err
	}
}

// put puts entries in the client's stream as it takes them, and returns how many. It fails with errStalled if the client takes nothing
// for a time; 0: it does not.
func (r *replay) put(list []journal.Entry, stall time.Duration) (told int, err error) {
	o := r.outbox
	o.mu.Lock()
	for told < len(list) && err == nil {
		switch {
		case r.listener.removed.Load():
			err = carrier.ErrGone
		case o.lets():
			r.putOne(&list[told])
			told++
		default:
			o.fill() // it may be the turn of others
			o.submit()
			o.mu.Unlock()
			r.flush()
			o.mu.Lock()
			err = r.wait(stall)
		}
	}
	o.fill()
	o.submit()
	write := o.feed.pending >= carrier.PendingLimit/4
	o.mu.Unlock()
	if write {
		r.flush()
	}
	return told, err
}

func (r *replay) flush() {
	if sink := r.outbox.feed.sink; sink != nil {
		sink.Flush(true)
	}
}

// putOne puts one entry in the client's stream, or has it transmitted as a message. The lock of the outbox is held, which lets it.
func (r *replay) putOne(e *journal.Entry) {
	switch {
	case e.Lost > 0 || e.Back > 0:
		ev := r.gap(e)
		r.pass(&ev, journal.Position{Epoch: e.Epoch, Sequence: ev.Position.Sequence})
	case r.skips(e) || !r.mayHear(r.outbox.standing.In, e):
	case r.outbox.feed.sink == nil:
		ev := eventOf(e)
		ev.Data, ev.Last = r.data(e).Clone().Shared(), r.lasts
		r.pass(&ev, e.Position)
	default:
		r.signal(e)
	}
}

// skips reports whether the listener does not hear an event: it is the gap of another event, or from before the time at which the
// listener begins, or will be heard at once.
func (r *replay) skips(e *journal.Entry) bool {
	l := r.listener
	if e.Sequence < r.until && e.Time < r.since && !r.lasts {
		return true
	}
	if e.Topic.Event == Gap && l.event != "" && l.event != Gap {
		var loss Loss
		if valueOf(e).Decode(&loss) != nil || loss.Event != l.event {
			return true
		}
	}
	f, ok := r.first[e.Sender]
	return ok && (e.Connection > f.Connection || e.Connection == f.Connection && e.Seq >= f.Seq)
}

// mayHear reports whether the listener may hear an event of the past by a policy.
func (r *replay) mayHear(in *rights.InForce, e *journal.Entry) bool {
	return mayHear(&r.sight, in, r.listener.client.identity, e)
}

// mayHear reports whether an identity may hear an event of the past, and the event that was lost if it is a gap.
func mayHear(sight *rights.Sight, in *rights.InForce, identity string, e *journal.Entry) bool {
	if in == nil {
		return true
	}
	if !sight.Hears(in, identity, e.Sender, e.Topic.Event) {
		return false
	}
	if e.Topic.Event != Gap {
		return true
	}
	return mayHearOf(sight, in, identity, e.Sender, valueOf(e))
}

// mayHearOf reports whether an identity may hear of a loss, whose data this is.
func mayHearOf(sight *rights.Sight, in *rights.InForce, identity, sender string, data carrier.Value) bool {
	var loss Loss
	return in == nil || data.Decode(&loss) == nil && (loss.Event == "" || sight.Hears(in, identity, sender, loss.Event))
}

// valueOf returns the data of an event of the journal.
func valueOf(e *journal.Entry) carrier.Value {
	if e.JSON {
		return carrier.RawValue(carrier.JSON, e.Data)
	}
	return carrier.RawValue(carrier.CBOR, e.Data)
}

// data returns the data of an event as the client may know it. The lock of the outbox is held.
func (r *replay) data(e *journal.Entry) carrier.Value {
	if r.outbox.standing.Confined {
		return publicOf(e.Topic.Event, valueOf(e))
	}
	return valueOf(e)
}

// EventOf returns what an entry of a journal tells: an event, whose data is the entry's own; or a [Gap] without a sender, of events
// that are not there. They happened after the one in front of the entry, whose time is before, and before now.
func EventOf(e *journal.Entry, before, now time.Time) Event {
	if e.Lost > 0 || e.Back > 0 {
		return gapOf("", e, before, now)
	}
	return eventOf(e)
}

// eventOf returns an event of the journal, whose data is not the event's own.
func eventOf(e *journal.Entry) Event {
	ev := Event{
		Sender: e.Sender, Name: e.Topic.Event, Uncertainty: time.Duration(e.Uncertainty), Seq: e.Seq,
		Connection: e.Connection, Position: Position(e.Position), Data: valueOf(e),
	}
	if e.Time != 0 {
		ev.Time = time.Unix(0, e.Time)
	}
	return ev
}

// signal puts an event in the client's stream, without an Event between.
func (r *replay) signal(e *journal.Entry) {
	o := r.outbox
	s := carrier.Signal{
		Time: max(e.Time, 0), Uncertainty: e.Uncertainty, Seq: e.Seq, Sequence: e.Sequence, Last: r.lasts, Data: r.data(e),
	}
	err := r.packed.Pack(o.feed.codec, &s)
	if err == nil {
		o.feed.pending, err = o.feed.sink.Put(r.listener.out.of(r.listener, e.Sender, e.Topic.Event, e.Connection, e.Epoch), &r.packed)
	}
	if err != nil {
		ev := eventOf(e)
		o.unsent(r.listener, &ev, err)
		return
	}
	r.before = time.Unix(0, e.Time)
	r.passed(e.Position)
}

// pass passes an event on that is not simply one of the journal.
func (r *replay) pass(ev *Event, at journal.Position) {
	o := r.outbox
	if o.feed.sink == nil {
		o.hand(entry{listener: r.listener, event: *ev, number: r.passed(at)})
		return
	}
	var s carrier.Signal
	signalOf(ev, &s)
	err := r.packed.Pack(o.feed.codec, &s)
	if err == nil {
		o.feed.pending, err = o.feed.sink.Put(r.listener.out.of(r.listener, ev.Sender, ev.Name, ev.Connection, ev.Position.Epoch), &r.packed)
	}
	if err != nil {
		o.unsent(r.listener, ev, err)
		return
	}
	r.passed(at)
}

// passed notes that an event was sent, and returns its number in the flight.
func (r *replay) passed(at journal.Position) uint64 {
	o := r.outbox
	if o.waits() {
		if o.replays.turn++; o.replays.turn == 0 {
			o.replays.turn = 3 * replayShare
		}
	}
	o.flow.Sent()
	if !r.lasts {
		r.sent = at
	}
	return o.replays.flight.Put(r, at) + 1
}

// gap makes an event of entries that are not there: they happened after the last one that was told, and before now.
func (r *replay) gap(e *journal.Entry) Event {
	now := r.listener.router.now()
	if r.before.IsZero() {
		return gapOf(r.listener.sender, e, now, now)
	}
	return gapOf(r.listener.sender, e, r.before, now)
}

func gapOf(sender string, e *journal.Entry, first, last time.Time) Event {
	loss := Loss{Count: e.Lost, First: first.UTC(), Last: last.UTC(), Cause: causeJournal}
	at := Position(e.Position)
	if e.Lost > 0 {
		from := at
		at.Sequence += e.Lost - 1
		to := at
		loss.From, loss.To = &from, &to
	} else { // what follows is new, although its positions may not be
		at.Sequence--
	}
	return Event{Sender: sender, Name: Gap, Time: last, Position: at, Data: carrier.ValueOf(loss).Shared()}
}
