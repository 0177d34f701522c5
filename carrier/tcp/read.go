package tcp

import (
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"time"

	"sighub/carrier"
)

const (
	smallRead = 4 << 10  // what an idle connection holds
	largeRead = 64 << 10 // used while small ones are filled
)

// read reads until the connection ends, and returns why it did.
func (c *conn) read() error {
	small := make([]byte, smallRead)
	buf, large := small, (*[]byte)(nil)
	defer func() {
		if large != nil {
			c.peers.reads.put(large)
		}
	}()
	for !c.closing.Load() {
		c.setDeadline()
		n, err := c.nc.Read(buf)
		if err := c.consume(buf[:n]); err != nil {
			return err
		}
		switch {
		case errors.Is(err, io.EOF) && c.split != nil && c.split.partial():
			return fmt.Errorf("%w in the middle of a message: %w", carrier.ErrClosed, err)
		case errors.Is(err, os.ErrDeadlineExceeded) && c.awaited >= 0:
			return c.overdue(err)
		case err != nil:
			return err
		case n == smallRead && large == nil && c.account.Take(largeRead) == nil:
			large = c.peers.reads.get()
			*large = slices.Grow(*large, largeRead)[:largeRead]
			buf = *large
		case n < smallRead && large != nil:
			c.peers.reads.put(large)
			c.account.Give(largeRead)
			buf, large = small, nil
		}
	}
	return c.cause()
}

// setDeadline bounds how long what the peer has begun may take: its first message from when it connected, and any other from
// when its first bytes were read. A peer that says nothing between messages may do so for as long as it likes.
func (c *conn) setDeadline() {
	switch {
	case c.door == nil:
	case c.client == 0:
		if c.awaited < 0 {
			c.awaited = 0
			c.await(c.limits.HelloTimeout)
		}
	case c.split.partial():
		if c.awaited != c.frames {
			c.awaited = c.frames
			c.await(c.limits.MessageTimeout)
		}
	case c.awaited >= 0:
		c.awaited = -1
		c.await(0)
	}
}

// await sets the deadline of reading, 0 for none, unless reading is to end anyway.
func (c *conn) await(d time.Duration) {
	var by time.Time
	if d > 0 {
		by = time.Now().Add(d)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.why == nil && c.broken == nil {
		_ = c.nc.SetReadDeadline(by) // fails only when it is closed already
	}
}

// ending reports whether there is a reason already for reading to end.
func (c *conn) ending() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.why != nil || c.broken != nil
}

// overdue ends the connection of a peer that has not completed what it began, and tells it why if it can.
func (c *conn) overdue(err error) error {
	if c.ending() {
		return err
	}
	why := fmt.Errorf("%w: a message was not complete %v after its first byte", carrier.ErrTimeout, c.limits.MessageTimeout)
	if c.client == 0 {
		why = fmt.Errorf("%w: nothing was said completely within %v", carrier.ErrTimeout, c.limits.HelloTimeout)
	}
	if c.split != nil {
		c.reply(carrier.Value{}, carrier.Failed(why))
	}
	c.peers.log.Warn("connection closed: what it began to say was not complete in time", "client", c.addr)
	return fmt.Errorf("%w: %w", why, err)
}

// consume deals with every frame that ends in data.
func (c *conn) consume(data []byte) error {
	for len(data) > 0 && !c.closing.Load() {
		if c.split == nil {
			if err := c.guess(data); err != nil {
				return err
			}
		}
		var err error
		if data, err = c.stream(data); err != nil {
			return err
		}
		rest, f, ok := c.split.next(data)
		if !ok {
			break
		}
		c.frames++
		if err := c.receive(f); err != nil {
			return err
		}
		data = rest
	}
	c.deliverSignals()
	return nil
}

// guess selects the dialect by the first byte.
func (c *conn) guess(first []byte) error {
	switch {
	case first[0] == '{' || isSpace(first[0]):
		c.speak(carrier.JSON)
	case first[0] == cborMark[0]:
		c.speak(carrier.CBOR)
	default:
		return c.dismiss(first)
	}
	return nil
}
