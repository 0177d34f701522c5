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
	"sighub/hub"
	"sighub/journal"
)

// The listeners: one stores its position beside what it does about an event, and must have each event exactly once. The other leaves
// its position to the hub, and may hear again what it has heard last, at the same positions.
const (
	storing  = "storing"
	trusting = "trusting"
)

// A hearing is what a listener has heard.
type hearing struct {
	at   journal.Position // of the latest
	last map[string]int   // number of each sender
}

func (h *hearing) clone() *hearing { return &hearing{h.at, maps.Clone(h.last)} }

func (h *hearing) take(n heard) {
	if n.number <= h.last[n.sender] { // it is heard again
		return
	}
	h.at = n.at
	h.last[n.sender] = n.number
}

// right reports what is wrong with an event that comes next.
func (h *hearing) right(n heard, gaps bool) error {
	last := h.last[n.sender]
	again := n.at.Epoch < h.at.Epoch || n.at.Sequence <= h.at.Sequence
	switch {
	case n.number <= last && n.listener == storing:
		return fmt.Errorf("DOUBLE: the %s listener has heard %s %d at %v, and hears %d again at %v", n.listener, n.sender, last, h.at, n.number, n.at)
	case n.number <= last && !again:
		return fmt.Errorf("DOUBLE: the %s listener hears %s %d again at another position, %v", n.listener, n.sender, n.number, n.at)
	case n.number > last && again:
		return fmt.Errorf("the %s listener hears %s %d at position %v, after position %v", n.listener, n.sender, n.number, n.at, h.at)
	case n.number > last+1 && !gaps:
		return fmt.Errorf("LOST: the %s listener hears %s %d at %v after %d at %v", n.listener, n.sender, n.number, n.at, last, h.at)
	}
	return nil
}

// hear listens to everything until ctx is done. Now and then its own program crashes, and goes on with what it has stored. A listener
// that was away for longer than a small journal remembers is told of gaps.
func (w *world) hear(ctx context.Context, name string, gaps bool, rng *rand.Rand) error {
	for ctx.Err() == nil {
		if err := w.hearOnce(ctx, name, gaps, rng); err != nil {
			return err
		}
	}
	return ctx.Err()
}

// hearOnce is hear until the listener's program crashes.
func (w *world) hearOnce(ctx context.Context, name string, gaps bool, rng *rand.Rand) error {
	life := time.Duration(100+rng.IntN(3000)) * time.Millisecond
	living, crash := context.WithTimeout(ctx, life)
	defer crash()
	living, fail := context.WithCancelCause(living)
	defer fail(nil)
	r, c := w.router(name)
	var running sync.WaitGroup
	running.Go(func() { _ = r.Serve(living, c) }) // it ends with ctx
	defer running.Wait()
	defer fail(nil)

	o := hub.ListenerOptions{From: "start"}
	w.mu.Lock()
	have := w.known.hearing(name).clone()
	w.mu.Unlock()
	if name == trusting {
		o.Cursor = trusting
	} else {
		o.After = hub.Position(have.at)
	}
	listen := func() error {
		_, err := r.AddRemoteListenerWith(living, "", "", o, func(ev hub.Event) {
			if living.Err() != nil {
				return
			}
			if err := w.heard(name, ev, have, gaps); err != nil {
				fail(err)
			}
		})
		return err
	}
	for err := listen(); err != nil && living.Err() == nil; err = listen() {
		// The hub may be without power for longer than a call waits, or not know yet that the cursor's former listener has gone. If it
		// never takes the listener, whoever waits for what that hears says why.
		if !errors.Is(err, hub.ErrNotConnected) && !errors.Is(err, carrier.ErrGone) {
			w.refused(fmt.Errorf("the hub does not take the %s listener: %w", name, err))
		}
		select {
		case <-time.After(10 * time.Millisecond):
		case <-living.Done():
		}
	}
	<-living.Done()
	if wrong, is := errors.AsType[violation](context.Cause(living)); is {
		return wrong
	}
	return nil
}

// heard notes an event together with its position, as a program does that stores both in one transaction.
func (w *world) heard(name string, ev hub.Event, have *hearing, gaps bool) error {
	if ev.Name == hub.Gap {
		if !gaps {
			return violation{fmt.Errorf("LOST: the %s listener is told of a gap: %v", name, ev.Data)}
		}
		return nil
	}
	if ev.Name != "n" { // a sender has come or gone
		return nil
	}
	n, err := numberOf(ev.Sender, ev.Data)
	if err != nil {
		return violation{err}
	}
	note := heard{name, journal.Position(ev.Position), ev.Sender, n}
	if err := have.right(note, gaps); err != nil {
		return violation{err}
	}
	if !w.tell(note) {
		return errNotStored
	}
	have.take(note)
	return nil
}

// errNotStored ends a listener's program whose transaction has failed, because the power is off.
var errNotStored = errors.New("the position is not stored")
