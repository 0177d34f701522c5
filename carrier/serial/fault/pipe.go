package fault

import "time"

// A pipe moves bytes through a line in real time.
type pipe struct {
	cable *Cable // guards line
	line  *Line
	end   <-chan struct{}
	fed   chan struct{} // there may be more to get
	freed chan struct{} // there may be more room

	putting, getting chan struct{} // hold something while somebody does
}

// tick is how often a receiver looks at what has arrived: after about every third byte at 115200 baud, so that a busy line
// does not keep a processor busy.
const tick = 250 * time.Microsecond

func newPipe(c *Cable, l *Line, end <-chan struct{}) *pipe {
	notice := func() chan struct{} { return make(chan struct{}, 1) }
	return &pipe{cable: c, line: l, end: end, fed: notice(), freed: notice(), putting: notice(), getting: notice()}
}

// put sends all of data, and returns how much it sent; ok is false if the end came first.
func (p *pipe) put(data []byte) (sent int, ok bool) {
	if !p.take(p.putting) {
		return 0, false
	}
	defer func() { <-p.putting }()
	for !p.ended() {
		p.cable.mu.Lock()
		n, again := p.line.Send(time.Now(), data[sent:])
		p.cable.mu.Unlock()
		if n > 0 {
			give(p.fed)
		}
		if sent += n; sent == len(data) {
			return sent, true
		}
		freed := p.freed
		if !again.IsZero() {
			freed = nil // only time makes room
		}
		if !sleep(again, freed, p.end) {
			break
		}
	}
	return sent, false
}

// get returns how much has arrived, at least one byte, unless dst is empty; it returns false if the end came first.
func (p *pipe) get(dst []byte) (int, bool) {
	if !p.take(p.getting) {
		return 0, false
	}
	defer func() { <-p.getting }()
	for !p.ended() {
		p.cable.mu.Lock()
		now := time.Now()
		n, next := p.line.Receive(now, dst)
		p.cable.mu.Unlock()
		if n > 0 {
			give(p.freed)
		}
		if n > 0 || len(dst) == 0 {
			return n, true
		}
		if soon := now.Add(tick); !next.IsZero() && next.Before(soon) {
			next = soon
		}
		if !sleep(next, p.fed, p.end) {
			return 0, false
		}
	}
	return 0, false
}

// take waits for the caller's turn; it returns false if the end came first.
func (p *pipe) take(turn chan<- struct{}) bool {
	select {
	case turn <- struct{}{}:
		return true
	case <-p.end:
		return false
	}
}

func (p *pipe) ended() bool {
	select {
	case <-p.end:
		return true
	default:
		return false
	}
}

func give(notice chan<- struct{}) {
	select {
	case notice <- struct{}{}:
	default:
	}
}

// sleep waits until a time, if it is not zero, or until it is woken; it returns false if the end came.
func sleep(until time.Time, woken, end <-chan struct{}) bool {
	var due <-chan time.Time
	if !until.IsZero() {
		due = time.After(time.Until(until))
	}
	select {
	case <-due:
		return true
	case <-woken:
		return true
	case <-end:
		return false
	}
}
