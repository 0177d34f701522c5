package hub

import (
	"context"
	"time"
)

// A slowListener is the outbox of a listener that cannot keep up and wants its senders to wait, so long at the most.
type slowListener struct {
	*outbox
	deadline time.Duration
}

// waitForRoom waits until each of these outboxes has room again, until its deadline at the most, which begins now for all
// of them: many slow clients hold a sender up for no longer than one. Those that still have none are lagging.
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
