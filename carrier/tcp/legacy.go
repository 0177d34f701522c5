package tcp

import (
	"fmt"
	"time"

	"sighub/carrier"
)

// legacyMax is how many bytes a legacy peer reads at a time: a message must fit.
const legacyMax = 4096

// legacyHead is how many of them the head of a byte string takes.
const legacyHead = 3

// A legacyPacer keeps the legacy rules: one packet per write, and no write glued to the one before it. The next one
// may go when the peer has replied to the message that was written last, and so must have read it; or, since a
// reply is not replied to, when the peer has had time to read it and its system has acknowledged every byte. How much time
// that is depends on how late the peer was with its replies: it read messages that late. A peer that stands still for the first
// time, or for longer than ever, may still read two messages at once, and lose both. Nothing in the protocol tells when.
//
// Its fields are guarded by the writer's lock.
type legacyPacer struct {
	gap   time.Duration
	slow  time.Duration // how late the peer has been with its replies of late
	began time.Time     // when the last write began
	queue []queued
	last  time.Time // when the last write ended; zero if there was none
	late  int       // packets of the queue that must be written until due
	due   time.Time // zero until the first of them is being written
	id    uint64    // of the message that was written last; 0 if that was a reply
	read  bool      // the peer has replied to it
}

// longestPause bounds what a peer that is late can add to the gap.
const longestPause = time.Second

// pause returns how long the next write waits after one that the peer does not reply to.
func (p *legacyPacer) pause() time.Duration { return p.gap + min(p.slow, longestPause) }

// replied records when the peer has replied to the message that was written last. It is forgotten slowly that it was late.
func (p *legacyPacer) replied(now time.Time) {
	p.read = true
	if late := now.Sub(p.began); late > p.slow {
		p.slow = late
	} else {
		p.slow -= (p.slow - late) / 16
	}
}

// A queued packet is the next size bytes of what is pending.
type queued struct {
	size    int
	charged int    // bytes
	id      uint64 // 0 for a reply
}

// takeOne moves the first packet to out. The lock is held.
func (w *writer) takeOne(out *[]byte) (replies int, ok bool) {
	p := w.pace
	if p.late == 0 {
		p.late, p.due = len(p.queue), time.Time{}
	}
	p.late--
	q := p.queue[0]
	p.queue = p.queue[1:]
	*out = append(*out, (*w.pending)[:q.size]...)
	if rest := copy(*w.pending, (*w.pending)[q.size:]); rest > 0 {
		*w.pending = (*w.pending)[:rest]
	} else {
		w.buffers.Put(w.pending)
		w.pending, p.queue = nil, nil
	}
	w.charged -= q.charged
	w.writing = q.charged
	p.id, p.read, p.began = q.id, false, time.Now()
	if q.id == 0 {
		w.replies--
		return 1, true
	}
	w.sent(q.id)
	return 0, true
}

// awaitPace waits until the next write may go. The lock is held, except while it waits.
func (w *writer) awaitPace() {
	p := w.pace
	next := p.last.Add(p.pause())
	for w.pace != nil && w.err == nil && !p.read && !p.last.IsZero() {
		now := time.Now()
		if !now.Before(next) {
			if !w.nc.Unacknowledged() { // where that is not known, the pause must do
				return
			}
			if now.Sub(p.last) > w.timeout {
				err := fmt.Errorf("%w: nothing was read for %v", carrier.ErrTimeout, w.timeout)
				w.end(err)
				w.mu.Unlock()
				w.failed(err)
				w.mu.Lock()
				return
			}
			next = now.Add(p.pause())
		}
		t := time.NewTimer(next.Sub(now))
		awaitChange(w, t.C)
		t.Stop()
	}
}

// answered records that the peer has replied to a message.
func (w *writer) answered(id uint64) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.pace != nil && w.pace.id == id {
		w.pace.replied(time.Now())
		w.notify()
	}
}
