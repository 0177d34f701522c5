package mqtt

import (
	"errors"
	"io"
	"os"
	"runtime"
	"time"

	"sighub/internal/mqtt/packet"
)

// read reads until the connection ends.
func (l *link) read() error {
	c := l.session
	for !l.closing.Load() {
		if err := l.consume(); err != nil {
			return err
		}
		if !l.awaitRoom() {
			break
		}
		if err := l.fill(); err != nil {
			if errors.Is(err, os.ErrDeadlineExceeded) && !l.closing.Load() && c.Err() == nil {
				text := "nothing was heard for one and a half times the keep alive"
				if len(l.buf) > 0 {
					text = "a packet was not complete in time"
				}
				return &packet.Error{Reason: packet.KeepAliveTimeout, Text: text}
			}
			return err
		}
		if len(l.buf) == cap(l.buf) {
			runtime.Gosched() // one that sends without a pause does not hold up all others
		}
	}
	return l.cause()
}

// fill reads what there is behind what waits in the buffer.
func (l *link) fill() error {
	l.setDeadline()
	n, err := l.nc.Read(l.buf[len(l.buf):cap(l.buf)])
	l.buf = l.buf[:len(l.buf)+n]
	if n > 0 {
		return nil
	}
	if err == nil {
		err = io.ErrNoProgress
	}
	return err
}

// setDeadline bounds how long a client may be silent, and how long what it has begun may take.
func (l *link) setDeadline() {
	if l.session == nil {
		return // the deadline was set when it connected
	}
	now := time.Now()
	var by time.Time
	if l.keepAlive > 0 {
		by = now.Add(l.keepAlive)
	}
	if len(l.buf) == 0 {
		l.begun = time.Time{}
	} else {
		if l.begun.IsZero() {
			l.begun = now
		}
		if end := l.begun.Add(l.server.options.Limits.MessageTimeout); by.IsZero() || end.Before(by) {
			by = end
		}
	}
	switch {
	case by.IsZero() && l.deadline.IsZero():
		return
	case !by.IsZero() && !l.deadline.IsZero() && len(l.buf) == 0 && by.After(l.deadline) && by.Sub(l.deadline) < l.keepAlive/16:
		return // it is not worth a call of the system for each packet
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.why == nil {
		l.deadline = by
		_ = l.nc.SetReadDeadline(by) // fails only when it is closed already
	}
}

// consume handles every packet that is whole, and makes room for the rest.
func (l *link) consume() error {
	c := l.session
	c.hold(true)
	c.turn.Lock()
	rest, size, err := l.handleAll(l.buf)
	c.deliver()
	c.mu.Lock()
	c.collect()
	c.mu.Unlock()
	c.tellAnswers()
	c.turn.Unlock()
	c.mu.Lock()
	c.holding = false
	c.collect()
	c.mu.Unlock()
	c.flush()
	if err != nil {
		return err
	}
	return l.keep(rest, size)
}

func (c *session) hold(on bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.holding = on
}

// handleAll handles the packets in data, and returns what is left of it, and how many bytes the packet has that begins there; 0: that
// is not known.
func (l *link) handleAll(data []byte) (rest []byte, size int, err error) {
	for len(data) > 0 && !l.closing.Load() {
		p, rest, size, ok, err := packet.Next(data, l.server.options.Limits.MaxMessage)
		if err != nil || !ok {
			return data, size, err
		}
		l.begun = time.Time{}
		if err := l.handle(&p); err != nil {
			return rest, 0, err
		}
		data = rest
	}
	return data, 0, nil
}

// keep keeps the rest of what was read, with room for the packet that begins there.
func (l *link) keep(rest []byte, size int) error {
	need := smallRead
	switch {
	case len(l.buf) == cap(l.buf) && len(rest) < len(l.buf):
		need, l.slow = largeRead, 0 // it comes fast
	case cap(l.buf) >= largeRead && len(l.buf) > smallRead:
		need, l.slow = largeRead, 0
	case cap(l.buf) >= largeRead:
		if l.slow++; l.slow < slowReads {
			need = largeRead
		}
	}
	need = max(need, size)
	if size == 0 && len(rest) > need-16 {
		need = len(rest) + 16
	}
	switch {
	case cap(l.buf) < need || cap(l.buf) >= largeRead && need < largeRead || cap(l.buf) > 4*largeRead && need <= largeRead:
		if err := l.account.Take(need); err != nil {
			if need <= largeRead && size <= cap(l.buf) {
				break // the one that it has will do
			}
			return err
		}
		l.buf = append(make([]byte, 0, need), rest...)
		l.account.Give(l.charged)
		l.charged = need
		return nil
	}
	l.buf = l.buf[:copy(l.buf[:cap(l.buf)], rest)]
	return nil
}

// awaitRoom waits while too much of what the client has said is not answered, or waits for it to be read. It reports false if the
// connection ends.
func (l *link) awaitRoom() bool {
	c := l.session
	c.mu.Lock()
	defer c.mu.Unlock()
	most := 4 * l.server.options.Limits.Window
	for (c.acks.len() > most || c.replies > maxReplies || len(c.orders.waiting) > maxOrders) && c.err == nil && !l.closing.Load() {
		t := time.NewTimer(lingerTime) // for closing
		wait(&c.writer, t.C)
		t.Stop()
	}
	return c.err == nil && !l.closing.Load()
}
