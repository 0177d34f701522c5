package hub

import (
	"context"
	"time"

	"sighub/hub/internal/fair"
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

// A deliveryKey tells events apart.
type deliveryKey struct {
	signal *Signal
	seq    uint64
}

// waitForRoom waits until each of these outboxes has room again or the senders' patience with it is used up. That of all of
// them is used from now on, so many slow clients hold a sender up for no longer than one. An outbox without room is then
// lagging.
func waitForRoom(ctx context.Context, slow []slowListener) {
	if len(slow) == 0 {
		return
	}
	for _, l := range slow {
		l.hold()
	}
	timer := time.NewTimer(slow[0].deadline)
	defer timer.Stop()
	for _, l := range slow {
		for l.waitForRoom(ctx, timer) {
		}
	}
}

// hold notes that a sender waits for room from now on.
func (o *outbox) hold() {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.state == following && o.full() && !o.patience.Holding() {
		now := time.Now()
		o.passed = 0
		o.patience.Hold(now, o.deadline)
		o.place.Hold(now, o.deadline)
	}
}

// release lets all go who wait for room. The lock is held.
func (o *outbox) release() {
	o.room.wake()
	if o.patience.Holding() {
		now := time.Now()
		o.patience.Release(now)
		o.place.Release(now, o.passed)
	}
}

// waitForRoom waits for room for as long as the patience lasts, and reports whether it lasts longer than was known before.
func (l slowListener) waitForRoom(ctx context.Context, timer *time.Timer) (again bool) {
	o := l.outbox
	o.mu.Lock()
	if o.state != following || !o.full() {
		o.mu.Unlock()
		return false
	}
	now := time.Now()
	left := min(o.patience.Left(now, l.deadline), o.place.Left(now))
	if left <= 0 {
		o.become(lagging)
		o.mu.Unlock()
		return false
	}
	room := o.room.wait()
	o.mu.Unlock()
	timer.Reset(left)
	select {
	case <-room:
	case <-ctx.Done():
	case <-timer.C:
		return true
	}
	return false
}

// behind reports whether the client is lagging, and stays so because an event for it is about to be dropped.
func (o *outbox) behind() bool {
	if o.state != lagging {
		return false
	}
	now := time.Now()
	if !o.good.IsZero() && now.Sub(o.good) >= fair.Recovery {
		o.patience = fair.Patience{}
		o.become(following)
		return false
	}
	o.good = time.Time{}
	return true
}
