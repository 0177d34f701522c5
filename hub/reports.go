package hub

import (
	"context"
	"fmt"
	"time"

	"sighub/carrier"
	"sighub/internal/lockrank"
)

// reports are the events of one connection on their way to the hub, as a stream of signals or, if the carrier has none, as
// messages.
type reports struct {
	sink  carrier.SignalSink // nil: events travel as messages
	codec carrier.Codec

	mu      lockrank.Mutex[lockrank.Reports]
	packed  carrier.PackedSignal
	pending int      // bytes that waited to be written when the last signal was put
	waiting doneRing // for the hub's answers, oldest first
	room    waiters  // for room in the window
	err     error    // set once the connection is lost
}

// A reportRoute is the route of a remote sender's event on one connection.
type reportRoute struct {
	carrier.OutRoute
	on *reports
}

// report sends an event to the hub. If report returns nil, done is called once with the outcome. If now is true, the event is
// written at once; if not, it is written soon, with others.
func (c *connection) report(ctx context.Context, g *Signal, data any, at time.Time, uncertainty time.Duration, now bool, done func(error)) error {
	if !at.IsZero() && !tellable(at) {
		return fmt.Errorf("%w: the time of an event must be from 1970 to 2261, not %s", carrier.ErrTime, at)
	}
	if c.reports.sink != nil {
		return c.reports.put(ctx, g, data, at, uncertainty, now, done)
	}
	params := &signalParams{
		info: info{sender: g.sender.name, event: g.event, time: at, uncertainty: uncertainty},
		data: carrier.ValueOf(named(data)),
	}
	if err := params.data.Check("data"); err != nil {
		return err
	}
	return c.send(ctx, methodSignal, params, func(r carrier.Reply, err error) {
		done(answerError(r, err))
	})
}

// put puts an event into the stream when there is room in the window.
func (rs *reports) put(ctx context.Context, g *Signal, data any, at time.Time, uncertainty time.Duration, now bool, done func(error)) error {
	s := carrier.Signal{Uncertainty: int64(uncertainty)}
	s.Data.Set(named(data))
	if err := s.Data.Check("data"); err != nil {
		return err
	}
	rs.mu.Lock()
	for rs.err == nil && rs.waiting.n > 0 && (rs.waiting.n >= rs.sink.Window() || rs.pending >= carrier.PendingLimit) {
		if err := rs.wait(ctx); err != nil {
			rs.mu.Unlock()
			return err
		}
	}
	if rs.err != nil {
		defer rs.mu.Unlock()
		return rs.err
	}
	if !at.IsZero() {
		s.Time = at.UnixNano()
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
	rs.mu.Unlock()
	rs.sink.Flush(now)
	return nil
}

// wait waits for room in the window, with the lock held before and after.
func (rs *reports) wait(ctx context.Context) error {
	room := rs.room.wait()
	rs.mu.Unlock()
	defer rs.mu.Lock()
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
