package tcp

import (
	"errors"
	"fmt"
	"runtime"
	"sync/atomic"
	"time"

	"sighub/carrier"
	"sighub/internal/buffers"
	"sighub/internal/lockrank"
	"sighub/listen"
)

var errWriterClosed = errors.New("tcp: connection closed")

// A writer writes packets to a connection in the order in which they are put. It writes at once when the
// connection is idle; what is put while it is busy goes out together. Its goroutine exists only while there
// is something to write, and a little longer: see rest.
type writer struct {
	nc         listen.Conn
	json       bool
	connecting bool        // this is the end that connects
	lines      bool        // JSON values end with a line, although the peer has not said hello: it has tried to
	unmarked   bool        // the mark of a CBOR stream must precede the first packet: see begin
	closing    bool        // nobody waits any more
	running    atomic.Bool // somebody writes; set under the lock
	resting    atomic.Bool // the goroutine rests, and others may write; set under the lock
	ended      atomic.Bool // nobody waits any more, or nothing is written any more
	timeout    time.Duration
	buffers    *buffers.Pool
	failed     func(error)     // called once with the error of a failed write, without a lock held
	sent       func(id uint64) // called before a message is written to a legacy peer
	others     func() bool     // reports whether several callers may be about to put messages

	collect atomic.Pointer[func() bool] // submits signals that were put while something was written; may be nil

	mu      lockrank.Mutex[lockrank.Writer]
	pending *[]byte      // packets that wait, framed; nil if none do
	replies int          // how many of them are replies
	owed    int          // messages that were received and whose reply is not written
	lease   lease        // what is held of messages, until they are answered, and of what waits
	charged int          // bytes of it that are pending
	writing int          // likewise, that are being written
	unpaid  int          // bytes of replies that were put without a charge, until nothing is pending
	pace    *legacyPacer // nil once the peer has said hello
	acks    acks
	signals unwritten
	wrote   time.Time
	scratch []byte
	err     error // nothing is written any more
	changed chan struct{}
}

// putMessage queues a message. The error is [carrier.ErrGone] if nothing is written any more, or wraps [carrier.ErrLimit].
func (w *writer) putMessage(packet []byte, id uint64, with *carrier.Together) error {
	w.fetch() // signals that were put before it arrive before it
	w.mu.Lock()
	if w.err != nil {
		w.mu.Unlock()
		return carrier.ErrGone
	}
	if err := w.lease.take(len(packet)); err != nil {
		w.mu.Unlock()
		return err
	}
	w.put(packet, id, len(packet))
	w.unlockAndWrite(with)
	return nil
}

// putReply queues a reply, for which so many bytes were reserved, and gives back what was held for the message.
func (w *writer) putReply(packet []byte, reserved, held int, with *carrier.Together) {
	w.fetch()
	w.mu.Lock()
	w.lease.give(held)
	if w.err == nil {
		w.put(packet, 0, reserved)
	}
	w.unlockAndWrite(with)
}

// put queues a packet; id is a message's, and 0 for a reply. So many bytes are leased for it until it is written. The lock is
// held.
func (w *writer) put(packet []byte, id uint64, charged int) {
	size := w.append(packet)
	if w.pace != nil {
		w.pace.queue = append(w.pace.queue, queued{size: size, charged: charged, id: id})
	}
	if w.charged += charged; charged == 0 {
		w.unpaid += len(packet)
	}
	if id == 0 {
		w.replies++
	}
}

// putSignals queues so many signals, framed, in a buffer that the writer then has. It returns how many bytes of signals wait.
func (w *writer) putSignals(framed *[]byte, signals int) (waiting int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	switch {
	case w.err != nil:
		w.buffers.Put(framed)
		return 0
	case w.pending == nil && (w.json || !w.unmarked):
		w.pending = framed
		w.signals.add(signals, len(*framed))
	default:
		size := w.begin()
		*w.pending = append(*w.pending, *framed...)
		w.signals.add(signals, len(*w.pending)-size)
		w.buffers.Put(framed)
	}
	return w.signals.queued
}

// begin makes sure that a packet can be appended to what is pending, whose size in bytes it returns. The mark of a stream is not written
// earlier, because a connection may end without a packet, and a mark alone is useless. The lock is held.
func (w *writer) begin() (size int) {
	if w.pending == nil {
		w.pending = w.buffers.Get()
	}
	size = len(*w.pending)
	if w.unmarked && !w.json {
		*w.pending, w.unmarked = append(*w.pending, cborMark...), false
	}
	return size
}

// append appends a packet to what is pending, framed, and returns its size on the wire. The lock is held.
func (w *writer) append(packet []byte) int {
	before := w.begin()
	b := *w.pending
	if w.json {
		b = append(b, packet...)
		if w.pace == nil || w.lines {
			b = append(b, '\n')
		}
	} else {
		b = append(carrier.AppendCBORHead(b, carrier.CBORBytes, uint64(len(packet))), packet...)
	}
	*w.pending = b
	return len(b) - before
}

// idle reports whether there is nothing to be written now. The lock is held.
func (w *writer) idle() bool { return w.pending == nil && !w.acks.due() || w.err != nil }

// start starts the goroutine if it is needed. The lock is held.
func (w *writer) start() {
	if !w.running.Load() {
		w.running.Store(true)
		go w.run()
	}
}

// stream ends the legacy rules: the peer can split what arrives together. So many signals are answered without waiting.
func (w *writer) stream(most int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.acks.most = most
	w.pace = nil
	w.notify()
}

// endLines ends JSON values with a line from now on, for a peer whose hello is refused.
func (w *writer) endLines() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.lines = true
}

// received counts a message, which is owed a reply, and leases what it needs until then. In an error, which wraps
// [carrier.ErrLimit], nothing is leased.
func (w *writer) received(f frame) (size int, err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.owed++
	if f.charged > 0 {
		w.lease.adopt(f.charged)
		return f.charged, nil
	}
	size = cap(f.data)
	if err := w.lease.take(size); err != nil {
		return 0, err
	}
	return size, nil
}

// run writes until nothing is pending.
func (w *writer) run() {
	out := w.buffers.Get()
	defer w.buffers.Put(out)
	for {
		// A goroutine that was just started runs before those that wait for the processor, and they may be about to put
		// packets, too. They go first: so one write takes what all of them have put. If none waits, this takes no time.
		runtime.Gosched()
		w.fetch()
		replies, ok := w.take(out)
		if !ok {
			w.fetchLast()
			return
		}
		w.written(replies, w.write(*out))
		if w.rest() {
			return
		}
	}
}

// fetch has signals submitted that were put while something was written, and reports whether there were any.
func (w *writer) fetch() bool {
	submit := w.collect.Load()
	return submit != nil && (*submit)()
}

// fetchLast is called after running has become false: signals may have been put just before, and left to be fetched.
func (w *writer) fetchLast() {
	if !w.fetch() {
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if !w.idle() {
		w.start()
	}
}

// written records that this many replies were written, or the error.
func (w *writer) written(replies int, err error) {
	w.mu.Lock()
	w.lease.give(w.writing)
	w.writing = 0
	if w.pending == nil {
		w.unpaid = 0
	}
	w.owed -= replies
	w.signals.written()
	w.wrote = time.Now()
	if w.pace != nil {
		w.pace.last = w.wrote
	}
	w.notify()
	tell := err != nil && w.err == nil
	if tell {
		w.end(err)
	}
	w.mu.Unlock()
	if tell {
		w.failed(err)
	}
}

// take moves what may be written now to out. If there is nothing, it lets the goroutine end.
func (w *writer) take(out *[]byte) (replies int, ok bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	*out = (*out)[:0]
	if w.pace != nil && w.pending != nil && w.err == nil {
		w.awaitPace()
	}
	if w.idle() {
		w.running.Store(false)
		w.notify()
		return 0, false
	}
	if w.pace != nil {
		return w.takeOne(out)
	}
	w.answerSignals()
	w.signals.take()
	w.writing, w.charged = w.charged, 0
	*out, *w.pending = *w.pending, *out
	w.buffers.Put(w.pending)
	replies, w.pending, w.replies = w.replies, nil, 0
	return replies, true
}

// patience is how many write timeouts a peer has for what is written at a time: one that reads slowly, but reads, is waited
// for, but not for as long as it likes.
const patience = 4

func (w *writer) write(b []byte) error { return w.nc.WriteWithin(b, w.timeout, w.due(time.Now())) }

// due returns when a write must have ended that begins now. The packets for a legacy peer are written one by one: those that
// waited at one time have one time together.
func (w *writer) due(now time.Time) time.Time {
	w.mu.Lock()
	defer w.mu.Unlock()
	p := w.pace
	if p == nil {
		return now.Add(patience * w.timeout)
	}
	if p.due.IsZero() {
		p.due = now.Add(patience * w.timeout)
	}
	return p.due
}

// wait waits until cond, which is called with the lock held, returns true, or stop is closed, or the writer is
// closing. It returns false if stop was closed first.
func (w *writer) wait(stop <-chan struct{}, cond func() bool) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	for !w.closing && !cond() {
		if !awaitChange(w, stop) {
			return false
		}
	}
	return true
}

// check returns what cond does, which is called with the lock held.
func (w *writer) check(cond func() bool) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return cond()
}

// awaitChange gives up the lock, which is held, until the next change or until stop yields something. It returns false in
// the latter case.
func awaitChange[T any](w *writer, stop <-chan T) bool {
	if w.changed == nil {
		w.changed = make(chan struct{})
	}
	changed := w.changed
	w.mu.Unlock()
	defer w.mu.Lock()
	select {
	case <-changed:
		return true
	case <-stop:
		return false
	}
}

func (w *writer) notify() {
	if w.changed != nil {
		close(w.changed)
		w.changed = nil
	}
}

// errUnread is the error of a reply that would wait behind too many others.
var errUnread = fmt.Errorf("%w: replies wait to be read", carrier.ErrLimit)

// reserve leases what a reply needs that waits, after it has given back what was held for the message. If no more than limit bytes may wait, it is an error that they do; but if
// nothing waits, a reply of any size may. A small one may also wait if it cannot be leased: nothing is reserved then.
func (w *writer) reserve(size, limit, held int) (reserved int, err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.lease.give(held)
	if waiting := w.size(); waiting > 0 && waiting+size > limit {
		return 0, errUnread
	}
	if err := w.lease.take(size); err != nil {
		if size <= smallReply {
			err = nil
		}
		return 0, err
	}
	return size, nil
}

// size returns how many bytes of messages and replies are pending; signals have a bound of their own. The lock is held.
func (w *writer) size() int {
	if w.pending == nil {
		return 0
	}
	return len(*w.pending) - w.signals.queued
}

// release ends all waiting: the connection is about to end.
func (w *writer) release() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.closing = true
	w.ended.Store(true)
	w.notify()
}

// end drops what is pending, with the lock held.
func (w *writer) end(err error) {
	if w.err == nil {
		w.err = err
		w.ended.Store(true)
	}
	w.pending, w.acks.done = nil, 0
	w.signals.end()
	w.notify()
}

// awaitReplies waits until every reply is written, but no longer than most. A peer that sends nothing more may still read
// the answers, as in printf … | nc.
func (w *writer) awaitReplies(most time.Duration) {
	late := make(chan struct{})
	defer time.AfterFunc(most, func() { close(late) }).Stop()
	w.wait(late, func() bool { return w.owed == 0 && w.acks.owed <= 0 || w.err != nil })
}

// flush waits until everything is written, at most until the deadline.
func (w *writer) flush(deadline time.Time) {
	t := time.NewTimer(time.Until(deadline))
	defer t.Stop()
	w.fetch()
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.acks.stop(); !w.idle() {
		w.start()
	}
	for w.running.Load() {
		if !awaitChange(w, t.C) {
			return
		}
	}
}

// close drops what is pending and waits for the goroutine; the connection must be closed already.
func (w *writer) close() {
	w.mu.Lock()
	w.end(errWriterClosed)
	w.acks.stop()
	for w.running.Load() || w.resting.Load() {
		awaitChange[struct{}](w, nil)
	}
	w.mu.Unlock()
	w.acks.ending.Wait()
}
