package hub

import (
	"context"
	"errors"
	"fmt"
	"time"

	"sighub/carrier"
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
	s, handle, err := c.server.findRequest(sender, method)
	if err != nil {
		return nil, err
	}
	ended, err := c.begin(a)
	if err != nil {
		return nil, err
	}
	if s.owner == nil {
		c.tasks.Go(func() {
			defer ended()
			respond(s.answer(c.ctx, handle, method, params))
		})
		return deferred, nil
	}
	s.owner.forward(s, method, params, a.together, func(r carrier.Reply, err error) {
		defer ended()
		switch {
		case err != nil:
			respond(carrier.Failed(err))
		case r.Status != carrier.StatusDone:
			// Whatever the sender's status says, for the caller the method has failed.
			respond(carrier.Reply{Status: carrier.StatusFailed, Exception: r.Err().Error()})
		default:
			respond(carrier.Reply{Response: r.Response, Together: r.Together})
		}
	})
	return deferred, nil
}

// maxPending is how many requests of one client may be unanswered. A sender that answers slowly can then be asked by others, too.
const maxPending = 512

// begin counts a request that is about to be made, with its message, until the function that it returns is called. That may be
// when the client has long gone.
func (c *client) begin(a *arguments) (ended func(), err error) {
	size := requestCost + a.size + a.id
	if err := c.account.Take(size); err != nil {
		return nil, err
	}
	if c.pending.Add(1) > maxPending {
		c.pending.Add(-1)
		c.account.Give(size)
		return nil, fmt.Errorf("%w: a client may have %d requests that are not answered yet", carrier.ErrLimit, maxPending)
	}
	c.account.Share()
	return func() {
		c.pending.Add(-1)
		c.account.Give(size)
		c.account.Close()
	}, nil
}

// forward sends a request to one of the client's senders, with what it arrived with. done is called exactly once.
func (c *client) forward(s *Sender, method string, params carrier.Value, with *carrier.Together, done func(carrier.Reply, error)) {
	if err := params.Check("params"); err != nil {
		done(carrier.Reply{}, err)
		return
	}
	f := &forwarded{to: c, sender: s, method: method, params: params, done: done, over: make(chan struct{})}
	f.timer = time.AfterFunc(c.server.opts.RequestTimeout, f.expire)
	switch {
	case with != nil && c.requests.Idle() && f.try(with):
	case c.requests.Do(f.transmit):
	case c.ctx.Err() != nil:
		f.answered(carrier.Reply{}, context.Cause(c.ctx))
	default:
		f.timer.Stop()
		f.end(carrier.Reply{}, fmt.Errorf("%w: too many requests wait for %s", ErrBusy, c.info))
	}
}

// A forwarded request is one on its way to the client whose sender it asks. It ends with the answer or when its time is over,
// whichever comes first.
type forwarded struct {
	to     *client
	sender *Sender
	method string
	params carrier.Value
	timer  *time.Timer

	over chan struct{} // closed when it has ended

	mu   lockrank.Mutex[lockrank.Leaf]
	done func(carrier.Reply, error) // nil once it has ended
}

func (f *forwarded) transmit() {
	c := f.to
	select {
	case c.asking <- struct{}{}:
	case <-f.over:
		return
	case <-c.ctx.Done():
	}
	m := &carrier.Message{Method: methodRequest, Params: carrier.ValueOf(f)}
	if err := c.transmit(m, f.answered); err != nil {
		f.answered(carrier.Reply{}, err)
	}
}

// try is transmit if that would not wait. Otherwise it returns false.
func (f *forwarded) try(with *carrier.Together) bool {
	c := f.to
	t, ok := c.carrier.(carrier.Trier)
	if !ok {
		return false
	}
	select {
	case c.asking <- struct{}{}:
	default:
		return false
	}
	lockrank.MustBeFree("a message is transmitted")
	m := &carrier.Message{Method: methodRequest, Params: carrier.ValueOf(f), Together: with}
	ok, err := t.TryTransmit(c.id, m, f.answered)
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
	f.timer.Stop()
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

func (f *forwarded) expire() {
	limit := f.to.server.opts.RequestTimeout
	f.end(carrier.Reply{}, fmt.Errorf("hub: sender %s did not answer %s within %s: %w", f.sender.name, f.method, limit,
		context.DeadlineExceeded))
}

// AppendTo implements carrier.Appender. It packs the params of the message, unless the request has ended meanwhile: nothing
// refers to what it asked for any more, however long the carrier waits for the client.
func (f *forwarded) AppendTo(dst []byte, c carrier.Codec) ([]byte, error) {
	f.mu.Lock()
	params, ended := f.params, f.done == nil
	f.mu.Unlock()
	if ended {
		return dst, context.DeadlineExceeded
	}
	return (&requestParams{f.sender.given, f.method, params}).AppendTo(dst, c)
}

func (f *forwarded) end(r carrier.Reply, err error) {
	f.mu.Lock()
	done := f.done
	f.done, f.params = nil, carrier.Value{}
	f.mu.Unlock()
	if done != nil {
		close(f.over)
		done(r, err)
	}
}

// asked gives back the place of a request in the client's window.
func (c *client) asked() {
	select {
	case <-c.asking:
	default: // the client has gone
	}
}
