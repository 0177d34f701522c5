package tcp

import (
	"runtime"
	"time"

	"sighub/carrier"
)

// FlushNow implements [carrier.Flusher]. It writes what is pending on the caller's goroutine, which saves a switch to another. The
// writer's own goroutine writes what would block.
func (w *writer) FlushNow() {
	if w.running.Load() {
		return
	}
	w.mu.Lock()
	if w.running.Load() || w.idle() {
		w.mu.Unlock()
		return
	}
	if w.pace != nil {
		w.start()
		w.mu.Unlock()
		return
	}
	w.running.Store(true)
	w.mu.Unlock()
	w.writeNow()
}

// writeNow is FlushNow for whoever has set running.
func (w *writer) writeNow() {
	out := w.buffers.Get()
	replies, ok := w.take(out)
	if !ok {
		w.buffers.Put(out)
		w.fetchLast()
		return
	}
	n, all, err := w.nc.TryWrite(*out)
	if err != nil || !all {
		go w.goOn(out, n, replies, err)
		return
	}
	w.buffers.Put(out)
	w.written(replies, nil)
	w.mu.Lock()
	if !w.idle() {
		w.mu.Unlock()
		go w.run()
		return
	}
	w.running.Store(false)
	w.notify()
	w.mu.Unlock()
	w.fetchLast()
}

// lull is how long nothing must have been written for a packet to be taken for a lone one.
const lull = 100 * time.Microsecond

// flushSoon writes what is pending: a lone packet at once, and one of many together with those that follow it.
func (w *writer) flushSoon() {
	if w.running.Load() {
		return // whoever writes looks for more under the lock before ending, and so finds what was put
	}
	w.mu.Lock()
	w.unlockAndFlush()
}

// unlockAndFlush is flushSoon for whoever holds the lock, which it gives up.
func (w *writer) unlockAndFlush() {
	if w.running.Load() || w.idle() {
		w.mu.Unlock()
		return
	}
	here := w.resting.Load() || time.Since(w.wrote) > lull
	if !here {
		w.start()
	}
	w.mu.Unlock()
	if here {
		w.FlushNow()
	}
}

// unlockAndWrite gives up the lock, and has what is pending written: together with what else is to be written because of what has
// arrived, or by the caller at the end that connects, or by the writer's goroutine.
func (w *writer) unlockAndWrite(with *carrier.Together) {
	switch {
	case w.running.Load() || w.idle() || with.Join(w):
		w.mu.Unlock()
	case w.connecting && w.pace == nil:
		w.running.Store(true)
		w.mu.Unlock()
		if w.others() {
			// Callers wait for answers, each on a goroutine of its own. Those that are about to put something do so first. A lone
			// caller does not wait for them: the scheduler would wake a thread to look for them.
			runtime.Gosched()
		}
		w.writeNow()
	default:
		w.start()
		w.mu.Unlock()
	}
}

// goOn writes the rest of what was begun, unless that has failed already, and then what is pending.
func (w *writer) goOn(out *[]byte, n, replies int, err error) {
	if err == nil {
		err = w.write((*out)[n:])
	}
	w.written(replies, err)
	w.buffers.Put(out)
	w.run()
}

// While the writer's goroutine rests, signals that are put as fast as they can be are written by the goroutine that puts them, a share at a
// time. If the writer's wrote them all, each would go from one core to another, and in smaller writes. What is less than a share is written
// after the rest.
const (
	share   = 16 << 10               // bytes
	restFor = 200 * time.Microsecond // a millisecond in a process that does nothing else, because epoll waits for whole milliseconds
)

// rest lets the goroutine of a client's writer, which calls it, rest if many signals are unanswered and nothing was submitted to be written.
// Others may write meanwhile. rest reports whether the goroutine is to end, because another one goes on.
func (w *writer) rest() (ends bool) {
	w.mu.Lock()
	if !w.connecting || w.collect.Load() == nil || w.signals.put < carrier.ManySignals || !w.idle() {
		w.mu.Unlock()
		return false
	}
	ends = w.resting.Load()
	w.resting.Store(true)
	w.running.Store(false)
	w.notify()
	w.mu.Unlock()
	if ends {
		return true // the other one fetches what is left
	}
	time.Sleep(restFor)
	w.mu.Lock()
	defer w.mu.Unlock()
	w.resting.Store(false)
	if w.running.Load() {
		return true // whoever writes now fetches what is left
	}
	w.running.Store(true)
	return false
}
