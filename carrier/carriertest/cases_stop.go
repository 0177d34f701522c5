package carriertest

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"sighub/carrier"
)

// shutdown stops one end, then the other, while both transmit as fast as they can: every message ends, Serve returns,
// and the causes are right: ErrShutdown at the end that stops, ErrClosed at the other.
func shutdown(s *session, first, second *end) {
	const senders = 4
	before := s.many(50)
	s.serve()
	var started, all sync.WaitGroup
	started.Add(2 * senders)
	for _, e := range []*end{s.hub, s.peer} {
		id := e.to()
		for range senders {
			all.Go(func() {
				for n := 0; ; n++ {
					if n == before {
						started.Done()
					}
					m, err := e.transmit(context.Background(), id, "echo", "x")
					if err == nil && n < before {
						_, err = m.wait(s.ctx)
					}
					if err != nil {
						if !errors.Is(err, carrier.ErrGone) || n < before {
							s.Errorf("%s: message %d: %v", e.name, n, err)
						}
						for ; n < before; n++ {
							if n == before-1 {
								started.Done()
							}
						}
						return
					}
				}
			})
		}
	}
	started.Wait()
	id, other := first.to(), second.to()
	first.close()
	all.Wait()
	cause, err := first.Gone(s.ctx, id)
	s.must(err)
	if !errors.Is(cause, carrier.ErrShutdown) {
		s.Errorf("%s: its clients were disconnected by its end with cause %v, not ErrShutdown", first.name, cause)
	}
	cause, err = second.Gone(s.ctx, other)
	s.must(err)
	if !errors.Is(cause, carrier.ErrClosed) && !s.pair.NoGoodbye || carrier.Reason(cause) == "shutdown" {
		s.Errorf("%s: its client was disconnected when it ended with cause %v, not ErrClosed", second.name, cause)
	}
	s.must(first.expect(id, carrier.ErrGone))
	second.close()
}

// stopInHandler: Serve waits for a handler that is running, but not for replies that are still owed. A Transmit
// that waits for room in the window ends.
func stopInHandler(s *session) {
	held := s.peer.hold()
	s.serve()
	id := s.hub.to()
	refused := make(chan error, 1)
	go func() {
		for n := 0; ; n++ { // until the window is full, and then until the client is gone
			if _, err := s.hub.transmit(context.Background(), id, "echo", n); err != nil {
				refused <- err
				return
			}
		}
	}()
	_, err := s.take(held)
	s.must(err)
	go func() { // the peer must not block for ever in its handler
		for {
			select {
			case <-held:
			case <-s.ctx.Done():
				return
			case <-s.peer.ended:
				return
			}
		}
	}()
	s.hub.close()
	if err := <-refused; !errors.Is(err, carrier.ErrGone) {
		s.Errorf("Transmit gives %v when its client goes, not ErrGone", err)
	}
	s.peer.close()
}

// cycles: connecting and stopping again and again leaves nothing; neither does serving with a context that is
// done already.
func cycles(s *session) {
	for i := range 10 {
		next := newSession(s.TB, s.connect, s.limit)
		next.serve()
		next.both(func(e *end) error { return e.echo(e.to(), fmt.Sprint("cycle ", i)) })
		next.peer.close()
		next.hub.close()
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	s.both(func(e *end) error {
		err := e.carrier.Serve(ctx, e.Recorder)
		e.Served()
		return err
	})
}
