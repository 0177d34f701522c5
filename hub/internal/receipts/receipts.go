// Package receipts has signals answered when what they left in the journal is on disk.
package receipts

import (
	"context"
	"reflect"
	"sync/atomic"

	"sighub/carrier"
	"sighub/internal/lockrank"
	"sighub/journal"
)

// A Book lists the clients whose answers wait for commits.
type Book struct {
	ended atomic.Uint64 // the ticket up to which commits have ended
	wake  chan struct{}

	mu      lockrank.Mutex[lockrank.Leaf]
	waiting []*Receipts
}

// NewBook returns a Book without clients.
func NewBook() *Book { return &Book{wake: make(chan struct{}, 1)} }

// End notes that the commits up to a ticket have ended. What waits for them is answered: at once if now is true, which saves a switch
// to another goroutine, or by Serve.
func (b *Book) End(upTo journal.Ticket, now bool) {
	b.ended.Store(uint64(upTo))
	if now {
		b.answer()
	} else {
		b.look()
	}
}

// Ended reports whether the commits up to a ticket have ended.
func (b *Book) Ended(t journal.Ticket) bool { return t <= journal.Ticket(b.ended.Load()) }

func (b *Book) look() {
	select {
	case b.wake <- struct{}{}:
	default:
	}
}

func (b *Book) add(r *Receipts) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.waiting = append(b.waiting, r)
}

// Serve gives answers, until ctx is done and those are given that can be.
func (b *Book) Serve(ctx context.Context) {
	for done := false; ; {
		b.answer()
		if done {
			return
		}
		select {
		case <-b.wake:
		case <-ctx.Done():
			done = true
		}
	}
}

// answer gives what answers can be given.
func (b *Book) answer() {
	b.mu.Lock()
	list := b.waiting
	b.waiting = nil
	b.mu.Unlock()
	for _, r := range list {
		if !r.answer() {
			continue
		}
		if b.add(r); r.ready() { // a commit has ended since, and who ended it did not find r here
			b.look()
		}
	}
}

// Receipts are the answers to one client that wait. They are given in the order in which they were noted.
type Receipts struct {
	Book *Book

	open []receipt // not settled; of the goroutine that handles the client's signals

	mu        lockrank.Mutex[lockrank.Leaf]
	waiting   []receipt // settled; their tickets ascend
	due       []receipt // scratch space of whoever answers
	answering bool
	listed    bool // in the book
}

// A receipt answers signals, or does something else that waits for a commit.
type receipt struct {
	ticket  journal.Ticket
	answers carrier.Answers
	n       int            // signals that are done
	failure *carrier.Reply // the next signal is not; nil: they are
	then    func()         // instead of all that
}

func (r *receipt) give() {
	switch {
	case r.then != nil:
		r.then()
	case r.failure != nil:
		r.answers.Fail(*r.failure)
	default:
		r.answers.Done(r.n)
	}
}

// merge adds another receipt to r, and reports whether that is possible.
func (r *receipt) merge(other *receipt) bool {
	if r.ticket != other.ticket || r.n == 0 || other.n == 0 || !same(r.answers, other.answers) {
		return false
	}
	r.n += other.n
	return true
}

func same(a, b carrier.Answers) bool {
	t := reflect.TypeOf(a)
	return t == reflect.TypeOf(b) && t.Comparable() && a == b
}

// Done notes that the next n signals are done.
func (r *Receipts) Done(a carrier.Answers, n int) {
	if n > 0 {
		r.note(receipt{answers: a, n: n})
	}
}

// Fail notes that the next signal is not done.
func (r *Receipts) Fail(a carrier.Answers, reply carrier.Reply) {
	r.note(receipt{answers: a, failure: &reply})
}

func (r *Receipts) note(next receipt) {
	if n := len(r.open); n == 0 || !r.open[n-1].merge(&next) {
		r.open = append(r.open, next)
	}
}

// Settle has what was noted given when the commit of this ticket has ended; with ticket 0, when it is its turn.
func (r *Receipts) Settle(ticket journal.Ticket) {
	if len(r.open) == 0 {
		return
	}
	r.mu.Lock()
	if r.free(ticket) {
		r.answering = true
		r.mu.Unlock()
		for i := range r.open {
			r.open[i].give()
		}
		r.mu.Lock()
		r.answering = false
		more := len(r.waiting) > 0
		r.mu.Unlock()
		if more {
			r.Book.look()
		}
	} else {
		for i := range r.open {
			r.push(ticket, &r.open[i])
		}
		r.pushed()
	}
	clear(r.open)
	r.open = r.open[:0]
}

// Drop forgets what was noted and is not settled: it is never answered.
func (r *Receipts) Drop() {
	clear(r.open)
	r.open = r.open[:0]
}

// After calls then when the commit of this ticket has ended, which may be at once.
func (r *Receipts) After(ticket journal.Ticket, then func()) {
	r.mu.Lock()
	if r.Book.Ended(ticket) {
		r.mu.Unlock()
		then()
		return
	}
	r.push(ticket, &receipt{then: then})
	r.pushed()
}

// ready reports whether an answer can be given.
func (r *Receipts) ready() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return !r.answering && len(r.waiting) > 0 && r.Book.Ended(r.waiting[0].ticket)
}

// free reports whether nothing is in the way of answers with this ticket. The lock is held.
func (r *Receipts) free(ticket journal.Ticket) bool {
	return len(r.waiting) == 0 && !r.answering && r.Book.Ended(ticket)
}

// push puts a receipt behind those that wait. The lock is held.
func (r *Receipts) push(ticket journal.Ticket, next *receipt) {
	next.ticket = ticket
	if n := len(r.waiting); n > 0 {
		last := &r.waiting[n-1]
		next.ticket = max(ticket, last.ticket)
		if last.merge(next) {
			return
		}
	}
	r.waiting = append(r.waiting, *next)
}

// pushed has the book look at what was pushed, now or when a commit has ended. It releases the lock.
func (r *Receipts) pushed() {
	first, list := r.waiting[0].ticket, !r.listed
	r.listed = true
	r.mu.Unlock()
	if list {
		r.Book.add(r)
	}
	if r.Book.Ended(first) { // it has ended meanwhile
		r.Book.look()
	}
}

// answer gives the answers whose commits have ended. It reports whether there are others.
func (r *Receipts) answer() (more bool) {
	lockrank.MustBeFree("signals are answered")
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.answering { // whoever answers has the book look again
		return true
	}
	r.answering = true
	for {
		n := 0
		for n < len(r.waiting) && r.Book.Ended(r.waiting[n].ticket) {
			n++
		}
		if n == 0 {
			break
		}
		r.due = append(r.due[:0], r.waiting[:n]...)
		rest := copy(r.waiting, r.waiting[n:])
		clear(r.waiting[rest:])
		r.waiting = r.waiting[:rest]
		r.mu.Unlock()
		for i := range r.due {
			r.due[i].give()
		}
		clear(r.due)
		r.mu.Lock()
	}
	r.answering = false
	r.listed = len(r.waiting) > 0
	return r.listed
}
