package tcp

import (
	"errors"
	"fmt"
	"io"
	"os"
	"runtime"
	"slices"
	"time"

	"sighub/carrier"
	"sighub/internal/buffers"
	"sighub/listen"
)

const (
	firstRead = 512      // the buffer for a stranger, who may say nothing for long
	smallRead = 4 << 10  // the usual one
	largeRead = 64 << 10 // used while small ones are filled

	// plentyReads is for how many large reads an account must have room for one.
	plentyReads = 96

	// framesInTurn is how many frames are handled before others have a turn: half a millisecond, if each is a reply of JSON.
	framesInTurn = 256
)

// A reader reads from a connection. While it waits it needs no buffer, if the system can do that.
type reader struct {
	nc    listen.Conn
	raw   *rawReader    // nil: not available, or the peer is a stranger yet
	small *buffers.Pool // of smallRead bytes
	large *buffers.Pool // of largeRead bytes
	buf   *[]byte       // nil: none is lent
	more  bool          // the next one shall be large
	first bool          // the peer is a stranger

	account *carrier.Account // of large ones
}

// read reads what there is, at least a byte unless there is an error.
func (r *reader) read() (data []byte, err error) {
	var n int
	if r.raw != nil {
		n, err = r.raw.read(r)
	} else {
		n, err = r.nc.Read(r.lend())
	}
	if r.buf == nil {
		return nil, err
	}
	return (*r.buf)[:n], err
}

// lend returns a buffer.
func (r *reader) lend() []byte {
	switch {
	case r.buf != nil:
	case r.first:
		b := make([]byte, firstRead)
		r.buf = &b
	default:
		pool, size := r.small, smallRead
		if r.more && r.account.Take(largeRead) == nil {
			pool, size = r.large, largeRead
		}
		r.buf = pool.Get()
		*r.buf = slices.Grow(*r.buf, size)[:size]
	}
	return *r.buf
}

// release takes the buffer back.
func (r *reader) release() {
	switch {
	case r.buf == nil:
		return
	case len(*r.buf) == firstRead:
	case len(*r.buf) == largeRead:
		r.large.Put(r.buf)
		r.account.Give(largeRead)
	default:
		r.small.Put(r.buf)
	}
	r.buf = nil
}

// plenty reports whether the account has so much left that the peer may have a large buffer. What a read brings may have to wait to be
// handled, and then takes as much again. With less, many peers of one place that send much would leave each other no room.
func (r *reader) plenty() bool { return r.account.Left() >= plentyReads*largeRead }

// enlarge chooses a large buffer for the next read, if what was read would have filled a small one, or else a small one.
func (r *reader) enlarge(full bool) {
	r.more = full && r.plenty()
	if r.buf != nil && r.more != (len(*r.buf) == largeRead) {
		r.release()
	}
}

func (c *conn) newReader() *reader {
	r := &reader{nc: c.nc, small: &c.peers.smallReads, large: &c.peers.largeReads, account: c.account, first: true}
	if !c.accepted {
		r.known()
	}
	return r
}

// known notes that the peer is not a stranger any more.
func (r *reader) known() {
	r.release()
	r.first, r.raw = false, newRawReader(r.nc)
}

// readAll reads until the connection ends, and returns why it did.
func (c *conn) readAll() error {
	if !c.peers.connecting {
		return c.read()
	}
	c.readEnds = make(chan error, 1)
	c.peers.readers.Go(c.readOn)
	err := <-c.readEnds
	c.errands.End()
	return err
}

// readOn begins to read, or goes on when the goroutine that read has an errand which takes long.
func (c *conn) readOn() {
	c.together.End() // nothing that is ready to be written waits for that errand
	if err := c.read(); !errors.Is(err, errElsewhere) {
		c.readEnds <- err
	}
}

// errElsewhere is the end of a goroutine's reading, because another one reads on.
var errElsewhere = errors.New("tcp: another goroutine reads")

// runErrands does the errands that the read has led to, and reports whether this goroutine is still the one that reads.
func (c *conn) runErrands(r *reader) bool {
	if !c.lends || !c.errands.Has() {
		return true
	}
	r.release() // it may take long
	c.together.Begin()
	if !c.errands.Run() {
		return false
	}
	c.together.End()
	return true
}

// Lend implements [carrier.Reader].
func (c *conn) Lend(f func()) bool {
	return c.lends && c.calls.Outstanding() == 0 && c.writer.check(c.writer.signals.none) && c.errands.Give(f)
}

// Resume implements [carrier.Reader].
func (c *conn) Resume() { c.errands.Resume() }

// read reads until the connection ends, and returns why it did.
func (c *conn) read() error {
	r := c.newReader()
	defer r.release()
	for !c.closing.Load() {
		if r.first && c.client != 0 {
			r.known()
		}
		c.setDeadline()
		data, err := r.read()
		full := len(data) >= smallRead // so there may be more
		c.lends = c.peers.connecting && err == nil
		c.together.Begin()
		failed := c.consume(data)
		c.together.End()
		if failed != nil {
			return failed
		}
		switch {
		case errors.Is(err, io.EOF) && c.split != nil && c.split.partial():
			return fmt.Errorf("%w in the middle of a message: %w", carrier.ErrClosed, err)
		case errors.Is(err, os.ErrDeadlineExceeded) && c.awaited >= 0:
			return c.overdue(err)
		case err != nil:
			return err
		}
		if !c.runErrands(r) {
			return errElsewhere
		}
		r.enlarge(full)
		if full {
			// A peer that sends faster than it is read never waits. Without this, each of many such peers would hold up all
			// others for as long as the scheduler lets it, which is 10 ms.
			runtime.Gosched()
		}
	}
	return c.cause()
}

// setDeadline bounds how long what the peer has begun may take: its first message from when it connected, and any other from
// when its first bytes were read. A peer that says nothing between messages may do so for as long as it likes.
func (c *conn) setDeadline() {
	switch {
	case !c.accepted:
	case c.client == 0:
		c.awaited = 0 // the deadline was set when it connected
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

// waitUntil waits on the reading goroutine until cond, which is called with the writer's lock held, returns true or the connection
// is closing. What was handled so far has its effect first: it may be what cond waits for.
func (c *conn) waitUntil(cond func() bool) {
	if c.writer.check(cond) {
		return
	}
	c.together.End()
	if c.errands != nil {
		c.errands.Spread()
	}
	c.writer.wait(nil, cond)
	c.together.Begin()
}

// endLarge has what was handled so far have its effect before a packet is handled that is so large that it may wait for its turn.
func (c *conn) endLarge(packet []byte) {
	if carrier.NeedsTurn(len(packet)) {
		c.together.End()
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
		c.reply(carrier.Value{}, carrier.Failed(why), 0)
	}
	c.peers.log.Warn("connection closed: what it began to say was not complete in time", "client", c.addr)
	return fmt.Errorf("%w: %w", why, err)
}

// consume deals with every frame that ends in data.
func (c *conn) consume(data []byte) error {
	for n := 1; len(data) > 0 && !c.closing.Load(); n++ {
		if n%framesInTurn == 0 {
			runtime.Gosched() // a full buffer has thousands of small frames, which others would wait for
		}
		if c.split == nil {
			if err := c.guess(data); err != nil {
				return err
			}
		}
		var err error
		if data, err = c.stream(data); err != nil {
			return err
		}
		rest, f, ok := c.cut(data)
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

// cut takes a frame from data, or a part of one. Those that have much to do take turns.
func (c *conn) cut(data []byte) (rest []byte, f frame, ok bool) {
	size := c.split.gathered()
	if size > 0 {
		size += len(data)
	}
	defer carrier.TakeTurn(size)()
	return c.split.next(data)
}

// guess selects the dialect by the first byte.
func (c *conn) guess(first []byte) error {
	switch {
	case beginsJSON(first[0]):
		c.speak(carrier.JSON)
	case beginsCBOR(first[0]):
		c.speak(carrier.CBOR)
	default:
		return errStranger
	}
	return nil
}

func beginsJSON(first byte) bool { return first == '{' || isSpace(first) }
func beginsCBOR(first byte) bool { return first == cborMark[0] }
