package receipts

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"testing/synctest"

	"sighub/carrier"
	"sighub/journal"
)

// A recorder notes answers.
type recorder struct {
	mu   sync.Mutex
	list []string
}

func (r *recorder) note(s string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.list = append(r.list, s)
}

func (r *recorder) Done(n int)           { r.note(fmt.Sprint("done ", n)) }
func (r *recorder) Fail(f carrier.Reply) { r.note("failed " + f.Exception) }

func (r *recorder) take() []string {
	synctest.Wait()
	r.mu.Lock()
	defer r.mu.Unlock()
	list := r.list
	r.list = nil
	return list
}

func (r *recorder) want(t *testing.T, want ...string) {
	t.Helper()
	if got := r.take(); !slices.Equal(got, want) {
		t.Errorf("answers %q, want %q", got, want)
	}
}

// bubble calls use with a book that is served.
func bubble(t *testing.T, use func(b *Book)) {
	synctest.Test(t, func(*testing.T) {
		ctx, stop := context.WithCancel(context.Background())
		b := NewBook()
		var serving sync.WaitGroup
		serving.Go(func() { b.Serve(ctx) })
		use(b)
		stop()
		serving.Wait()
	})
}

// TestAnswersAtOnce: whoever ends a commit gives the answers itself if nothing else is to be done.
func TestAnswersAtOnce(t *testing.T) {
	b := NewBook()
	r, a := &Receipts{Book: b}, new(recorder)
	r.Done(a, 2)
	r.Settle(1)
	r.Done(a, 3)
	r.Settle(2)
	b.End(1, true)
	if want := []string{"done 2"}; !slices.Equal(a.list, want) {
		t.Errorf("given: %q, not %q", a.list, want)
	}
	b.End(2, true)
	if want := []string{"done 2", "done 3"}; !slices.Equal(a.list, want) {
		t.Errorf("given: %q, not %q", a.list, want)
	}
}

func TestAnswersWaitForTheirCommit(t *testing.T) {
	bubble(t, func(b *Book) {
		r, a := &Receipts{Book: b}, new(recorder)
		r.Done(a, 2)
		r.Done(a, 3)
		r.Settle(1)
		r.Done(a, 1)
		r.Fail(a, carrier.Reply{Exception: "no"})
		r.Done(a, 4)
		r.Settle(2)
		r.Done(a, 5)
		r.Settle(2)
		a.want(t)
		b.End(1, false)
		a.want(t, "done 5")
		b.End(2, false)
		a.want(t, "done 1", "failed no", "done 9")
		r.Done(a, 1)
		r.Settle(2)
		a.want(t, "done 1")
	})
}

// TestWhatIsNotKeptWaitsForItsTurn: answers go by their order, so what need not wait for the disk waits for what is before it.
func TestWhatIsNotKeptWaitsForItsTurn(t *testing.T) {
	bubble(t, func(b *Book) {
		r, a := &Receipts{Book: b}, new(recorder)
		r.Done(a, 1)
		r.Settle(0)
		a.want(t, "done 1")
		r.Done(a, 1)
		r.Settle(3)
		r.Fail(a, carrier.Reply{Exception: "no"})
		r.Settle(0)
		r.Done(a, 7)
		r.Settle(0)
		a.want(t)
		b.End(3, false)
		a.want(t, "done 1", "failed no", "done 7")
	})
}

// TestOneAnswersAtATime: while an answer is being given, on whatever goroutine, no later one is.
func TestOneAnswersAtATime(t *testing.T) {
	bubble(t, func(b *Book) {
		r, a, gate := &Receipts{Book: b}, new(recorder), make(chan struct{})
		slow := answerFunc(func(s string) { <-gate; a.note("slow " + s) })
		r.Done(slow, 1)
		r.Settle(1)
		b.End(1, false) // the book's goroutine is at it
		synctest.Wait()
		r.Done(a, 2)
		r.Settle(0)
		a.want(t)
		gate <- struct{}{}
		a.want(t, "slow done 1", "done 2")

		r.Done(slow, 3)
		settled := make(chan struct{})
		go func() { r.Settle(0); close(settled) }() // this goroutine is
		synctest.Wait()
		r.After(2, func() { a.note("after") })
		b.End(2, false)
		a.want(t)
		gate <- struct{}{}
		<-settled
		a.want(t, "slow done 3", "after")
	})
}

func TestDropped(t *testing.T) {
	bubble(t, func(b *Book) {
		r, a := &Receipts{Book: b}, new(recorder)
		r.Done(a, 1)
		r.Drop()
		r.Settle(0)
		a.want(t)
	})
}

// answerFunc is an Answers that cannot be compared.
type answerFunc func(string)

func (f answerFunc) Done(n int)           { f(fmt.Sprint("done ", n)) }
func (f answerFunc) Fail(r carrier.Reply) { f("failed " + r.Exception) }

func TestAnswersThatCannotBeCompared(t *testing.T) {
	bubble(t, func(b *Book) {
		r, a := &Receipts{Book: b}, new(recorder)
		for range 2 {
			r.Done(answerFunc(a.note), 1)
			r.Done(answerFunc(a.note), 1)
			r.Settle(1)
		}
		b.End(1, false)
		a.want(t, "done 1", "done 1", "done 1", "done 1")
	})
}

func TestAfter(t *testing.T) {
	bubble(t, func(b *Book) {
		r, a := &Receipts{Book: b}, new(recorder)
		r.After(2, func() { a.note("second") })
		r.After(1, func() { a.note("first") }) // behind the other: their order is that of the calls
		r.After(0, func() { a.note("at once") })
		a.want(t, "at once")
		b.End(1, false)
		a.want(t)
		b.End(2, false)
		a.want(t, "second", "first")
	})
}

// TestAnswersAtTheEnd: when the book is closed, what has been committed is answered, and nothing else.
func TestAnswersAtTheEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, a := NewBook(), new(recorder)
		r := &Receipts{Book: b}
		r.Done(a, 1)
		r.Settle(1)
		r.Done(a, 1)
		r.Settle(2)
		b.End(1, false)
		ctx, stop := context.WithCancel(context.Background())
		stop()
		b.Serve(ctx)
		a.want(t, "done 1")
	})
}

// TestAnswersOfMany: whatever the order in which clients settle and commits end, each answer is given once, in its client's order,
// and none before its commit has ended.
func TestAnswersOfMany(t *testing.T) {
	const clients, frames = 8, 500
	b := NewBook()
	ctx, stop := context.WithCancel(context.Background())
	var serving, working sync.WaitGroup
	serving.Go(func() { b.Serve(ctx) })
	var mu sync.Mutex
	var latest journal.Ticket
	ticket := func(rng *rand.Rand) journal.Ticket {
		mu.Lock()
		defer mu.Unlock()
		if rng.IntN(3) == 0 {
			latest++
		}
		return latest
	}
	end := func(now bool) {
		mu.Lock()
		upTo := latest
		mu.Unlock()
		b.End(upTo, now)
	}
	answers := make([]*counter, clients)
	for i := range answers {
		answers[i] = &counter{t: t, book: b, done: make(chan struct{}), want: frames}
		working.Go(func() {
			rng := rand.New(rand.NewPCG(uint64(i), 1))
			r, a := &Receipts{Book: b}, answers[i]
			for range frames {
				next := ticket(rng)
				if rng.IntN(4) == 0 {
					next = 0
				}
				a.expect(next)
				r.Done(a, 1)
				r.Settle(next)
				if rng.IntN(8) == 0 {
					end(rng.IntN(2) == 0)
				}
			}
		})
	}
	working.Wait()
	end(true)
	for _, a := range answers {
		<-a.done
	}
	stop()
	serving.Wait()
}

// A counter checks that answers come after their commits.
type counter struct {
	t    *testing.T
	book *Book
	done chan struct{}
	want int

	mu      sync.Mutex
	tickets []journal.Ticket
	got     int
}

func (c *counter) expect(ticket journal.Ticket) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.tickets = append(c.tickets, ticket)
}

func (c *counter) Done(n int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for range n {
		if ended := journal.Ticket(c.book.ended.Load()); c.tickets[c.got] > ended {
			c.t.Errorf("answered when %d had ended, not %d", ended, c.tickets[c.got])
		}
		c.got++
	}
	if c.got == c.want {
		close(c.done)
	}
}

func (c *counter) Fail(carrier.Reply) { c.t.Error("a failure") }

// TestAnsweredByEither: whoever ends a commit and the book's own goroutine answer at the same time, and neither relies on the other
// for what it has just put back.
func TestAnsweredByEither(t *testing.T) {
	const rounds = 3000
	b := NewBook()
	ctx, stop := context.WithCancel(context.Background())
	var serving sync.WaitGroup
	serving.Go(func() { b.Serve(ctx) })
	r := &Receipts{Book: b}
	ticket := journal.Ticket(0)
	for range rounds {
		a := &counter{t: t, book: b, done: make(chan struct{}), want: 2}
		for range 2 {
			ticket++
			a.expect(ticket)
			r.Done(a, 1)
			r.Settle(ticket)
		}
		b.End(ticket-1, false)
		b.End(ticket, true)
		<-a.done
	}
	stop()
	serving.Wait()
}
