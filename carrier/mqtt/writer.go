package mqtt

import (
	"errors"
	"runtime"
	"sync/atomic"
	"time"

	"sighub/internal/buffers"
	"sighub/internal/lockrank"
	"sighub/listen"
)

const (
	maxReplies = 256 << 10 // bytes of packets other than signals that may wait to be written while the client is read from
	countStep  = 16 << 10
	patience   = 4 // write timeouts for what is written at a time
)

var errClosed = errors.New("mqtt: connection closed")

// A writer writes packets to a connection in the order in which they are put: on the goroutine that flushes it, as far as the system takes
// them, and the rest on one of its own.
type writer struct {
	nc      listen.Conn
	timeout time.Duration
	buffers *buffers.Pool
	taken   func(n uint64)            // called with the lock, when what was put up to a mark is about to be written
	failed  func(error)               // called once with the error of a failed write, without a lock
	written func(n uint64, bytes int) // called when what was put up to a mark was written, without a lock

	mu      lockrank.Mutex[lockrank.Writer]
	pending *[]byte
	replies int         // bytes of it that are no signals
	mark    uint64      // what was put last
	running atomic.Bool // somebody writes; set under the lock
	holding bool        // what is read is being handled; whoever does so flushes then
	err     error       // nothing is written any more
	ended   atomic.Bool
	changed chan struct{}

	queued, writing int           // bytes of signals
	total           *atomic.Int64 // of all connections, about; nil: nobody asks
	counted         int
}

// buffer returns what is pending, to be appended to. The lock is held.
func (w *writer) buffer() *[]byte {
	if w.pending == nil {
		w.pending = w.buffers.Get()
	}
	return w.pending
}

// reply queues a packet that is not a signal, unless nothing is written any more; pack appends it. The lock is held.
func (w *writer) reply(pack func(dst []byte) []byte) {
	if w.err != nil {
		return
	}
	b := w.buffer()
	before := len(*b)
	*b = pack(*b)
	w.replies += len(*b) - before
}

// count counts what waits in the total of all connections, in steps. The lock is held.
func (w *writer) count() {
	waits := w.queued + w.writing
	if d := waits - w.counted; w.total != nil && (d >= countStep || d <= -countStep || waits == 0 && d != 0) {
		w.counted = waits
		w.total.Add(int64(d))
	}
}

// flush writes what is pending, unless somebody does already: whoever writes looks for more under the lock before ending.
func (w *writer) flush() {
	if w.running.Load() {
		return
	}
	w.mu.Lock()
	if w.running.Load() || w.pending == nil || w.err != nil {
		w.mu.Unlock()
		return
	}
	w.running.Store(true)
	w.mu.Unlock()
	w.writeNow()
}

// writeNow writes without waiting. The caller has set running.
func (w *writer) writeNow() {
	for {
		out, mark, ok := w.take()
		if !ok {
			return
		}
		n, all, err := w.nc.TryWrite(*out)
		if err != nil || !all {
			go w.goOn(out, n, mark, err)
			return
		}
		w.wrote(out, mark, nil)
	}
}

// goOn writes the rest of what was begun, unless that has failed already, and then what is pending.
func (w *writer) goOn(out *[]byte, n int, mark uint64, err error) {
	for {
		if err == nil {
			err = w.nc.WriteWithin((*out)[n:], w.timeout, time.Now().Add(patience*w.timeout))
		}
		w.wrote(out, mark, err)
		runtime.Gosched()
		var ok bool
		if out, mark, ok = w.take(); !ok {
			return
		}
		n, err = 0, nil
	}
}

// take takes what is pending. If there is nothing, it ends the writing.
func (w *writer) take() (out *[]byte, mark uint64, ok bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.pending == nil || w.err != nil {
		w.running.Store(false)
		w.notify()
		return nil, 0, false
	}
	out, w.pending = w.pending, nil
	w.queued, w.writing, w.replies = 0, w.queued, 0
	w.taken(w.mark)
	return out, w.mark, true
}

// wrote records that what was taken was written, or the error.
func (w *writer) wrote(out *[]byte, mark uint64, err error) {
	size := len(*out)
	w.buffers.Put(out)
	w.mu.Lock()
	w.writing = 0
	w.count()
	tell := err != nil && w.err == nil
	if tell {
		w.end(err)
	}
	w.notify()
	w.mu.Unlock()
	if tell {
		w.failed(err)
		return
	}
	w.written(mark, size)
}

// end drops what is pending. The lock is held.
func (w *writer) end(err error) {
	if w.err == nil {
		w.err = err
	}
	w.ended.Store(true)
	w.pending, w.queued, w.replies = nil, 0, 0
	w.count()
	w.notify()
}

// Err returns why nothing is written any more.
func (w *writer) Err() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.err
}

func (w *writer) notify() {
	if w.changed != nil {
		close(w.changed)
		w.changed = nil
	}
}

// wait gives up the lock, which is held, until the next change or until stop yields something. It returns false in the latter case.
func wait[T any](w *writer, stop <-chan T) bool {
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

// drain waits until everything is written, but no longer than most.
func (w *writer) drain(most time.Duration) {
	w.flush()
	t := time.NewTimer(most)
	defer t.Stop()
	w.mu.Lock()
	defer w.mu.Unlock()
	for w.running.Load() && wait(w, t.C) { //nolint:revive // it waits
	}
}

// close drops what is pending and waits until nobody writes; the connection must be closed already.
func (w *writer) close() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.end(errClosed)
	for w.running.Load() {
		wait[struct{}](w, nil)
	}
}
