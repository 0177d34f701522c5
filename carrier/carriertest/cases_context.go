package carriertest

import (
	"context"
	"errors"
	"fmt"
	"time"

	"sighub/carrier"
)

// cancelledBefore: Transmit with a context that is done sends nothing.
func cancelledBefore(s *session) {
	boxes := s.mailboxes()
	s.serve()
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	s.both(func(e *end) error {
		id := e.to()
		if _, err := e.transmit(ctx, id, "echo", "never"); !errors.Is(err, context.Canceled) {
			return fmt.Errorf("%s: Transmit gives %v, not the context's error", e.name, err)
		}
		if err := e.echo(id, "next"); err != nil {
			return err
		}
		if texts, err := boxes[e].texts(); err != nil || len(texts) != 1 {
			return fmt.Errorf("%s: arrived: %q, %v", e.name, texts, err)
		}
		return nil
	})
}

// cancelledWaiting: a message whose context ends while it waits for its reply ends with the context's error;
// the reply that comes later is ignored, and the connection goes on.
func cancelledWaiting(s *session) {
	held := map[*end]<-chan pending{s.hub: s.hub.hold(), s.peer: s.peer.hold()}
	s.serve()
	s.both(func(e *end) error {
		id := e.to()
		for _, want := range []error{context.Canceled, context.DeadlineExceeded} {
			ctx, cancel := context.WithCancel(context.Background())
			if errors.Is(want, context.DeadlineExceeded) {
				// Late enough for the message to be sent on the slowest medium; if not, that is not a failure.
				ctx, cancel = context.WithTimeout(context.Background(), 200*time.Millisecond)
			}
			m, err := e.transmit(ctx, id, "echo", "slow")
			if errors.Is(err, want) {
				cancel()
				continue
			}
			if err != nil {
				cancel()
				return err
			}
			p, err := s.take(held[e.other()])
			if errors.Is(want, context.Canceled) {
				cancel()
			}
			if err != nil {
				cancel()
				return err
			}
			_, err = m.wait(s.ctx)
			cancel()
			if !errors.Is(err, want) || s.ctx.Err() != nil {
				return fmt.Errorf("%s: done got %v, not %v", e.name, err, want)
			}
			p.respond(carrier.Done("too late"))
		}
		go func() {
			if p, err := s.take(held[e.other()]); err == nil {
				p.respond(carrier.Done(p.message.Params))
			}
		}()
		return e.echo(id, "goes on")
	})
}
