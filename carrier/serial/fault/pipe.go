package fault

import (
	"context"
	"time"
)

// A pipe moves bytes through a line in real time.
type pipe struct {
	cable *Cable // guards line
	line  *Line
	life  context.Context // of the port; its cause says how it ended
	fed   chan struct{}   // there may be more to get
	freed chan struct{}   // there may be more room

	putting, getting chan struct{} // hold something while somebody does
}

// tick is how often a receiver looks at what has arrived: after about every third byte at 115200 baud, so that a busy line
// does not keep a processor busy.
const tick = 250 * time.Microsecond

func newPipe(life context.Context, c *Cable, l *Line) *pipe {
	notice := func() chan struct{} { return make(chan struct{}, 1) }
	return &pipe{cable: c, line: l, life: life, fed: notice(), freed: notice(), putting: notice(), getting: notice()}
}

// put sends all of data, and returns how much it sent; the error is the port's end, if that came first.
func (p *pipe) put(data []byte) (sent int, err error) {
	if !p.take(p.putting) {
		return 0, context.Cause(p.life)
	}
	defer func() { <-p.putting }()
	for p.life.Err() == nil {
		p.cable.mu.Lock()
		n, again := p.line.Send(time.Now(), data[sent:])
		p.cable.mu.Unlock()
		if n > 0 {
			give(p.fed)
		}
		if sent += n; sent == len(data) {
			return sent, nil
		}
		freed := p.freed
		if !again.IsZero() {
			freed = nil // only time makes room
		}
		sleep(p.life, again, freed)
	}
	return sent, context.Cause(p.life)
}

// get returns how much has arrived, at least one byte, unless dst is empty; the error is the port's end, if that came first.
func (p *pipe) get(dst []byte) (int, error) {
	if !p.take(p.getting) {
		return 0, context.Cause(p.life)
	}
	defer func() { <-p.getting }()
	for p.life.Err() == nil {
		p.cable.mu.Lock()
		now := time.Now()
		n, next := p.line.Receive(now, dst)
		p.cable.mu.Unlock()
		if n > 0 {
			give(p.freed)
		}
		if n > 0 || len(dst) == 0 {
			return n, nil
		}
		if soon := now.Add(tick); !next.IsZero() && next.Before(soon) {
			next = soon
		}
		sleep(p.life, next, p.fed)
	}
	return 0, context.Cause(p.life)
}

// take waits for the caller's turn; it returns false if the port's end came first.
func (p *pipe) take(turn chan<- struct{}) bool {
	select {
	case turn <- struct{}{}:
		return true
	case <-p.life.Done():
		return false
	}
}

func give(notice chan<- struct{}) {
	select {
	case notice <- struct{}{}:
	default:
	}
}

// sleep waits until a time, if it is not zero, until it is woken, or until life ends.
func sleep(life context.Context, until time.Time, woken <-chan struct{}) {
	var due <-chan time.Time
	if !until.IsZero() {
		due = time.After(time.Until(until))
	}
	select {
	case <-due:
	case <-woken:
	case <-life.Done():
	}
}
