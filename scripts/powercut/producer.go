//go:build linux

package main

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"sync"
	"time"

	"sighub/carrier"
	"sighub/carrier/tcp"
	"sighub/hub"
)

// A world is the programs around a hub: what they do goes on while its power is cut.
type world struct {
	addr string // of the hub
	note func(any) bool

	mu    sync.Mutex
	known *ledger
	acks  int
	more  chan struct{} // closed when something was noted
	why   error         // the latest refusal of something that is tried again
}

// tell makes a note, and returns whether it was in time.
func (w *world) tell(note any) bool {
	if !w.note(note) {
		return false
	}
	w.mu.Lock()
	w.known.take(note)
	if _, ok := note.(acked); ok {
		w.acks++
	}
	close(w.more)
	w.more = make(chan struct{})
	w.mu.Unlock()
	return true
}

// await waits until there were this many acknowledgements.
func (w *world) await(ctx context.Context, acks int) error {
	return w.until(ctx, func() bool { return w.acks >= acks })
}

// catchUp waits until a listener has heard what is acknowledged now.
func (w *world) catchUp(ctx context.Context, listener string) error {
	w.mu.Lock()
	all := maps.Clone(w.known.acked)
	w.mu.Unlock()
	return w.until(ctx, func() bool {
		for sender, n := range all {
			if w.known.hearing(listener).last[sender] < n {
				return false
			}
		}
		return true
	})
}

// until waits until something is so, which notes may change. is is called with the lock held.
func (w *world) until(ctx context.Context, is func() bool) error {
	for {
		w.mu.Lock()
		done, more := is(), w.more
		w.mu.Unlock()
		if done {
			return nil
		}
		select {
		case <-more:
		case <-ctx.Done():
			w.mu.Lock()
			err := errors.Join(context.Cause(ctx), w.why)
			w.mu.Unlock()
			return err
		}
	}
}

// refused notes why something has failed that is tried again.
func (w *world) refused(err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.why = err
}

// newWorld returns a world without programs.
func newWorld(addr string, known *ledger, note func(any) bool) *world {
	return &world{addr: addr, known: known, note: note, more: make(chan struct{})}
}

func (w *world) router(name string) (*hub.ClientRouter, *tcp.Client) {
	return hub.NewClientRouter(hub.ClientOptions{}), tcp.NewClient(w.addr, tcp.ClientOptions{
		Name: name, DialTimeout: 2 * time.Second, Backoff: carrier.Backoff{Min: 2 * time.Millisecond, Max: 50 * time.Millisecond}})
}

// producers is how many programs number what they send.
const producers = 3

// A violation is something that must not happen.
type violation struct{ error }

func (v violation) Unwrap() error { return v.error }

// produce sends numbered signals until ctx is done: after each loss of the connection it goes on with the number that the hub
// expects.
func (w *world) produce(ctx context.Context, name string, rng *rand.Rand) error {
	r, c := w.router(name)
	serving, stop := context.WithCancel(ctx)
	var running sync.WaitGroup
	running.Go(func() { _ = r.Serve(serving, c) }) // it ends with ctx
	defer running.Wait()
	defer stop()
	var s *hub.Sender
	for s == nil { // the hub may be without power for longer than a call waits
		var err error
		s, err = r.AddRemoteSender(ctx, name, hub.SenderOptions{Events: []string{"n"}, Producer: name})
		switch {
		case ctx.Err() != nil:
			return ctx.Err()
		case err != nil && !errors.Is(err, hub.ErrNotConnected) && !errors.Is(err, carrier.ErrGone):
			return violation{fmt.Errorf("the hub does not take the producer %s: %w", name, err)}
		}
	}
	g, err := s.Signal("n")
	if err != nil {
		return err
	}
	behind := time.Time{} // since when
	for ctx.Err() == nil {
		p, err := s.Produce(ctx)
		switch {
		case errors.Is(err, hub.ErrNotConnected), errors.Is(err, carrier.ErrGone):
			continue
		case err != nil:
			return violation{fmt.Errorf("the hub does not take the producer %s: %w", name, err)}
		}
		err = w.series(ctx, p, g, name, rng)
		switch {
		case !errors.Is(err, errBehind):
			behind = time.Time{}
		case behind.IsZero():
			behind = time.Now()
		case time.Since(behind) > behindPatience:
			return violation{err}
		}
		if err != nil && !errors.Is(err, errBehind) {
			return err
		}
		if err != nil {
			time.Sleep(5 * time.Millisecond)
		}
	}
	return ctx.Err()
}

// errBehind says that the hub expects a number that it has acknowledged. It may be what it expected at the beginning of a connection
// whose loss has not been noticed yet; if it stays so, the hub has lost something.
var errBehind = errors.New("LOST: the hub expects what it has acknowledged")

const behindPatience = 10 * time.Second

// series sends signals over one connection.
func (w *world) series(ctx context.Context, p *hub.Production, g *hub.Signal, name string, rng *rand.Rand) error {
	first := int(p.Next()) //nolint:gosec // numbers are small here
	w.mu.Lock()
	had, tried := w.known.acked[name], w.known.sent[name]
	w.mu.Unlock()
	switch {
	case first <= had:
		return fmt.Errorf("%w: %d of %s, and up to %d", errBehind, first, name, had)
	case first > tried+1:
		return violation{fmt.Errorf("the hub expects %d of %s, and only %d were sent", first, name, tried)}
	}
	const window = 64
	room := make(chan struct{}, window)
	failed := make(chan error, window)
	var outstanding sync.WaitGroup
	defer outstanding.Wait()
	for n := first; ; n++ {
		select {
		case room <- struct{}{}:
		case err := <-failed:
			return err
		case <-ctx.Done():
			return ctx.Err()
		}
		if !w.tell(sent{name, n}) {
			return nil // the power is off
		}
		outstanding.Add(1)
		err := p.Trigger(ctx, g, uint64(n), text(name, n), time.Time{}, 0, func(err error) {
			defer outstanding.Done()
			if err == nil {
				w.tell(acked{name, n})
				<-room
				return
			}
			failed <- failure(name, err) // nobody takes the room, so there is enough
		})
		if err != nil {
			outstanding.Done()
			return failure(name, err)
		}
		if pause := rng.IntN(4); pause > 0 { // sometimes alone, sometimes many together
			select {
			case <-time.After(time.Duration(rng.IntN(pause*1000)) * time.Microsecond):
			case <-ctx.Done():
			}
		}
	}
}

// failure returns nil if the hub was just not there.
func failure(name string, err error) error {
	switch {
	case errors.Is(err, hub.ErrNotConnected), errors.Is(err, carrier.ErrGone), errors.Is(err, context.Canceled):
		return nil
	}
	return violation{fmt.Errorf("the hub refuses what %s sends: %w", name, err)}
}
