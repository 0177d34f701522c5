package sensors

import (
	"context"
	"strings"
	"sync"
	"time"
)

// A bus is a goroutine that reads the sensors which share something, one at a time. While it waits for one of them a
// timer watches it: a call into a kernel that hangs cannot be ended, but it can be told to listeners.
type bus struct {
	poller  *Poller
	name    string
	pollers []*polled

	// Around each call into a sensor; under mu, as the senders of pollers while such a call lasts.
	mu       sync.Mutex
	watchdog *time.Timer
	busy     bool
	since    time.Time
	hung     bool // the call takes too long, and the senders were disconnected for it
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

// next returns the sensor whose turn is next. A bus has a few dozen: to look at each costs less than to keep a queue.
func (b *bus) next() *polled {
	next := b.pollers[0]
	for _, s := range b.pollers[1:] {
		if s.due.Before(next.due) {
			next = s
		}
	}
	return next
}

// enter is called before each call into a sensor.
func (b *bus) enter() {
	b.mu.Lock()
	b.busy, b.since = true, time.Now()
	b.mu.Unlock()
	b.watchdog.Reset(b.poller.opts.Hang)
}

// leave is called after it, and tells whether the call took too long.
func (b *bus) leave() bool {
	b.watchdog.Stop()
	b.mu.Lock()
	defer b.mu.Unlock()
	hung := b.hung
	b.busy, b.hung = false, false
	return hung
}

// bark is called when the watchdog's time is over.
func (b *bus) bark() {
	b.mu.Lock()
	defer b.mu.Unlock()
	if !b.busy || b.hung || time.Since(b.since) < b.poller.opts.Hang {
		return // the call has ended meanwhile
	}
	b.hung = true
	b.poller.log.Warn("a bus does not answer: its sensors are disconnected until it does", "bus", b.String(),
		"after", b.poller.opts.Hang)
	for _, s := range b.pollers {
		s.disconnect("timeout")
	}
}
