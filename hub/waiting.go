package hub

import (
	"context"
	"time"
)

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

// waitForRoom waits until each of these outboxes has room again or its deadline is over. The deadlines of all of them begin
// now, so many slow clients hold a sender up for no longer than one. An outbox without room after its deadline is lagging.
func waitForRoom(ctx context.Context, slow []slowListener) {
	if len(slow) == 0 {
		return
	}
	began := time.Now()
	timer := time.NewTimer(slow[0].deadline)
	defer timer.Stop()
	for i, l := range slow {
		if i > 0 {
			timer.Reset(max(l.deadline-time.Since(began), 0))
		}
		l.waitForRoom(ctx, timer)
	}
}

func (o *outbox) waitForRoom(ctx context.Context, timer *time.Timer) {
	o.mu.Lock()
	if o.state != following || !o.full() {
		o.mu.Unlock()
		return
	}
	room := o.room.wait()
	o.mu.Unlock()
	select {
	case <-room:
	case <-ctx.Done():
	case <-timer.C:
		o.mu.Lock()
		if o.full() {
			o.become(lagging)
		}
		o.mu.Unlock()
	}
}
