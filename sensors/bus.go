package sensors

import (
	"context"
	"slices"
	"strings"
	"sync"
	"time"
)

// A bus is a goroutine that reads the sensors on one bus, one at a time. A timer watches each call into a sensor: a call that
// hangs in the kernel cannot be stopped, but listeners can be told.
type bus struct {
	poller  *Poller
	name    string
	pollers []*polled

	// mu guards these and, during a call into a sensor, the senders of pollers.
	mu       sync.Mutex
	watchdog *time.Timer
	busy     bool      // a call into a sensor is in progress
	since    time.Time // when it began
	hung     bool      // it takes too long, and the senders were disconnected
}

func (b *bus) String() string {
	if b.name != "" {
		return "bus " + b.name
	}
	names := make([]string, len(b.pollers))
	for i, s := range b.pollers {
		names[i] = s.Sender
	}
	return "sensor " + strings.Join(names, ", ")
}

// run reads the sensors at their times until ctx is done, and then closes them.
func (b *bus) run(ctx context.Context) {
	b.watchdog = time.AfterFunc(b.poller.opts.Hang, b.bark)
	b.watchdog.Stop()
	start := time.Now()
	for _, s := range b.pollers {
		s.plan(start)
	}
	timer := time.NewTimer(0)
	defer timer.Stop()
	for ctx.Err() == nil {
		next := b.next()
		timer.Reset(time.Until(next.due))
		select {
		case <-timer.C:
			next.turn(ctx)
		case <-ctx.Done():
		}
	}
	for _, s := range b.pollers {
		s.close()
		s.disconnect("shutdown")
	}
}

// next returns the sensor that is due next. A bus has at most a few dozen, so a search costs less than a queue.
func (b *bus) next() *polled {
	return slices.MinFunc(b.pollers, func(a, b *polled) int { return a.due.Compare(b.due) })
}

// enter is called before each call into a sensor.
func (b *bus) enter() {
	b.mu.Lock()
	b.busy, b.since = true, time.Now()
	b.mu.Unlock()
	b.watchdog.Reset(b.poller.opts.Hang)
}

// leave is called after each call into a sensor. It reports whether the call took too long.
func (b *bus) leave() bool {
	b.watchdog.Stop()
	b.mu.Lock()
	defer b.mu.Unlock()
	hung := b.hung
	b.busy, b.hung = false, false
	return hung
}

// bark is called when a call takes too long.
func (b *bus) bark() {
	b.mu.Lock()
	defer b.mu.Unlock()
	if !b.busy || b.hung || time.Since(b.since) < b.poller.opts.Hang {
		return // the call has just ended
	}
	b.hung = true
	b.poller.log.Warn("a bus does not answer: its sensors are disconnected until it does", "bus", b.String(),
		"after", b.poller.opts.Hang)
	for _, s := range b.pollers {
		s.disconnect("timeout")
	}
}
