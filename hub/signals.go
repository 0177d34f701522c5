package hub

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"sighub/carrier"
	"sighub/hub/internal/fair"
	"sighub/hub/internal/rights"
	"sighub/hub/internal/runner"
	"sighub/hub/verb"
	"sighub/internal/lockrank"
	"sighub/journal"
)

// signals are the events that a client reports. Those of a stream are handled on the goroutine that reads them, which is
// fastest, unless a message before them, a local callback or a slow listener is in the way. Then they wait for a goroutine
// of their own, and there may be as many of them as the client may leave unanswered.
type signals struct {
	fanout       *fanout // of the goroutine that handles signals; there is one at a time: see fan
	afterWaiting runner.Runner
	unanswered   bool // a signal of the stream was left unanswered, so no later one can be answered; as fanout

	produced []*producer    // whose numbers are to be kept with the frame; as fanout
	again    journal.Ticket // of numbers that are on their way to the disk already, and came again; as fanout
}

// fan returns the fanout. Most clients only listen, and never need it.
func (s *signals) fan() *fanout {
	if s.fanout == nil {
		s.fanout = new(fanout)
	}
	return s.fanout
}

// signal takes a message "signal", which is a stream of one.
func (c *client) signal(a *arguments, respond func(carrier.Reply)) (any, error) {
	in := a.info(false)
	if a.err != nil {
		return nil, a.err
	}
	if in.err == nil && !in.time.IsZero() {
		in.err = c.server.times.check(in.time, c.server.now())
	}
	if in.err != nil {
		in.time = time.Time{} // its arrival
	}
	var answers carrier.Answers = messageAnswer(respond)
	if a.mark != nil {
		answers = markedAnswer{messageAnswer(respond), *a.mark}
	}
	c.handleSignal(carrier.Signal{
		Route:       &carrier.Route{Sender: in.sender, Event: in.event},
		Uncertainty: int64(in.uncertainty), Seq: in.seq, Data: a.kept("data"), Err: in.err,
	}, in.time, answers)
	return deferred, nil
}

// handleSignals handles signals of the client's stream. Their data is the carrier's again when it returns.
func (c *client) handleSignals(list []carrier.Signal, answers carrier.Answers) {
	if !c.server.inHand.Begin(answers) {
		return // it comes again when the hub has started again
	}
	at := c.server.now() // the same for all that came together
	if c.server.callbacks.Load() == 0 && c.work.Idle() && c.signals.afterWaiting.Idle() && c.server.journal.roomFor() == nil {
		list = list[c.triggerStream(list, at, answers, whileReading):]
		c.parkWaiting(answers, len(list) == 0)
	}
	if len(list) > 0 {
		c.queueSignals(list, at, answers)
	}
}

// handleSignal handles the one signal of a message, on the goroutine that handles the client's messages: at once, unless a
// signal before it waits for slow listeners. at is the time that the message tells; the zero time is now.
func (c *client) handleSignal(s carrier.Signal, at time.Time, answers carrier.Answers) {
	if !c.server.inHand.Begin(answers) {
		return // likewise
	}
	list := []carrier.Signal{s}
	if at.IsZero() {
		at = c.server.now()
	}
	if !c.signals.afterWaiting.Idle() || c.server.journal.roomFor() != nil {
		c.signals.afterWaiting.Do(func() {
			c.server.journal.waitForRoom(c.ctx)
			c.trigger(list, at, answers, mayWait)
		})
		return
	}
	c.trigger(list, at, answers, inTurn)
	c.parkWaiting(answers, true)
}

// parkWaiting waits for slow listeners, if there are any, on a goroutine of its own. Signals that come meanwhile queue
// behind it. last says that the signal for which they are slow is the last one of its frame.
func (c *client) parkWaiting(answers carrier.Answers, last bool) {
	if c.signals.fan().mustWait() {
		c.signals.afterWaiting.Do(func() {
			c.waitForListeners(answers)
			if last {
				c.settle(answers)
				c.server.inHand.End(answers)
			}
		})
	}
}

// queueSignals handles copies of signals later, in order, after the messages that came before them.
func (c *client) queueSignals(arrived []carrier.Signal, at time.Time, answers carrier.Answers) {
	copies, ok := c.server.batches.Get().(*[]carrier.Signal)
	if !ok {
		copies = new([]carrier.Signal)
	}
	*copies = carrier.CloneSignals((*copies)[:0], arrived)
	list := *copies
	size := 0
	for i := range list {
		size += entryCost + list[i].Data.Size()
	}
	c.backlog.enter(c.ctx, size)
	c.work.Do(func() {
		c.signals.afterWaiting.Do(func() {
			c.server.journal.waitForRoom(c.ctx)
			c.triggerStream(list, at, answers, mayWait)
			clear(list)
			c.server.batches.Put(copies)
			c.backlog.leave(size)
		})
	})
}

// A backlog is what was read from a client and waits to be handled, in bytes. While it is more than half of its part of what there is left,
// the client is not read from: what it says next needs room as well, or would be refused, and so do its neighbours. A callback that waits
// for an answer of such a client is released when the request's time is over.
type backlog struct {
	account *carrier.Account

	mu     lockrank.Mutex[lockrank.Leaf]
	bytes  int
	beyond int // of these, what the account has no room for: one thing may always be handled
	room   waiters
}

// enter waits until there is room for so many bytes, unless ctx is done.
func (b *backlog) enter(ctx context.Context, size int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for {
		first := b.bytes == 0
		taken := (first || b.account.Part()/2 >= int64(b.bytes+size)) && b.account.Take(size) == nil
		if taken || first || ctx.Err() != nil {
			b.bytes += size
			if !taken {
				b.beyond += size
			}
			return
		}
		room := b.room.wait()
		b.mu.Unlock()
		select {
		case <-room:
		case <-ctx.Done():
		}
		b.mu.Lock()
	}
}

// leave notes that so many bytes have been handled.
func (b *backlog) leave(size int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.bytes -= size
	excess := min(b.beyond, size)
	b.beyond -= excess
	b.account.Give(size - excess)
	b.room.wake()
}

// A manner says on which goroutine signals are triggered, and so what may hold it up.
type manner int

const (
	// whileReading is on the goroutine that reads the signals, whose data is borrowed. Nothing may hold it up.
	whileReading manner = iota
	// inTurn is on the goroutine that handles the client's messages. A callback may hold it up, a slow listener may not.
	inTurn
	// mayWait is on a goroutine of their own, which waits for slow listeners.
	mayWait
)

// triggerStream triggers events of the client's stream. Because answers go by their order, no signal can be answered after
// one that is left unanswered.
func (c *client) triggerStream(list []carrier.Signal, at time.Time, answers carrier.Answers, how manner) (handled int) {
	if c.signals.unanswered {
		c.server.inHand.End(answers)
		return len(list)
	}
	handled, c.signals.unanswered = c.trigger(list, at, answers, how)
	return handled
}

// trigger triggers events and answers them, when the journal has what it keeps of them. An event for which a listener has no
// room is answered when it has: that slows down this client and nobody else. at is when they arrived, which is the time of
// signals that do not tell theirs.
//
// trigger returns how many signals it has handled. These are all of them, unless it may not wait; then the last one
// handled is not answered yet if fanout.mustWait. unanswered is true if the hub is shutting down and leaves the rest
// without an answer.
func (c *client) trigger(list []carrier.Signal, at time.Time, answers carrier.Answers, how manner) (handled int, unanswered bool) {
	f := c.signals.fan()
	done := 0
	for i := range list {
		if how == whileReading && c.server.callbacks.Load() > 0 { // a callback was added meanwhile
			return c.leaveRest(answers, done, i)
		}
		err := c.triggerOne(&list[i], at, how == whileReading)
		for err == errTaken { //nolint:errorlint // it is not wrapped
			if how == whileReading {
				return c.leaveRest(answers, done, i)
			}
			err = c.triggerOne(&list[i], at, false)
		}
		switch {
		case err == nil:
			done++
		case errors.Is(err, ErrNotConnected) && c.server.shuttingDown():
			// No answer: a device that is refused drops the reading, which the next hub could take.
			f.flush(true)
			c.done(answers, done)
			c.abandon(answers)
			c.server.inHand.End(answers)
			return len(list), true
		default:
			c.refuseSignal(&list[i], at, err, how == whileReading)
			c.done(answers, done)
			c.fail(answers, err)
			done = 0
		}
		if !f.mustWait() {
			if how != whileReading && c.server.callbacks.Load() > 0 { // they take their time
				c.done(answers, done)
				c.progress(answers)
				done = 0
			}
			continue
		}
		f.flush(true)
		c.done(answers, done-1)
		c.progress(answers)
		done = 0
		if how != mayWait {
			return i + 1, false
		}
		c.waitForListeners(answers)
	}
	c.done(answers, done)
	c.settle(answers) // first, for the disk takes longest
	f.flush(true)
	c.server.inHand.End(answers)
	return len(list), false
}

// leaveRest ends the handling of a list after so many signals, of which done are not answered yet.
func (c *client) leaveRest(answers carrier.Answers, done, handled int) (int, bool) {
	c.signals.fan().flush(true)
	c.done(answers, done)
	c.progress(answers)
	return handled, false
}

// waitForListeners waits until the slow listeners of an event have room, and then answers the event.
func (c *client) waitForListeners(answers carrier.Answers) {
	f := c.signals.fan()
	waitForRoom(c.ctx, f.slow)
	f.forget()
	c.done(answers, 1)
	c.progress(answers)
}

// triggerOne triggers the event of a signal, at the given time unless the signal tells another. If borrowed is true, the data is
// the carrier's, and whoever keeps it makes a copy.
func (c *client) triggerOne(s *carrier.Signal, at time.Time, borrowed bool) error {
	if err := c.admit(s, at); err != nil {
		return err
	}
	if s.Time != 0 {
		at = time.Unix(0, s.Time)
	}
	g, known := s.Route.Handle.(*Signal)
	for {
		if !known {
			var err error
			if g, err = c.find(s.Route); err != nil {
				return err
			}
			s.Route.Handle = g
		}
		var d delivery // filled field by field: a literal is made elsewhere, and then copied
		d.event.Sender, d.event.Name = g.sender.name, g.event
		d.event.Time, d.event.Uncertainty, d.event.Data = at, time.Duration(s.Uncertainty), s.Data
		d.signal, d.borrowed, d.grouped, d.fanout = g, borrowed, true, c.signals.fan()
		p := g.sender.producer
		if p != nil && s.Seq > 0 && s.Seq <= p.last {
			c.signals.again = max(c.signals.again, p.ticket)
			return nil
		}
		err := g.sender.topic.take(&d)
		if err == errTaken && !borrowed { //nolint:errorlint // it is not wrapped
			<-g.sender.topic.turnEnds()
		}
		if err == nil && p != nil && s.Seq > 0 {
			c.signals.number(p, s.Seq)
		}
		if err == nil || !known || !errors.Is(err, ErrNotConnected) {
			return err
		}
		known = false // the sender was removed, and may have been added again since
	}
}

// number notes that the event of a producer's number was triggered.
func (s *signals) number(p *producer, n uint64) {
	p.last = n
	if !slices.Contains(s.produced, p) {
		s.produced = append(s.produced, p)
	}
}

// admit returns an error unless the signal's data and time, if it tells one, can be passed on to every listener.
func (c *client) admit(s *carrier.Signal, now time.Time) error {
	if s.Err != nil {
		return s.Err
	}
	if s.Time != 0 {
		if err := c.server.times.check(time.Unix(0, s.Time), now); err != nil {
			return err
		}
	}
	return s.CheckData()
}

func (c *client) find(r *carrier.Route) (*Signal, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	s, err := c.own(r.Sender)
	if err != nil {
		name := c.name(r.Sender)
		if ok, _ := c.server.policy.Load().MayOffer(c.identity, name, []string{r.Event}); !ok && !isBuiltIn(r.Event) {
			err = rights.Denied(verb.Trigger, name, r.Event) // if the sender was there, it was revoked
		}
		return nil, err
	}
	if r.Event == Gap && !mayTellGaps(c.by.carrier) {
		return nil, fmt.Errorf("%w: %s is an event of the hub itself, which no client triggers", carrier.ErrDenied, Gap)
	}
	return s.Signal(r.Event)
}

// Waiters are goroutines that wait for the same change. The lock that guards what changes guards them, too.
type waiters chan struct{}

// wait returns a channel that is closed when wake is called next.
func (w *waiters) wait() <-chan struct{} {
	if *w == nil {
		*w = make(chan struct{})
	}
	return *w
}

// wake wakes all who wait.
func (w *waiters) wake() {
	if *w != nil {
		close(*w)
		*w = nil
	}
}

// A slowListener is the outbox of a listener that cannot keep up, and for how long at the most its senders should wait.
type slowListener struct {
	*outbox
	deadline time.Duration
}

// A deliveryKey tells events apart.
type deliveryKey struct {
	signal *Signal
	seq    uint64
}

// waitForRoom waits until each of these outboxes has room again or the senders' patience with it is used up. That of all of
// them is used from now on, so many slow clients hold a sender up for no longer than one. An outbox without room is then
// lagging.
func waitForRoom(ctx context.Context, slow []slowListener) {
	if len(slow) == 0 {
		return
	}
	for _, l := range slow {
		l.hold()
	}
	timer := time.NewTimer(slow[0].deadline)
	defer timer.Stop()
	for _, l := range slow {
		for l.waitForRoom(ctx, timer) {
		}
		l.letGo()
	}
}

// hold notes that a sender waits for room from now on, until letGo.
func (o *outbox) hold() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.senders++
	if o.state == following && o.crowded() {
		o.waiting.Hold(time.Now(), o.deadline)
	}
}

// letGo notes that a sender no longer waits. The patience is not used while nobody does.
func (o *outbox) letGo() {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.senders--; o.senders == 0 {
		o.waiting.Release(time.Now())
	}
}

// release lets all go who wait for room. The lock is held.
func (o *outbox) release() {
	o.room.wake()
	if o.waiting.Holding() {
		o.waiting.Release(time.Now())
	}
}

// recheck is after how long a sender looks again whether memory is still short: nobody tells it when others have given some back.
const recheck = 100 * time.Millisecond

// waitForRoom waits for room for as long as the patience lasts, or for a while, and reports whether there may be more to wait for.
func (l slowListener) waitForRoom(ctx context.Context, timer *time.Timer) (again bool) {
	o := l.outbox
	o.mu.Lock()
	if o.state != following || !o.crowded() {
		o.release()
		o.mu.Unlock()
		return false
	}
	now := time.Now()
	o.waiting.Hold(now, o.deadline) // it may have had room since the sender began to wait
	left := o.waiting.Left(now, l.deadline)
	if left <= 0 {
		o.become(lagging)
		o.mu.Unlock()
		return false
	}
	if !o.full() {
		left = min(left, recheck)
	}
	room := o.room.wait()
	o.mu.Unlock()
	timer.Reset(left)
	select {
	case <-room:
	case <-ctx.Done():
	case <-timer.C:
		return true
	}
	return false
}

// behind reports whether the client is lagging, and stays so because an event for it is about to be dropped.
func (o *outbox) behind() bool {
	if o.state != lagging {
		return false
	}
	now := time.Now()
	if !o.good.IsZero() && now.Sub(o.good) >= fair.Recovery {
		o.waiting.Forgive()
		o.become(following)
		return false
	}
	o.good = time.Time{}
	return true
}
