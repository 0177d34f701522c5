package hub

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"sync/atomic"
	"time"

	"sighub/carrier"
	"sighub/hub/internal/past"
	"sighub/journal"
)

// lets reports whether a replay may send one more event. The lock is held.
func (o *outbox) lets() bool { return o.open() && (o.replays.turn < 0 || !o.waits()) }

// waits reports whether something waits that is not a replay's, and may be sent. The lock is held.
func (o *outbox) waits() bool { return o.paused == 0 && (o.queue.len() > 0 || o.gaps.len() > 0) }

// yields reports whether what is not a replay's leaves the room to those that wait for it. The lock is held.
func (o *outbox) yields() bool { return o.replays.waiting > 0 && o.replays.turn <= 0 }

// sentLive notes that an event was sent that is not a replay's. The lock is held.
func (o *outbox) sentLive() {
	o.flow.Sent()
	rs := &o.replays
	if rs.tracks && o.feed.sink != nil {
		rs.flight.Live(1)
	}
	if rs.waiting > 0 {
		if rs.turn--; rs.turn == 0 {
			rs.turn = -replayShare
		}
	}
}

// wait waits until the outbox lets a replay send, or for a time; 0: for ever. The lock is held before and after, so that nothing else
// takes the room.
func (r *replay) wait(most time.Duration) (err error) {
	o, rs := r.outbox, &r.outbox.replays
	var timeout <-chan time.Time
	if most > 0 {
		timer := time.NewTimer(most)
		defer timer.Stop()
		timeout = timer.C
	}
	rs.waiting++
	defer func() {
		if rs.waiting--; err != nil {
			o.fill() // it leaves the room to others
		}
	}()
	if rs.turn == 0 {
		rs.turn = 3 * replayShare
	}
	for !o.lets() {
		room := rs.room.wait()
		o.mu.Unlock()
		select {
		case <-room:
		case <-r.ctx.Done():
			err = context.Cause(r.ctx)
		case <-timeout:
			err = errStalled
		}
		o.mu.Lock()
		if err != nil {
			return err
		}
	}
	return nil
}

// track has the client's answers followed from now on.
func (o *outbox) track() {
	o.mu.Lock()
	defer o.mu.Unlock()
	if rs := &o.replays; !rs.tracks {
		rs.tracks = true
		if o.feed.sink != nil {
			rs.flight.Live(o.flow.InFlight())
		}
	}
}

// landed notes that the client has answered an event of a replay. The lock is held.
func (o *outbox) landed(r *replay, at journal.Position) {
	if r.cursor == nil || r.manual || r.refused || at.Sequence == 0 && at.Epoch == 0 {
		return
	}
	r.at = at
	if r.moves++; r.moves == 1 {
		o.replays.moved = append(o.replays.moved, r)
	}
}

// A move is how far a cursor has come.
type move struct {
	*replay
	to     journal.Position
	events int
}

// moves returns what is to be done with cursors without the lock, which is held.
func (o *outbox) moves() (list []move) {
	for _, r := range o.replays.moved {
		list = append(list, move{r, r.at, r.moves})
		r.moves = 0
	}
	clear(o.replays.moved)
	o.replays.moved = o.replays.moved[:0]
	return list
}

func moveCursors(list []move) {
	for _, m := range list {
		m.cursor.Move(m.to, m.events)
	}
}

// A reached is up to which position a client has heard everything that its listeners hear at once.
type reached struct {
	position Position // zero: it is not known
	next     Position // where it will have come
	left     int      // when so many more events are answered; 0: that is not asked
}

// ask returns the position, and has a later one known soon. The lock is held.
func (o *outbox) ask(end Position) Position {
	rs := &o.replays
	switch waiting := o.flow.InFlight() + o.queue.len() + o.gaps.len(); {
	case len(rs.joining) > 0:
	case waiting == 0 && !o.feed.inHand():
		rs.reached = reached{position: end}
	case rs.reached.left == 0:
		rs.reached.next, rs.reached.left = end, waiting
	}
	return rs.reached.position
}

// answered notes that n events were answered. The lock is held.
func (h *reached) answered(n int) {
	if h.left == 0 {
		return
	}
	if h.left = max(h.left-n, 0); h.left == 0 {
		h.position = h.next
	}
}

// heardAll returns the position of the last event that is committed.
func (k *keeping) heardAll() Position {
	p := k.End()
	return Position{p.Epoch, p.Sequence - 1}
}

// hold holds the client's events back while one of its listeners begins to hear events at once.
func (r *replay) hold() {
	o := r.outbox
	o.pause(r.listener)
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.replays.joining == nil {
		o.replays.joining = make(map[*Listener]*replay)
	}
	o.replays.joining[r.listener] = r
	r.first = make(map[string]journal.Event)
}

// release ends hold.
func (r *replay) release() {
	o := r.outbox
	o.mu.Lock()
	delete(o.replays.joining, r.listener)
	r.first = nil
	o.mu.Unlock()
	o.resume()
}

// joins notes an event that a listener hears at once, while it joins. The lock is held.
func (o *outbox) joins(l *Listener, ev *Event) {
	r := o.replays.joining[l]
	if r == nil {
		return
	}
	if _, known := r.first[ev.Sender]; !known {
		r.first[ev.Sender] = journal.Event{Connection: ev.Connection, Seq: ev.Seq}
	}
}

// join has the listener hear events at once, without a hole and without hearing one twice. Those that happen from now on wait in
// the outbox. When everything that happened before is committed, it is told from the journal, up to what waits.
func (r *replay) join() {
	l := r.listener
	if r.first == nil {
		r.hold()
	}
	defer r.release()
	if !r.listens {
		if err := l.router.listen(l, true); err != nil {
			r.gaveUp(err)
			return
		}
	}
	if r.keeping.settled(r.ctx) != nil {
		return
	}
	if r.last {
		_ = r.tellLasts(maxSequence)
		return
	}
	for end := r.keeping.End().Sequence; r.reader.Position().Sequence < end; {
		n, err := r.read()
		if err != nil || r.tell(r.batch[:n]) != nil {
			return
		}
	}
	r.flush()
}

const maxSequence = 1<<64 - 1

// settled waits until everything is committed that was delivered before.
func (k *keeping) settled(ctx context.Context) error {
	if err := k.groups.Wait(ctx); err != nil {
		return err
	}
	for at := time.Now(); ; {
		ended := k.commits.Wait()
		oldest := k.Oldest()
		if oldest.IsZero() || oldest.After(at) {
			return nil
		}
		select {
		case <-ended:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// tellLasts tells the last event of each sender and event, if its sequence is below the given one.
func (r *replay) tellLasts(below uint64) error {
	l := r.listener
	in := l.router.policy.Load()
	r.lasts = true
	defer func() { r.lasts = false }()
	for after, more := (journal.Topic{}), true; more; {
		if err := r.keeping.enter(r.ctx); err != nil {
			return err
		}
		var some []journal.Entry
		some, more = r.keeping.LastAfter(after, func(t journal.Topic) bool {
			return (l.sender == "" || l.sender == t.Sender) && (l.event == "" || l.event == t.Event) &&
				r.sight.Hears(in, l.client.identity, t.Sender, t.Event)
		}, lastsAtATime, lastsAtATime)
		r.keeping.leave()
		if more {
			after = some[len(some)-1].Topic
		}
		told := some[:0]
		for i := range some {
			if e := &some[i]; e.Sequence < below && len(e.Data) > 0 {
				told = append(told, *e)
			}
		}
		if _, err := r.put(told, 0); err != nil {
			return err
		}
	}
	r.flush()
	return nil
}

// A feeding is what the replays of a router have in common.
type feeding struct {
	turns    chan struct{}   // to read: see enter
	caughtUp context.Context // done, with errCaughtUp: a Reader that is given it does not wait
	replays  atomic.Int64    // how many there are
	cursors  *past.Cursors
	commits  past.Signal  // of commits that have ended
	groups   past.Barrier // of groups with events, from the first one that is added until they are given to a commit
}

func newFeeding(j *journal.Journal) *feeding {
	f := &feeding{turns: make(chan struct{}, max(1, runtime.GOMAXPROCS(0)/2)), cursors: past.NewCursors(j, maxCursors)}
	ctx, cancel := context.WithCancelCause(context.Background())
	cancel(errCaughtUp)
	f.caughtUp = ctx
	return f
}

// enter waits for a turn to read. Few replays read at a time, so that many leave time for everybody else.
func (f *feeding) enter(ctx context.Context) error {
	select {
	case f.turns <- struct{}{}:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

func (f *feeding) leave() { <-f.turns }

// groupEnded notes that what was added is given to a commit, or is dropped.
func (f *fanout) groupEnded() {
	if f.groups != nil {
		f.groups.End(f.generation)
		f.groups = nil
	}
}

// keepCursors gives what is known of cursors to the journal. k may be nil.
func (k *keeping) keepCursors() {
	if k != nil {
		k.cursors.Keep()
	}
}

// A cursorOwner is a client that has a cursor.
type cursorOwner struct{ *client }

// Gone implements past.Owner.
func (o cursorOwner) Gone() bool { return o.ctx.Err() != nil }

// Left implements past.Owner. What the client said before it went is handled by then.
func (o cursorOwner) Left() bool { return o.left.Load() }

// String implements past.Owner.
func (o cursorOwner) String() string { return o.info.String() }

// replayFor returns the replay that a listener asks for, which has not begun; nil if it asks for none.
func (c *client) replayFor(a *arguments, l *Listener) (*replay, error) {
	cursor, manual, last := a.optionalText("cursor"), a.flag("manual"), a.flag("last")
	fromValue, resume := a.value("from"), a.position("resume")
	fed := cursor != "" || !fromValue.IsNull()
	if a.err != nil || !fed && !last && resume.IsZero() {
		return nil, a.err
	}
	k := c.server.journal
	switch {
	case k == nil && !fed && !last:
		return nil, nil // the hub has nothing of what was missed
	case k == nil:
		return nil, ErrNoJournal
	case !c.hello:
		return nil, fmt.Errorf("%w: cursor, from and last are for clients that have said hello", ErrArguments)
	case manual && cursor == "":
		return nil, fmt.Errorf("%w: manual is for a listener with a cursor", ErrArguments)
	}
	from, err := past.ReadFrom(fromValue, c.server.now())
	if err != nil {
		return nil, fmt.Errorf("%w: from: %w", ErrArguments, err)
	}
	if cursor != "" {
		if err := checkName("cursor", cursor); err != nil {
			return nil, err
		}
	}
	if err := c.beginReplay(); err != nil {
		return nil, err
	}
	r := &replay{listener: l, outbox: &c.outbox, keeping: k, last: last, live: !fed, manual: manual}
	r.ctx, r.cancel = context.WithCancel(c.ctx)
	switch {
	case !resume.IsZero() && r.live:
		r.at = journal.Position(resume)
		r.reopen(journal.After(r.at))
	case fed:
		if err := r.begin(from, cursor); err != nil {
			r.ended()
			return nil, err
		}
	}
	c.outbox.track()
	return r, nil
}

// beginReplay counts a replay and charges for it.
func (c *client) beginReplay() error {
	k := c.server.journal
	if err := c.account.Take(replayCost); err != nil {
		return err
	}
	if n := c.replays.Add(1); n > maxOfClient || k.replays.Add(1) > maxReplays {
		if n <= maxOfClient {
			k.replays.Add(-1)
		}
		c.replays.Add(-1)
		c.account.Give(replayCost)
		return fmt.Errorf("%w: %d listeners of a client, and %d of all, may hear events from the journal", carrier.ErrLimit,
			maxOfClient, maxReplays)
	}
	c.account.Share()
	return nil
}

// begin finds where the replay begins.
func (r *replay) begin(from past.From, cursor string) error {
	at := from.After
	if at == (journal.Position{}) {
		var err error
		if at, err = r.find(from); err != nil {
			return err
		}
	}
	if cursor != "" {
		c, before, known, err := r.takeCursor(cursor, at)
		if err != nil {
			return err
		}
		r.cursor = c
		switch {
		case known && from.After == (journal.Position{}):
			at, r.until = before, 0
		case known:
			c.Move(at, 1)
		}
	}
	r.reopen(journal.After(at))
	r.at, r.sent = at, at
	return nil
}

// takeCursor takes a cursor, if need be when its former owner has gone.
func (r *replay) takeCursor(name string, at journal.Position) (c *past.Cursor, before journal.Position, known bool, err error) {
	client, cursors := r.listener.client, r.keeping.cursors
	for {
		c, before, known, err = cursors.Take(name, cursorOwner{client}, at)
		if !errors.Is(err, past.ErrTaken) {
			return c, before, known, err
		}
		if o, ok := cursors.Owner(name).(cursorOwner); ok && !client.outlives(o.client) {
			if !client.isAdmin() { // the text says whose it is
				err = fmt.Errorf("%w: %s", past.ErrTaken, name)
			}
			return c, before, known, err
		}
	}
}

// before returns the position in front of a sequence.
func (k *keeping) before(sequence uint64) journal.Position {
	return journal.Position{Epoch: k.EpochOf(sequence - 1), Sequence: sequence - 1}
}

// stop ends the replay of a listener that was removed.
func (r *replay) stop() {
	r.cancel()
	if r.cursor != nil {
		r.cursor.Release()
	}
}
