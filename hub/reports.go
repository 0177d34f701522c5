package hub

import (
	"context"
	"fmt"
	"sync/atomic"
	"time"

	"sighub/carrier"
	"sighub/internal/lockrank"
)

// reports are the events of one connection on their way to the hub, as a stream of signals or, if the carrier has none, as
// messages.
type reports struct {
	sink   carrier.SignalSink // nil: events travel as messages
	writes carrier.Collector  // the sink, if it fetches events by itself while it writes; or nil
	codec  carrier.Codec
	resume func() // says that somebody is about to wait for the hub; nil: nobody need know

	mu        lockrank.Mutex[lockrank.Reports]
	packed    carrier.PackedSignal
	unwritten          // in the sink
	waiting   doneRing // for the hub's answers, oldest first
	room      waiters  // for room in the window, and among what is unwritten
	err       error    // set once the connection is lost

	left atomic.Bool // events were put, and the sink fetches them; set under the lock
}

// begin sets the sink.
func (rs *reports) begin(sink carrier.SignalSink) {
	rs.sink = sink
	if c, ok := sink.(carrier.Collector); ok {
		rs.writes = c
		c.Collect(rs.submit)
	}
}

// submit submits events that were left to be fetched, and reports whether there were any. They are submitted when it returns, also if another
// goroutine is doing that. So a message that is sent next does not overtake them. Those who wait because the sink was full try again.
func (rs *reports) submit() bool {
	left := rs.left.Load()
	if !left && !rs.full.Load() {
		return false
	}
	rs.mu.Lock()
	defer rs.mu.Unlock()
	if rs.full.Load() {
		rs.look(rs.sink)
		rs.room.wake()
	}
	if left {
		rs.submitLocked()
	}
	return left
}

// submitLocked submits what was put. The lock is held.
func (rs *reports) submitLocked() {
	rs.sink.Submit()
	if rs.left.Load() {
		rs.left.Store(false) // last: a goroutine that sees false takes it that everything is submitted
	}
}

// A reportRoute is the route of a remote sender's event on one connection.
type reportRoute struct {
	carrier.OutRoute
	on *reports
}

// A report is an event on its way to the hub.
type report struct {
	data        any
	at          time.Time // zero: when it arrives
	uncertainty time.Duration
	number      uint64 // its producer's; 0: it has none
	now         bool   // it is written at once, not soon and with others
}

// report sends an event to the hub, and keeps nothing of e. If report returns nil, done is called once with the outcome.
func (c *connection) report(ctx context.Context, g *Signal, e *report, done func(error)) error {
	if !e.at.IsZero() && !tellable(e.at) {
		return fmt.Errorf("%w: the time of an event must be from 1970 to 2261, not %s", carrier.ErrTime, e.at)
	}
	if c.reports.sink != nil {
		return c.reports.put(ctx, g, e, done)
	}
	params := &signalParams{
		info: info{sender: g.sender.name, event: g.event, time: e.at, uncertainty: e.uncertainty, seq: e.number},
		data: carrier.ValueOf(named(e.data)),
	}
	if err := params.data.Check("data"); err != nil {
		return err
	}
	return c.send(ctx, methodSignal, params, func(r carrier.Reply, err error) {
		done(answerError(r, err))
	})
}

// put puts an event into the stream when there is room in the window.
func (rs *reports) put(ctx context.Context, g *Signal, e *report, done func(error)) error {
	s := carrier.Signal{Uncertainty: int64(e.uncertainty), Seq: e.number}
	s.Data.Set(named(e.data))
	if err := s.CheckData(); err != nil {
		return err
	}
	rs.mu.Lock()
	for rs.err == nil && rs.waiting.n > 0 && (rs.waiting.n >= rs.sink.Window() || rs.isFull(rs.sink)) {
		if err := rs.wait(ctx); err != nil {
			rs.mu.Unlock()
			return err
		}
	}
	if err := rs.err; err != nil {
		rs.mu.Unlock()
		return err
	}
	if !e.at.IsZero() {
		s.Time = e.at.UnixNano()
	}
	err := rs.packed.Pack(rs.codec, &s)
	if err == nil {
		route := g.route.Load()
		if route == nil || route.on != rs {
			route = &reportRoute{on: rs}
			route.Route = carrier.Route{Sender: g.sender.name, Event: g.event}
			g.route.Store(route)
		}
		rs.pending, err = rs.sink.Put(&route.OutRoute, &rs.packed)
	}
	if err != nil {
		rs.mu.Unlock()
		return err
	}
	rs.waiting.push(done)
	if !e.now && rs.leave() {
		rs.mu.Unlock()
		return nil
	}
	rs.submitLocked()
	rs.mu.Unlock()
	rs.sink.Flush(e.now)
	return nil
}

// leave leaves what was put to the sink if the sink fetches it, and reports whether it does. The lock is held. The sink looks for what
// was left after it has written. leave asks whether the sink is writing after it has noted that something is left. So nothing is forgotten.
func (rs *reports) leave() bool {
	if rs.writes == nil {
		return false
	}
	if !rs.left.Load() {
		rs.left.Store(true)
	}
	return rs.writes.Fetches(rs.waiting.n > carrier.ManySignals)
}

// wait waits for room in the window, with the lock held before and after. What was left is written first.
func (rs *reports) wait(ctx context.Context) error {
	room, left := rs.room.wait(), rs.left.Load()
	if left {
		rs.submitLocked()
	}
	rs.mu.Unlock()
	defer rs.mu.Lock()
	if left {
		rs.sink.Flush(true)
	}
	if rs.resume != nil {
		rs.resume()
	}
	select {
	case <-room:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// answered ends the next n events: they are done or, if failed is not nil, the one is not.
func (rs *reports) answered(n int, failed *carrier.Reply) {
	var err error
	if failed != nil {
		err = answerError(*failed, nil)
	}
	rs.mu.Lock()
	rs.pending = rs.sink.Pending()
	done := rs.waiting.take(n)
	rs.room.wake()
	rs.mu.Unlock()
	for _, f := range done {
		f(err)
	}
}

// fail ends everything that is unanswered, because the connection is lost.
func (rs *reports) fail(err error) {
	rs.mu.Lock()
	rs.err = err
	done := rs.waiting.take(rs.waiting.n)
	rs.room.wake()
	rs.mu.Unlock()
	for _, f := range done {
		f(err)
	}
}

// A doneRing is a queue of functions to be called.
type doneRing struct {
	ring  []func(error) // as many as a power of two
	first int
	n     int
	taken []func(error) // the latest take
}

func (r *doneRing) push(done func(error)) {
	if r.n == len(r.ring) {
		ring := make([]func(error), max(64, 2*r.n))
		for i := range r.n {
			ring[i] = r.ring[(r.first+i)&(len(r.ring)-1)]
		}
		r.ring, r.first = ring, 0
	}
	r.ring[(r.first+r.n)&(len(r.ring)-1)] = done
	r.n++
}

// take removes the oldest n, or all if there are fewer. What it returns is valid until the next take.
func (r *doneRing) take(n int) []func(error) {
	clear(r.taken)
	r.taken = r.taken[:0]
	for range min(n, r.n) {
		r.taken = append(r.taken, r.ring[r.first])
		r.ring[r.first] = nil
		r.first = (r.first + 1) & (len(r.ring) - 1)
		r.n--
	}
	return r.taken
}

// A Production is how a producer's sender is registered on one connection to the hub: see [SenderOptions.Producer].
type Production struct {
	sender *Sender
	at     *connection
	next   uint64
}

// Produce returns how the sender is registered now, waiting for a connection if there is none, and for the hub to accept the
// sender there. It fails with [carrier.ErrDenied] if the hub does not allow the sender there.
func (s *Sender) Produce(ctx context.Context) (*Production, error) {
	r := s.clientRouter
	if r == nil || s.producing == "" {
		return nil, fmt.Errorf("%w: sender %s has no producer: name one in its options", ErrArguments, s.name)
	}
	for {
		c, err := r.current(ctx)
		if err != nil {
			return nil, err
		}
		r.mu.Lock()
		p := &Production{sender: s, at: s.at, next: s.next}
		wanted, registered, changed := r.senders[s.name] == s, s.at == c, r.changed.wait()
		deniedAt, denied := s.deniedAt, s.denied
		r.mu.Unlock()
		switch {
		case !wanted:
			return nil, s.errGone()
		case deniedAt == c:
			return nil, denied
		case registered:
			return p, nil
		}
		select {
		case <-changed:
		case <-c.ctx.Done():
		case <-ctx.Done():
			return nil, fmt.Errorf("%w: the hub does not accept sender %s: %w", ErrNotConnected, s.name, context.Cause(ctx))
		}
	}
}

// Next returns the number after that of the last event which the hub had on record when the sender was registered.
func (p *Production) Next() uint64 { return p.next }

// Trigger triggers an event that has this number, as [Signal.TriggerAsyncAt] does. Numbers ascend from 1; some may be left out. What
// the hub has on record by its number is acknowledged, and not recorded again. When the connection is lost, Trigger fails. An
// event that was not acknowledged is then triggered again by another Production, before those with higher numbers.
func (p *Production) Trigger(ctx context.Context, g *Signal, number uint64, data any, at time.Time, uncertainty time.Duration, done func(error)) error {
	if g.sender != p.sender || number == 0 {
		return fmt.Errorf("%w: an event of sender %s with a number from 1 on was expected", ErrArguments, p.sender.name)
	}
	if g.sender.gone.Load() {
		return g.sender.errGone()
	}
	if p.at.lost() {
		return fmt.Errorf("%w: the connection to the hub is lost", ErrNotConnected)
	}
	return p.at.report(ctx, g, &report{data: data, at: at, uncertainty: uncertainty, number: number}, done)
}
