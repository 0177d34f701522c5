package hub

import (
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"sync"
	"time"

	"sighub/carrier"
	"sighub/hub/internal/past"
	"sighub/hub/internal/rights"
	"sighub/hub/verb"
	"sighub/journal"
)

// Bounds of an answer to history. There is more after it, if it has a next.
const (
	historyEvents  = 1000
	historyBuckets = 2000
	historyTime    = 10 * time.Millisecond // of reading
)

// history answers with events of the past or, if it is given a width, with what sums them up.
func (c *client) history(a *arguments, _ func(carrier.Reply)) (any, error) {
	k := c.server.journal
	sender, event := a.text("sender"), a.optionalText("event")
	limit := a.optionalNumber("limit")
	every := a.value("every")
	if a.err != nil {
		return nil, a.err
	}
	if err := c.permit(verb.Listen, sender, event); err != nil {
		return nil, err
	}
	if k == nil {
		return nil, ErrNoJournal
	}
	now := c.server.now()
	from, err := past.ReadFrom(a.value("from"), now)
	if a.value("from").IsNull() {
		from = past.From{Start: journal.FromOldest()}
	}
	if err != nil {
		return nil, fmt.Errorf("%w: from: %w", ErrArguments, err)
	}
	until, err := past.ReadFrom(a.value("to"), now)
	switch {
	case err != nil || until.Since.IsZero() && until.Start != journal.FromEnd():
		return nil, fmt.Errorf("%w: to: it must be a time (RFC 3339), an age such as \"2h\", or \"now\"", ErrArguments)
	case every.IsNull():
	case from.Start == journal.FromEnd():
		from.Since = now
	case from.Since.IsZero() && from.Start != journal.FromOldest() || !a.value("after").IsNull():
		return nil, fmt.Errorf("%w: every is for a span of time: from must be a time, an age, \"start\" or \"now\", and after must be missing", ErrArguments)
	}
	if err := k.enter(c.ctx); err != nil {
		return nil, err
	}
	defer k.leave()
	if !every.IsNull() {
		return k.buckets(c.ctx, sender, event, from.Since, until.Since, every, int(min(limit, historyBuckets)))
	}
	h := historyPage{journal: k.Journal, sender: sender, event: event, from: from, to: until.Since, events: historyEvents, now: now, before: now,
		policy: c.server.policy.Load(), identity: c.identity, confined: !c.isAdmin()}
	if limit > 0 {
		h.events = int(min(limit, historyEvents))
	}
	if after := a.position("after"); !after.IsZero() {
		h.from.Start = journal.After(journal.Position(after))
	}
	if a.err != nil {
		return nil, a.err
	}
	return h.read(c.ctx)
}

// A historyPage is an answer to history with some events.
type historyPage struct {
	journal       *journal.Journal
	sender, event string
	from          past.From
	to            time.Time
	events        int // at most
	now           time.Time

	policy   *rights.InForce
	identity string
	confined bool // it may not know where clients are
	sight    rights.Sight

	before time.Time // of the event in front
	list   past.List[*signalParams]
	size   int
}

// read reads events until there are enough of them, or time is over. It reads those of all senders, so that it can end at any. A part
// of the journal in which nothing is of the time that is asked for may take long as well: so the reader ends between two of its files.
func (h *historyPage) read(ctx context.Context) (any, error) {
	short, stop := context.WithTimeout(ctx, historyTime)
	defer stop()
	reader := h.journal.Read(journal.Query{Start: h.from.Start, Until: h.to, Bounded: true})
	defer reader.Close() //nolint:errcheck // nothing was written
	var batch [batchSize]journal.Entry
	for {
		n, err := reader.Next(short, batch[:])
		switch {
		case errors.Is(err, io.EOF):
			return historyAnswer{h.list, nil}, nil
		case err != nil && (short.Err() == nil || ctx.Err() != nil):
			return nil, err
		}
		for i := range batch[:n] {
			if !h.add(&batch[i]) {
				before := Position(batch[i].Position)
				before.Sequence--
				return historyAnswer{h.list, &before}, nil
			}
		}
		if short.Err() != nil {
			next := Position(reader.Position())
			next.Sequence--
			return historyAnswer{h.list, &next}, nil
		}
	}
}

// add adds an entry, unless the page is full.
func (h *historyPage) add(e *journal.Entry) bool {
	var ev Event
	switch {
	case e.Back > 0:
		return true
	case e.Lost > 0:
		ev = gapOf(h.sender, e, h.before, h.now)
	case e.Sender != h.sender || h.event != "" && e.Topic.Event != h.event || !h.from.Since.IsZero() && e.Time < h.from.Since.UnixNano() ||
		!mayHear(&h.sight, h.policy, h.identity, e):
		return true
	default:
		ev = eventOf(e)
		if h.confined {
			ev.Data = publicOf(ev.Name, ev.Data)
		}
		ev.Data = ev.Data.Clone()
		h.before = ev.Time
	}
	if h.size += entryCost + ev.Data.Size(); len(h.list) >= h.events || len(h.list) > 0 && h.size > pageBytes {
		return false
	}
	h.list = append(h.list, &signalParams{info: infoOf(&ev), data: ev.Data})
	return true
}

// A historyAnswer is an answer to history. There is more behind next, unless that is nil.
type historyAnswer struct {
	events past.List[*signalParams]
	next   *Position
}

// AppendTo implements carrier.Appender.
func (h historyAnswer) AppendTo(dst []byte, c carrier.Codec) ([]byte, error) {
	w := carrier.NewMapWriter(dst, past.WithTexts(c), 2)
	w.Any("events", h.events)
	w.Any("next", h.next)
	return w.End()
}

// buckets answers history with sums.
func (k *keeping) buckets(ctx context.Context, sender, event string, from, to time.Time, every carrier.Value, limit int) (any, error) {
	step, err := past.ReadStep(every)
	switch {
	case err != nil:
		return nil, fmt.Errorf("%w: %w", ErrArguments, err)
	case event == "":
		return nil, fmt.Errorf("%w: every is for one event: event is missing", ErrArguments)
	}
	if to.IsZero() {
		to = time.Now().Add(defaultFuture)
	}
	if limit <= 0 {
		limit = historyBuckets
	}
	list, next, err := past.Sums(ctx, k.Journal, journal.Topic{Sender: sender, Event: event}, from, to, step, limit)
	if err != nil {
		return nil, err
	}
	return past.NewBuckets(list, next), nil
}

// listCursors lists all cursors by name.
func (c *client) listCursors(*arguments, func(carrier.Reply)) (any, error) {
	k := c.server.journal
	if k == nil {
		return nil, ErrNoJournal
	}
	end := k.heardAll()
	list := []Cursor{}
	for _, s := range k.cursors.List() {
		cursor := Cursor{Name: s.Name, Position: Position(s.At), Behind: end.Sequence - min(s.At.Sequence, end.Sequence)}
		if o, ok := s.Owner.(cursorOwner); ok {
			cursor.Client = &o.info
		}
		list = append(list, cursor)
	}
	return list, nil
}

func (c *client) removeCursor(a *arguments, _ func(carrier.Reply)) (any, error) {
	name := a.text("cursor")
	switch {
	case a.err != nil:
		return nil, a.err
	case c.server.journal == nil:
		return nil, ErrNoJournal
	}
	return nil, c.server.journal.cursors.Remove(name)
}

// acknowledge moves a cursor of the client's.
func (c *client) acknowledge(a *arguments, _ func(carrier.Reply)) (any, error) {
	name, to := a.text("cursor"), journal.Position(a.position("position"))
	if a.err != nil {
		return nil, a.err
	}
	if to == (journal.Position{}) {
		return nil, fmt.Errorf("%w: position is missing", ErrArguments)
	}
	r := c.replayOf(name)
	switch {
	case r == nil:
		return nil, fmt.Errorf("%w: no listener of this client has the cursor %s", ErrNoCursor, name)
	case !r.manual:
		return nil, fmt.Errorf("%w: the cursor %s moves by itself: register its listener with manual", ErrArguments, name)
	}
	o := &c.outbox
	o.mu.Lock()
	sent, forward := Position(r.sent), Position(r.at).Before(Position(to))
	ahead := sent.Before(Position(to))
	if forward && !ahead {
		r.at = to
	}
	o.mu.Unlock()
	switch {
	case ahead:
		return nil, fmt.Errorf("%w: position %v is ahead of the last event that was sent, %v", ErrArguments, to, sent)
	case forward:
		r.cursor.Move(to, 1)
	}
	return nil, nil
}

// replayOf returns the replay of a listener of the client's with that cursor, or nil if no listener has it.
func (c *client) replayOf(cursor string) *replay {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, l := range c.listeners {
		if r := l.replay; r != nil && r.cursor != nil && r.cursor.Name() == cursor {
			return r
		}
	}
	return nil
}

// position answers with the position up to which everything has been heard by the client's listeners that hear events at once. If
// they have not heard yet what is on disk by now, it is an earlier one, and a later one soon.
func (c *client) position(*arguments, func(carrier.Reply)) (any, error) {
	k := c.server.journal
	if k == nil {
		return nil, ErrNoJournal
	}
	end := k.heardAll() // before the outbox is looked at
	c.outbox.mu.Lock()
	at := c.outbox.ask(end)
	c.outbox.mu.Unlock()
	answer := carrier.Object{{Key: "position", Value: nil}, {Key: "end", Value: end}}
	if !at.IsZero() {
		answer[0].Value = at
	}
	return answer, nil
}

// A Cursor remembers how far a listener has come.
type Cursor struct {
	Name     string      `json:"cursor"`
	Position Position    `json:"position"`         // of the last event that was acknowledged
	Behind   uint64      `json:"behind"`           // events after that, of all senders
	Client   *ClientInfo `json:"client,omitempty"` // whose listener has it; nil: none has
}

// Cursors lists the cursors of the hub by name.
func (r *ClientRouter) Cursors(ctx context.Context) (list []Cursor, err error) {
	v, err := r.Call(ctx, methodListCursors, nil)
	if err == nil {
		err = v.Decode(&list)
	}
	return list, err
}

// RemoveCursor removes a cursor that no listener has: see [ListenerOptions].
func (r *ClientRouter) RemoveCursor(ctx context.Context, name string) error {
	_, err := r.Call(ctx, methodRemoveCursor, carrier.Object{{Key: "cursor", Value: name}})
	return err
}

// Acknowledge moves the cursor of a listener with ListenerOptions.Manual to the position of an event that it has heard.
func (r *ClientRouter) Acknowledge(ctx context.Context, cursor string, at Position) error {
	_, err := r.Call(ctx, methodAcknowledge, carrier.Object{{Key: "cursor", Value: cursor}, {Key: "position", Value: at}})
	return err
}

// An OwnCursor is a cursor of the program that runs the hub, which reads the journal itself: for events that go elsewhere and are
// acknowledged there, later than they are read. Its methods may be called from any goroutine.
type OwnCursor struct{ *past.Cursor }

// TakeCursor gives a cursor to a part of the program, which a client's listener then cannot have. A cursor that is new is where start
// is. owner says who has it, for people to read. Release gives it back.
func (s *ServerRouter) TakeCursor(name, owner string, start journal.Start) (*OwnCursor, error) {
	k := s.journal
	if k == nil {
		return nil, ErrNoJournal
	}
	if err := checkName("cursor", name); err != nil {
		return nil, err
	}
	r := k.Read(journal.Query{Start: start})
	at := k.before(r.Position().Sequence)
	if err := r.Close(); err != nil {
		return nil, err
	}
	c, _, _, err := k.cursors.Take(name, ownOwner(owner), at)
	if err != nil {
		return nil, err
	}
	return &OwnCursor{c}, nil
}

// At returns the position of the last event that was acknowledged.
func (c *OwnCursor) At() Position { return Position(c.Cursor.At()) }

// Move acknowledges the events up to a position, of which there are so many. It is on disk a little later: what was moved over last may
// be read again after a loss of power.
func (c *OwnCursor) Move(to Position, events int) { c.Cursor.Move(journal.Position(to), events) }

// MoveWith is Move with a note, which is on disk before the position is. [OwnCursor.Note] returns it when the program has started again.
func (c *OwnCursor) MoveWith(to Position, events int, note []byte) {
	c.Cursor.MoveWith(journal.Position(to), events, note)
}

// An ownOwner is a part of the program that has a cursor.
type ownOwner string

// Gone implements past.Owner.
func (ownOwner) Gone() bool { return false }

// Left implements past.Owner.
func (ownOwner) Left() bool { return false }

// String implements past.Owner.
func (o ownOwner) String() string { return string(o) }

// A HistoryQuery says what of the past is asked for. Times are RFC 3339 texts or ages such as "2h" or "7d".
type HistoryQuery struct {
	Sender string
	Event  string        // empty: any; Buckets needs one
	From   string        // empty: the oldest that the hub has
	To     string        // events before this time; empty: up to the latest
	After  Position      // events behind this position; zero: all. Not for Buckets
	Every  time.Duration // of Buckets: the width of a bucket, in whole minutes
}

func (q *HistoryQuery) params() carrier.Object {
	params := carrier.Object{{Key: "sender", Value: q.Sender}}
	for key, text := range map[string]string{"event": q.Event, "from": q.From, "to": q.To} {
		if text != "" {
			params = append(params, carrier.Field{Key: key, Value: text})
		}
	}
	return params
}

// History yields the events of the past, oldest first, page by page as they are asked for. Events that the journal has lost are told
// by a [Gap]. After an error there is nothing more.
func (r *ClientRouter) History(ctx context.Context, q HistoryQuery) iter.Seq2[Event, error] {
	return func(yield func(Event, error) bool) {
		for after, more := q.After, true; more; {
			params := q.params()
			if !after.IsZero() {
				params = append(params, carrier.Field{Key: "after", Value: after})
			}
			list, next, err := r.historyPage(ctx, params)
			if err != nil {
				yield(Event{}, err)
				return
			}
			for _, ev := range list {
				if !yield(ev, nil) {
					return
				}
			}
			more, after = !next.IsZero(), next
		}
	}
}

func (r *ClientRouter) historyPage(ctx context.Context, params carrier.Object) (list []Event, next Position, err error) {
	v, err := r.Call(ctx, methodHistory, params)
	if err != nil {
		return nil, next, err
	}
	a := parseArguments(v)
	next = a.position("next")
	var items []carrier.Value
	if err := errors.Join(a.err, a.value("events").Decode(&items)); err != nil {
		return nil, next, fmt.Errorf("hub: the history is not understood: %w", err)
	}
	for _, item := range items {
		i := parseArguments(item)
		in := i.info(true)
		if err := errors.Join(i.err, in.err); err != nil {
			return nil, next, fmt.Errorf("hub: the history is not understood: %w", err)
		}
		list = append(list, Event{
			Sender: in.sender, Name: in.event, Time: in.time, Uncertainty: in.uncertainty, Seq: in.seq,
			Connection: in.connection, Position: in.position, Data: i.value("data"),
		})
	}
	return list, next, nil
}

// A Bucket sums up the numbers of an event in a span of time.
type Bucket struct {
	Time                 time.Time // when it begins
	Min, Max, Mean, Last float64
	Count                uint64
}

// Buckets yields what sums up an event of the past in spans of time, oldest first. Spans without a number are left out. After an error
// there is nothing more.
func (r *ClientRouter) Buckets(ctx context.Context, q HistoryQuery) iter.Seq2[Bucket, error] {
	return func(yield func(Bucket, error) bool) {
		var asking sync.WaitGroup
		defer asking.Wait()
		ctx, cancel := context.WithCancel(ctx)
		defer cancel()
		var page past.Page
		var failed error
		ask := func() {
			params := append(q.params(), carrier.Field{Key: "every", Value: q.Every.Milliseconds()})
			asking.Go(func() { page, failed = r.bucketsPage(ctx, params) })
		}
		ask()
		for more := true; more; {
			asking.Wait()
			this, err := page, failed
			if more = err == nil && !this.Next.IsZero(); more {
				q.From = this.Next.UTC().Format(time.RFC3339Nano)
				ask() // the hub finds the next page while this one is read
			}
			var list []past.Bucket
			if err == nil {
				list, err = this.Buckets()
			}
			for _, b := range list {
				if !yield(Bucket(b), nil) {
					return
				}
			}
			if err != nil {
				yield(Bucket{}, err)
				return
			}
		}
	}
}

func (r *ClientRouter) bucketsPage(ctx context.Context, params carrier.Object) (past.Page, error) {
	v, err := r.Call(ctx, methodHistory, params)
	if err != nil {
		return past.Page{}, err
	}
	return past.ReadPage(v)
}
