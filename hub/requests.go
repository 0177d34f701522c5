package hub

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"

	"sighub/carrier"
	"sighub/hub/internal/deadline"
	"sighub/hub/verb"
	"sighub/internal/lockrank"
)

// request passes a request on to the sender that it asks.
func (c *client) request(a *arguments, respond func(carrier.Reply)) (any, error) {
	sender, method := a.text("sender"), a.text("method")
	params := a.value("params")
	if a.err != nil {
		return nil, a.err
	}
	if err := params.Check("params"); err != nil {
		return nil, err
	}
	in := c.server.policy.Load()
	if err := c.permit(verb.Request, sender, method); err != nil {
		return nil, err
	}
	s, handle, err := c.server.findRequest(sender, method)
	if err != nil {
		return nil, err
	}
	var made struct { // both in one allocation
		asking
		forwarded
	}
	q := &made.asking
	q.client, q.sender, q.method, q.size, q.respond = c, sender, method, requestCost+a.size+a.id, respond
	if s.owner == nil {
		q.ctx, q.cancel = context.WithCancelCause(c.ctx)
	} else {
		q.passed = &made.forwarded
		q.passed.set(s, method, params)
		q.passed.asks = q
	}
	if err := q.begin(); err != nil {
		return nil, err
	}
	if c.server.policy.Load() != in { // another one may have looked for what it denies before the request was there
		if err := c.permit(verb.Request, sender, method); err != nil {
			c.refuse(methodRequest, err)
			q.stop(err)
			if q.passed == nil {
				q.ended()
			}
			return deferred, nil
		}
	}
	if q.passed == nil {
		c.by.tasks.Go(func() {
			defer q.ended()
			defer q.cancel(nil)
			q.answer(s.answer(q.ctx, handle, method, params))
		})
		return deferred, nil
	}
	q.passed.send(a.together)
	return deferred, nil
}

// An asking is a request of a client's own that is not answered yet.
type asking struct {
	client         *client
	sender, method string
	size           int // what it costs
	respond        func(carrier.Reply)

	passed *forwarded // what answers it, at another client; nil: its sender is in this process, and then:

	ctx      context.Context
	cancel   context.CancelCauseFunc
	answered atomic.Bool

	before, after *asking // in the client's list; under the client's lock
}

// stop ends the request with an error.
func (q *asking) stop(err error) {
	if q.passed != nil {
		q.passed.end(carrier.Reply{}, err)
		return
	}
	q.cancel(err)
	q.answer(carrier.Failed(err))
}

// answer gives the answer of a sender in this process, unless the request was stopped.
func (q *asking) answer(r carrier.Reply) {
	if !q.answered.Swap(true) {
		q.respond(r)
	}
}

// pass passes the answer of another client on.
func (q *asking) pass(r carrier.Reply, err error) {
	respond := q.respond
	defer func() {
		q.ended()
		q.client, q.respond = nil, nil // the other client's carrier may keep the request until that client answers
	}()
	switch {
	case errors.Is(err, carrier.ErrGone) && !q.client.isAdmin(): // why it has gone says where it was
		respond(carrier.Failed(fmt.Errorf("hub: sender %s went away before it answered %s: %w", q.passed.sender.name, q.method, carrier.ErrGone)))
	case err != nil:
		respond(carrier.Failed(err))
	case r.Status != carrier.StatusDone:
		// Whatever the sender's status says, for the caller the method has failed.
		respond(carrier.Reply{Status: carrier.StatusFailed, Exception: r.Err().Error()})
	default:
		respond(carrier.Reply{Response: r.Response, Together: r.Together})
	}
}

// maxPending is how many requests of one client may be unanswered. A sender that answers slowly can then be asked by others, too.
const maxPending = 512

// begin counts a request that is about to be made, with its message, until it has ended. That may be when the client has long gone.
func (q *asking) begin() error {
	c := q.client
	if err := c.account.Take(q.size); err != nil {
		return err
	}
	if c.pending.Add(1) > maxPending {
		c.pending.Add(-1)
		c.account.Give(q.size)
		return fmt.Errorf("%w: a client may have %d requests that are not answered yet", carrier.ErrLimit, maxPending)
	}
	c.account.Share()
	c.mu.Lock()
	defer c.mu.Unlock()
	if q.before = c.asks; q.before != nil {
		q.before.after = q
	}
	c.asks = q
	return nil
}

func (q *asking) ended() {
	c := q.client
	c.mu.Lock()
	if q.before != nil {
		q.before.after = q.after
	}
	if q.after != nil {
		q.after.before = q.before
	} else {
		c.asks = q.before
	}
	q.before, q.after = nil, nil
	c.mu.Unlock()
	c.pending.Add(-1)
	c.account.Give(q.size)
	c.account.Close()
}

// forwarded returns a request to a client's sender that is not sent yet. Its params are checked. done is called exactly once, after it
// was sent or when it is ended.
func (s *Sender) forwarded(method string, params carrier.Value, done func(carrier.Reply, error)) *forwarded {
	f := &forwarded{done: done}
	f.set(s, method, params)
	return f
}

func (f *forwarded) set(s *Sender, method string, params carrier.Value) {
	f.to, f.sender, f.method, f.params = s.owner, s, method, params
	f.wait.Of = f
}

// send sends the request, with what it arrived with.
func (f *forwarded) send(with *carrier.Together) {
	c := f.to
	c.server.deadlines.Begin(&f.wait)
	if with != nil && c.requests.Idle() && f.try(with) {
		return
	}
	f.mayWait()
	switch {
	case c.requests.Do(f.transmit):
	case c.ctx.Err() != nil:
		f.answered(carrier.Reply{}, context.Cause(c.ctx))
	default:
		c.server.deadlines.End(&f.wait)
		f.end(carrier.Reply{}, fmt.Errorf("%w: too many requests wait for the client of sender %s", ErrBusy, f.sender.name))
	}
}

// A forwarded request is one on its way to the client whose sender it asks. It ends with the answer or when its time is over,
// whichever comes first.
type forwarded struct {
	to      *client
	sender  *Sender
	method  string
	wait    deadline.Wait
	message carrier.Message // in which it is sent

	asks *asking                    // what is told of the end; nil: done is
	done func(carrier.Reply, error) // likewise

	mu     lockrank.Mutex[lockrank.Leaf]
	params carrier.Value
	ended  bool
	over   chan struct{} // closed when it has ended; nil if it is sent without waiting
}

// mayWait makes what a goroutine waits for that is about to send it.
func (f *forwarded) mayWait() {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.over = make(chan struct{}); f.ended {
		close(f.over)
	}
}

func (f *forwarded) transmit() {
	c := f.to
	select {
	case c.places() <- struct{}{}:
	case <-f.over:
		return
	case <-c.ctx.Done():
	}
	if err := c.transmit(f.packs(nil), f.answered); err != nil {
		f.answered(carrier.Reply{}, err)
	}
}

// packs returns the message that packs the request, with what it leaves with.
func (f *forwarded) packs(with *carrier.Together) *carrier.Message {
	f.message.Method, f.message.Together = methodRequest, with
	f.message.Params.Set(f)
	return &f.message
}

// try is transmit if that would not wait. Otherwise it returns false.
func (f *forwarded) try(with *carrier.Together) bool {
	c := f.to
	t, ok := c.by.carrier.(carrier.Trier)
	if !ok {
		return false
	}
	select {
	case c.places() <- struct{}{}:
	default:
		return false
	}
	lockrank.MustBeFree("a message is transmitted")
	ok, err := t.TryTransmit(c.id, f.packs(with), f.answered)
	switch {
	case !ok:
		c.asked()
	case err != nil:
		f.answered(carrier.Reply{}, err)
	}
	return ok
}

func (f *forwarded) answered(r carrier.Reply, err error) {
	c := f.to
	c.server.deadlines.End(&f.wait)
	c.asked()
	if c.ctx.Err() != nil && err != nil { // the client has gone: its cause says more
		err = context.Cause(c.ctx)
	}
	if errors.Is(err, carrier.ErrGone) {
		err = fmt.Errorf("hub: sender %s went away before it answered %s: %w", f.sender.name, f.method, err)
	}
	if err == nil && r.Status == carrier.StatusDone {
		err = r.Response.Check("response")
	}
	f.end(r, err)
}

// Expire implements deadline.Expirer.
func (f *forwarded) Expire() {
	limit := f.to.server.opts.RequestTimeout
	f.end(carrier.Reply{}, fmt.Errorf("hub: sender %s did not answer %s within %s: %w", f.sender.name, f.method, limit,
		context.DeadlineExceeded))
}

// AppendTo implements carrier.Appender. It packs the params of the message, unless the request has ended meanwhile: nothing
// refers to what it asked for any more, however long the carrier waits for the client.
func (f *forwarded) AppendTo(dst []byte, c carrier.Codec) ([]byte, error) {
	f.mu.Lock()
	params, ended := f.params, f.ended
	f.mu.Unlock()
	if ended {
		return dst, context.DeadlineExceeded
	}
	return (&requestParams{f.sender.given, f.method, params}).AppendTo(dst, c)
}

func (f *forwarded) end(r carrier.Reply, err error) {
	f.mu.Lock()
	before, over, done := f.ended, f.over, f.done
	f.ended, f.params, f.done = true, carrier.Value{}, nil
	f.mu.Unlock()
	if before {
		return
	}
	if over != nil {
		close(over)
	}
	if f.asks != nil {
		f.asks.pass(r, err)
	} else {
		done(r, err)
	}
}

// places returns what has a place for each request to the client that may be unanswered.
func (c *client) places() chan struct{} {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.asking == nil {
		c.asking = make(chan struct{}, c.window)
	}
	return c.asking
}

// asked gives back the place of a request in the client's window.
func (c *client) asked() {
	select {
	case <-c.places():
	default: // the client has gone
	}
}
