package tcp

import (
	"bytes"
	"fmt"
	"slices"
	"sync/atomic"

	"sighub/carrier"
	"sighub/internal/lockrank"
)

// maxBatch is how many signals are handed on together.
const maxBatch = 1024

// signals are a connection's streams of signals: see [carrier.SignalHandler].
type signals struct {
	window int // unanswered ones that the peer takes; 0: there are no streams

	// Of the reading goroutine.
	in       carrier.InRoutes
	packet   *carrier.SignalPacket // nil: none has come
	batch    []carrier.Signal      // received, and not handed on yet
	answered int                   // likewise, of ours
	charged  int                   // bytes of them in the account: those that are not in the read buffer
	routes   int                   // bytes of the routes in the account

	// Of whoever puts signals, one at a time.
	out    carrier.Routes
	staged *[]byte // framed packets that are not submitted; nil: all are
	put    int     // how many they are
	before int     // bytes of signals that waited to be written when some were submitted last
}

// unpacked returns where a packet is unpacked to. Those who only listen never send one.
func (s *signals) unpacked() *carrier.SignalPacket {
	if s.packet == nil {
		s.packet = new(carrier.SignalPacket)
	}
	return s.packet
}

// stream takes packets of streams of signals from data for as long as they are there in one piece, without copying
// them, and returns what follows.
func (c *conn) stream(data []byte) ([]byte, error) {
	if c.signals.window == 0 || c.split.partial() {
		return data, nil
	}
	if c.writer.json {
		return c.streamLines(data)
	}
	for len(data) > 0 {
		packet, rest, ok := wholePacket(data, c.limits.MaxMessage)
		if !ok || !carrier.IsSignals(c.codec, packet[0]) {
			break
		}
		if err := c.signal(packet); err != nil {
			return nil, err
		}
		data = rest
	}
	return data, nil
}

// longestLine is the length in bytes up to which a packet of JSON is looked for in a line.
const longestLine = smallRead

// streamLines is stream for JSON. Packets may end anywhere, but those that this package writes are lines, and so are most others: where a
// line ends is found much faster than where a value does.
func (c *conn) streamLines(data []byte) ([]byte, error) {
	s := &c.signals
	for {
		for len(data) > 0 && isSpace(data[0]) { // the end of the line of a packet that was found in another way
			data = data[1:]
		}
		if len(data) == 0 || !carrier.IsSignals(c.codec, data[0]) {
			break
		}
		end := bytes.IndexByte(data[:min(len(data), longestLine, c.limits.MaxMessage)], '\n')
		if end < 0 {
			break
		}
		in := s.slot()
		whole, err := s.in.UnpackLine(data[:end:end], in, s.unpacked())
		if !whole {
			break
		}
		if err := c.takeSignal(in, err); err != nil {
			return nil, err
		}
		data = data[end+1:]
	}
	return data, nil
}

// wholePacket returns the packet of a CBOR stream with which data begins, if all of it is there.
func wholePacket(data []byte, limit int) (packet, rest []byte, ok bool) {
	if len(data) >= 2 && data[0] == carrier.CBORBytes<<5|24 { // as most begin; to ask first is quicker than CBORHead
		size := int(data[1])
		if rest = data[2:]; size < 1 || size > min(len(rest), limit) {
			return nil, nil, false
		}
		return rest[:size], rest[size:], true
	}
	major, size, rest, err := carrier.CBORHead(data)
	if err != nil || major != carrier.CBORBytes || size < 1 || size > uint64(min(len(rest), limit)) {
		return nil, nil, false
	}
	return rest[:size], rest[size:], true
}

// signal takes one packet. A malformed one is fatal: what later packets mean depends on it.
func (c *conn) signal(packet []byte) error {
	s := &c.signals
	c.endLarge(packet)
	in := s.slot()
	return c.takeSignal(in, s.in.UnpackTo(c.codec, packet, in, s.unpacked()))
}

// takeSignal takes what was unpacked to the next slot, or the error.
func (c *conn) takeSignal(in *carrier.Signal, err error) error {
	s := &c.signals
	if err != nil {
		c.peers.malformed.Add(1)
		c.peers.log.Warn("connection closed: what follows cannot be read", "client", c.addr, "error", err)
		return err
	}
	if s.in.Size() != s.routes {
		if err := c.chargeRoutes(); err != nil {
			return err
		}
	}
	if in.Route != nil {
		if s.keep(); len(s.batch) >= maxBatch {
			c.deliverSignals()
		}
		return nil
	}
	switch p := s.packet; {
	case p.Failed != nil:
		if err := c.answeredSignals(1); err != nil {
			return err
		}
		c.deliverSignals()
		lockrank.MustBeFree("a handler is called")
		c.peers.signals.SignalsAnswered(c.client, 1, p.Failed)
	default:
		if err := c.answeredSignals(p.Done); err != nil {
			return err
		}
		s.answered += p.Done
	}
	return nil
}

// slot returns the place of the next signal, where it is unpacked. It belongs to the batch once keep is called.
func (s *signals) slot() *carrier.Signal {
	s.batch = slices.Grow(s.batch, 1)
	return &s.batch[:len(s.batch)+1][len(s.batch)]
}

func (s *signals) keep() { s.batch = s.batch[:len(s.batch)+1] }

// chargeRoutes charges the routes that the peer has defined. That there is no room for one is fatal: later signals go by it.
func (c *conn) chargeRoutes() error {
	s := &c.signals
	size := s.in.Size()
	if err := c.account.Take(size - s.routes); err != nil {
		c.peers.log.Warn("connection closed: there is no room for the events that it signals", "client", c.addr, "error", err)
		return err
	}
	c.account.Give(s.routes - size)
	s.routes = size
	return nil
}

// refuseSignal takes a frame that cannot be unpacked, if it is a signal whose route can be read. It is answered in its turn.
func (c *conn) refuseSignal(f frame) bool {
	s := &c.signals
	if s.window == 0 || f.lost || len(f.data) == 0 || !carrier.IsSignals(c.codec, f.data[0]) {
		return false
	}
	in := s.slot()
	if s.in.UnpackTo(c.codec, f.data, in, s.unpacked()) != nil || in.Route == nil {
		return false
	}
	*in = carrier.Signal{Route: in.Route, Err: f.err}
	s.keep()
	return true
}

// answeredSignals records that the peer has answered this many signals. To answer more than it can have read is fatal:
// otherwise, what waits for it to read would have no bound.
func (c *conn) answeredSignals(n int) error {
	w := &c.writer
	w.mu.Lock()
	ok := w.err != nil || w.signals.answered(n)
	w.mu.Unlock()
	if ok {
		return nil
	}
	c.peers.malformed.Add(1)
	c.peers.log.Warn("connection closed: it answers what it cannot have read", "client", c.addr)
	return fmt.Errorf("%w: it answers signals that it cannot have read", carrier.ErrMalformed)
}

// deliverSignals hands on what was received. What the handler answers meanwhile goes out together.
func (c *conn) deliverSignals() {
	s := &c.signals
	if s.charged > 0 {
		defer c.account.Give(s.charged)
		s.charged = 0
	}
	if len(s.batch) == 0 && s.answered == 0 {
		return
	}
	w := &c.writer
	if !c.peers.connecting { // else the two could wait for each other
		c.waitUntil(c.hasRoom)
	}
	c.together.End() // the handler may wait
	w.hold(len(s.batch))
	lockrank.MustBeFree("a handler is called")
	if len(s.batch) > 0 {
		c.peers.signals.HandleSignals(c.client, s.batch, c)
		clear(s.batch)
		s.batch = s.batch[:0]
	}
	if n := s.answered; n > 0 {
		s.answered = 0
		c.peers.signals.SignalsAnswered(c.client, n, nil)
	}
	c.writer.unhold()
	c.together.Begin()
}

// Window implements carrier.SignalSink.
func (c *conn) Window() int { return c.signals.window }

// Put implements carrier.SignalSink. It takes no lock: signals for many connections are put one by one, and submitted together.
func (c *conn) Put(r *carrier.OutRoute, p *carrier.PackedSignal) (pending int, err error) {
	s, json := &c.signals, c.writer.json
	if c.writer.ended.Load() {
		return 0, carrier.ErrGone
	}
	if s.staged == nil {
		s.staged = c.peers.buffers.Get()
	}
	b, known := *s.staged, r.Known()
	start := len(b)
	if known && !json {
		b = carrier.AppendCBORHead(b, carrier.CBORBytes, uint64(p.SizeOn(r)))
	}
	head := len(b)
	b = p.AppendTo(b, &s.out, r)
	size := len(b) - head
	switch {
	case size > c.peerMax:
		if !known {
			s.out.Undo(r)
		}
		if *s.staged = b[:start]; start == 0 { // perhaps nothing is submitted for long
			c.peers.buffers.Put(s.staged)
			s.staged = nil
		}
		return s.before + start, fmt.Errorf("%w: it has %d bytes, and %s takes %d", carrier.ErrTooLarge, size, c.addr, c.peerMax)
	case json:
		b = append(b, '\n')
	case !known: // so the size of the packet was not known
		b = slices.Insert(b, start, carrier.AppendCBORHead(nil, carrier.CBORBytes, uint64(size))...)
	}
	*s.staged = b
	s.put++
	return s.before + len(b), nil
}

// Submit implements carrier.SignalSink.
func (c *conn) Submit() {
	s := &c.signals
	if s.staged == nil {
		return
	}
	s.before = c.writer.putSignals(s.staged, s.put)
	s.staged, s.put = nil, 0
}

// Collect implements carrier.Collector.
func (c *conn) Collect(submit func() bool) { c.writer.collect.Store(&submit) }

// Fetches implements carrier.Collector.
func (c *conn) Fetches(later bool) bool {
	w := &c.writer
	if w.running.Load() {
		return true
	}
	if !later || !w.resting.Load() {
		return false
	}
	staged := c.signals.staged
	return staged == nil || len(*staged) < share
}

// Pending implements carrier.SignalSink.
func (c *conn) Pending() int {
	c.writer.mu.Lock()
	defer c.writer.mu.Unlock()
	s := &c.signals
	if s.before = c.writer.signals.queued; s.staged != nil {
		return s.before + len(*s.staged)
	}
	return s.before
}

// Account implements carrier.SignalSink.
func (c *conn) Account(total *atomic.Int64) {
	c.writer.mu.Lock()
	defer c.writer.mu.Unlock()
	c.writer.signals.total = total
}

// Flush implements carrier.SignalSink.
func (c *conn) Flush(now bool) {
	if now {
		c.writer.FlushNow()
		return
	}
	c.writer.flushSoon()
}

// Swap implements carrier.Swapper.
func (c *conn) Swap(other []carrier.Signal) { c.signals.batch = other }

// Done implements carrier.Answers.
func (c *conn) Done(n int) { c.writer.done(n) }

// Fail implements carrier.Answers.
func (c *conn) Fail(r carrier.Reply) {
	w := &c.writer
	w.mu.Lock()
	if w.err != nil {
		w.mu.Unlock()
		return
	}
	w.answerSignals()
	w.scratch = carrier.AppendFailed(w.scratch[:0], w.json, &r)
	if len(w.scratch) > c.peerMax {
		r.Exception = ""
		w.scratch = carrier.AppendFailed(w.scratch[:0], w.json, &r)
	}
	w.append(w.scratch)
	w.signalAnswered(1)
	if w.acks.held {
		w.mu.Unlock()
		return
	}
	w.unlockAndFlush()
}

// unwritten counts a connection's signals that were put, until they are written and answered. The writer's lock guards it.
type unwritten struct {
	queued  int // bytes that are pending
	writing int // bytes that are being written
	put     int // signals that are not answered
	taken   int // those of them that were taken to be written

	total   *atomic.Int64 // bytes that wait to be written on all connections, about; nil: nobody asks
	counted int           // those of this connection in it
}

// countStep is the step in which bytes are counted in the total, which all connections share.
const countStep = 16 << 10

func (a *unwritten) add(signals, size int) {
	a.put += signals
	a.queued += size
	a.count()
}

// none reports whether all are answered.
func (a *unwritten) none() bool { return a.put == 0 }

// take notes that all that is pending is about to be written.
func (a *unwritten) take() { a.queued, a.writing, a.taken = 0, a.queued, a.put }

func (a *unwritten) written() {
	a.writing = 0
	a.count()
}

// answered takes n signals out, unless the peer cannot have read so many.
func (a *unwritten) answered(n int) bool {
	if n > a.taken {
		return false
	}
	a.put -= n
	a.taken -= n
	return true
}

// end drops everything.
func (a *unwritten) end() {
	*a = unwritten{total: a.total, counted: a.counted}
	a.count()
}

func (a *unwritten) count() {
	waits := a.queued + a.writing
	if d := waits - a.counted; a.total != nil && (d >= countStep || d <= -countStep || waits == 0 && d != 0) {
		a.counted = waits
		a.total.Add(int64(d))
	}
}
