package carriertest

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"sighub/carrier"
)

// A session is one case: a pair, served or not, and what was transmitted over it.
type session struct {
	testing.TB
	ctx       context.Context // ends when the case has taken too long
	limit     time.Duration   // after which it ends
	lossy     bool            // what is lost takes its time to be sent again
	connect   func(testing.TB) *Pair
	pair      *Pair
	hub, peer *end
}

// An end is one of the carriers of a session.
type end struct {
	*Recorder
	s       *session
	carrier carrier.Carrier
	handler carrier.Handler    // that is served: the Recorder, or one that takes streams
	mayFail bool               // Serve is to return an error, or may
	stop    context.CancelFunc // nil: not served
	ended   chan struct{}      // closed when Serve has returned
	err     error              // what Serve returned

	mu   sync.Mutex
	sent []*sent
}

func (s *session) newEnd(name string, c carrier.Carrier) *end {
	e := &end{Recorder: NewRecorder(s.TB, name), s: s, carrier: c, ended: make(chan struct{})}
	e.handler = e.Recorder
	s.Cleanup(func() { e.close() })
	return e
}

// many returns how many messages make a case: n, or fewer on a line that loses them.
func (s *session) many(n int) int {
	if s.lossy {
		return n / 10
	}
	return n
}

// serve serves both ends and waits until they are connected.
func (s *session) serve() {
	s.Helper()
	s.hub.serve()
	s.peer.serve()
	s.connected()
}

// connected waits until each end has a client.
func (s *session) connected() (hub, peer carrier.ClientID) {
	s.Helper()
	p, err := s.hub.Client(s.ctx)
	s.must(err)
	h, err := s.peer.Client(s.ctx)
	s.must(err)
	return p.ID, h.ID
}

func (s *session) must(err error) {
	s.Helper()
	if err != nil {
		s.Fatal(err)
	}
}

// both runs f for each end, at the same time.
func (s *session) both(f func(e *end) error) {
	s.Helper()
	ends := []*end{s.hub, s.peer}
	s.must(parallel(2, func(i int) error { return f(ends[i]) }))
}

// works waits until messages pass in both directions, over this connection or a next one.
func (s *session) works() {
	s.Helper()
	s.both(func(e *end) error {
		for {
			c, err := e.Client(s.ctx)
			if err != nil {
				return err
			}
			if err = e.echo(c.ID, "works"); !errors.Is(err, carrier.ErrGone) {
				return err
			}
			if _, err = e.Gone(s.ctx, c.ID); err != nil {
				return err
			}
		}
	})
}

// restore mends what was cut.
func (s *session) restore() {
	if s.pair.Restore != nil {
		s.pair.Restore()
	}
}

// parallel runs f in n goroutines and returns their errors.
func parallel(n int, f func(i int) error) error {
	errs := make([]error, n)
	var wg sync.WaitGroup
	for i := range n {
		wg.Go(func() { errs[i] = f(i) })
	}
	wg.Wait()
	return errors.Join(errs...)
}

func (e *end) serve() {
	ctx, stop := context.WithCancel(context.Background())
	e.stop = stop
	go func() {
		defer close(e.ended)
		e.err = e.carrier.Serve(ctx, e.handler)
		e.Served()
	}()
}

// close stops serving and checks what must hold afterwards. It may be called again.
func (e *end) close() {
	if e.stop == nil {
		return
	}
	e.stop()
	select {
	case <-e.ended:
	case <-time.After(e.s.limit):
		e.s.Errorf("%s: Serve does not return after its context has ended", e.name)
		return
	}
	if e.err != nil && !e.mayFail {
		e.s.Errorf("%s: Serve returns %v after its context has ended, instead of nil", e.name, e.err)
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	var open []string
	for _, m := range e.sent {
		if m.ctx.Done() != nil {
			// Its own context may be telling it just now, on a goroutine that is not the carrier's.
			select {
			case <-m.ended:
			case <-e.s.ctx.Done():
			}
		}
		if m.count.Load() == 0 {
			open = append(open, m.what)
		}
	}
	if len(open) > 0 {
		e.s.Errorf("%s: Serve has returned, and done was not called for %d messages, the first of them %s", e.name, len(open), open[0])
	}
	e.sent = nil
}

// A sent is a message that was transmitted.
type sent struct {
	what  string
	ctx   context.Context
	count atomic.Int32 // calls of done
	ended chan struct{}
	reply carrier.Reply
	err   error
}

// transmit transmits a message and watches that done is called as the contract says.
func (e *end) transmit(ctx context.Context, id carrier.ClientID, method string, params any) (*sent, error) {
	m := &sent{what: method, ctx: ctx, ended: make(chan struct{})}
	var refused atomic.Bool
	err := e.carrier.Transmit(ctx, id, &carrier.Message{Method: method, Params: carrier.ValueOf(params)}, func(r carrier.Reply, err error) {
		if m.count.Add(1) > 1 {
			e.errorf("done was called twice for %s", m.what)
			return
		}
		if refused.Load() {
			e.errorf("done was called for %s, which Transmit had refused", m.what)
		}
		if err == nil { // a reply is read, as messages are: never while a handler runs
			defer e.enter(id, "done of "+m.what)()
		}
		m.reply, m.err = r, err
		close(m.ended)
	})
	if err != nil {
		refused.Store(true)
		if m.count.Load() > 0 {
			e.errorf("Transmit refuses %s (%v), but done was called", m.what, err)
		}
		return nil, err
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	e.sent = append(e.sent, m)
	return m, nil
}

// wait waits for the reply.
func (m *sent) wait(ctx context.Context) (carrier.Reply, error) {
	select {
	case <-m.ended:
		return m.reply, m.err
	case <-ctx.Done():
		return carrier.Reply{}, fmt.Errorf("waiting for the reply to %s: %w", m.what, ctx.Err())
	}
}

// call transmits a message and waits for its reply.
func (e *end) call(id carrier.ClientID, method string, params any) (carrier.Reply, error) {
	m, err := e.transmit(context.Background(), id, method, params)
	if err != nil {
		return carrier.Reply{}, fmt.Errorf("%s: transmit %s: %w", e.name, method, err)
	}
	r, err := m.wait(e.s.ctx)
	if err != nil {
		err = fmt.Errorf("%s: %s: %w", e.name, method, err)
	}
	return r, err
}

// echo checks that a text comes back unchanged.
func (e *end) echo(id carrier.ClientID, text string) error {
	r, err := e.call(id, "echo", text)
	if err != nil {
		return err
	}
	if err := r.Err(); err != nil {
		return fmt.Errorf("%s: echo: %w", e.name, err)
	}
	return sameText(e.name, r.Response, text)
}

func sameText(name string, v carrier.Value, want string) error {
	var got string
	if err := v.Decode(&got); err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	if got != want {
		return fmt.Errorf("%s: got %d bytes %.80q, want %d bytes %.80q", name, len(got), got, len(want), want)
	}
	return nil
}

// to returns the id of the newest client, which is connected.
func (e *end) to() carrier.ClientID {
	e.s.Helper()
	c, err := e.Client(e.s.ctx)
	e.s.must(err)
	return c.ID
}
