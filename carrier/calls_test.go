package carrier

import (
	"context"
	"errors"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// A result counts the calls of a done, and keeps the last one.
type result struct {
	mu    sync.Mutex
	count int
	reply Reply
	err   error
}

func (r *result) done(reply Reply, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.count++
	r.reply, r.err = reply, err
}

func (r *result) check(t *testing.T, what string, count int, status Status, err error) {
	t.Helper()
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.count != count || r.reply.Status != status || !errors.Is(r.err, err) || (err == nil) != (r.err == nil) {
		t.Errorf("%s: done was called %d times, with %d, %v, want %d times, %d, %v",
			what, r.count, r.reply.Status, r.err, count, status, err)
	}
}

func begin(ctx context.Context, t *testing.T, c *Calls, r *result) uint64 {
	t.Helper()
	id, err := c.Begin(ctx, r.done)
	if err != nil {
		t.Fatal(err)
	}
	return id
}

func TestCallsAnswer(t *testing.T) {
	c := NewCalls(2)
	var a, b result
	first, second := begin(t.Context(), t, c, &a), begin(context.Background(), t, c, &b)
	if first == second || c.Outstanding() != 2 {
		t.Errorf("ids %d and %d, %d outstanding", first, second, c.Outstanding())
	}
	if c.Answer(99, Reply{}) {
		t.Error("a reply to no message is taken")
	}
	if !c.Answer(second, Reply{Status: -7}) || c.Answer(second, Reply{}) {
		t.Error("a message has one reply")
	}
	b.check(t, "second", 1, -7, nil)
	a.check(t, "first", 0, 0, nil)
	if !c.Answer(first, Done(nil)) || c.Outstanding() != 0 {
		t.Error("the first one is still outstanding")
	}
	a.check(t, "first", 1, 0, nil)
}

func TestCallsWindowIsFirstComeFirstServed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := NewCalls(1)
		var held result
		id := begin(context.Background(), t, c, &held)
		var mu sync.Mutex
		var order []int
		ids := make(chan uint64, 10)
		for i := range 10 {
			go func() {
				got, err := c.Begin(context.Background(), nil)
				if err != nil {
					t.Error(err)
				}
				mu.Lock()
				order = append(order, i)
				mu.Unlock()
				ids <- got
			}()
			synctest.Wait()
		}
		for range 10 {
			c.Answer(id, Reply{})
			id = <-ids
		}
		if !slices.IsSorted(order) || len(order) != 10 {
			t.Errorf("let in in the order %v", order)
		}
		c.Answer(id, Reply{})
	})
}

// A place that becomes free belongs to who waited for it, not to who asks just then.
func TestCallsNobodyOvertakes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := NewCalls(1)
		id := begin(context.Background(), t, c, new(result))
		waited := make(chan uint64)
		go func() {
			got, err := c.Begin(context.Background(), nil)
			if err != nil {
				t.Error(err)
			}
			waited <- got
		}()
		synctest.Wait()
		c.Answer(id, Reply{})
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if _, err := c.Begin(ctx, nil); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("the place was taken from who waited: %v", err)
		}
		c.Answer(<-waited, Reply{})
	})
}

func TestCallsSetWindow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := NewCalls(0)
		var begun atomic.Int32
		for range 5 {
			go func() {
				if _, err := c.Begin(context.Background(), nil); err == nil {
					begun.Add(1)
				}
			}()
		}
		for _, window := range []int{0, 2, 1, 4} {
			c.SetWindow(window)
			synctest.Wait()
			if want := max(int32(window), begun.Load()); begun.Load() != want || int(begun.Load()) != c.Outstanding() {
				t.Errorf("window %d: %d have begun", window, begun.Load())
			}
		}
		c.Fail(ErrGone)
	})
}

func TestCallsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := NewCalls(1)
		cancelled, cancel := context.WithCancel(t.Context())
		cancel()
		var never, late, waiting result
		if _, err := c.Begin(cancelled, never.done); !errors.Is(err, context.Canceled) {
			t.Errorf("begin with a context that is done: %v", err)
		}

		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		id := begin(ctx, t, c, &late)
		second, cancel := context.WithTimeout(t.Context(), 2*time.Second)
		defer cancel()
		_, err := c.Begin(second, waiting.done)
		if !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("the first one's place was given away before it was answered: %v", err)
		}
		late.check(t, "late", 1, 0, context.DeadlineExceeded)
		if c.Outstanding() != 1 {
			t.Error("the client has its message no more")
		}
		if !c.Answer(id, Done(nil)) || c.Outstanding() != 0 {
			t.Error("a late reply frees no place")
		}
		late.check(t, "late", 1, 0, context.DeadlineExceeded)
		never.check(t, "never", 0, 0, nil)
		waiting.check(t, "waiting", 0, 0, nil)

		var answered result
		ctx, cancel = context.WithCancel(t.Context())
		c.Answer(begin(ctx, t, c, &answered), Reply{Status: -7})
		cancel()
		synctest.Wait()
		answered.check(t, "answered", 1, -7, nil)
	})
}

// Who gives up just as a place is kept for it passes the place on.
func TestCallsGivingUpPassesThePlaceOn(t *testing.T) {
	for range 200 {
		c := NewCalls(1)
		id := begin(context.Background(), t, c, new(result))
		ctx, cancel := context.WithCancel(t.Context())
		ids := make(chan uint64, 2)
		var wg sync.WaitGroup
		wg.Go(func() {
			if id, err := c.Begin(ctx, nil); err == nil {
				ids <- id
			}
		})
		wg.Go(cancel)
		wg.Go(func() { c.Answer(id, Reply{}) })
		wg.Wait()
		select {
		case id := <-ids:
			c.Answer(id, Reply{})
		default:
		}
		ctx, cancel = context.WithTimeout(t.Context(), 30*time.Second)
		if _, err := c.Begin(ctx, nil); err != nil {
			t.Fatalf("the place is lost: %v", err)
		}
		cancel()
	}
}

func TestCallsCancelAndDrop(t *testing.T) {
	c := NewCalls(1)
	var cancelled, dropped, expired result
	id := begin(context.Background(), t, c, &cancelled)
	c.Cancel(id, ErrTimeout)
	c.Cancel(id, ErrTimeout)
	cancelled.check(t, "cancelled", 1, 0, ErrTimeout)

	id = begin(context.Background(), t, c, &dropped)
	if !c.Drop(id) || c.Drop(id) || c.Answer(id, Reply{}) {
		t.Error("a dropped message is dropped once, and has no reply")
	}
	dropped.check(t, "dropped", 0, 0, nil)

	synctest.Test(t, func(t *testing.T) {
		c := NewCalls(1)
		ctx, cancel := context.WithCancel(t.Context())
		id := begin(ctx, t, c, &expired)
		cancel()
		synctest.Wait()
		if c.Drop(id) || c.Outstanding() != 0 {
			t.Error("done was called already, and the place must be free")
		}
		expired.check(t, "expired", 1, 0, context.Canceled)
	})
	if c.Outstanding() != 0 {
		t.Error("places are taken")
	}
}

func TestCallsFail(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := NewCalls(2)
		gone := errors.Join(ErrGone, ErrUnplugged)
		var a, b, never result
		ctx, cancel := context.WithCancel(t.Context())
		begin(ctx, t, c, &a)
		id := begin(context.Background(), t, c, &b)
		errs := make(chan error, 3)
		for range 3 {
			go func() {
				_, err := c.Begin(context.Background(), never.done)
				errs <- err
			}()
		}
		synctest.Wait()
		c.Fail(gone)
		c.Fail(ErrClosed)
		for range 3 {
			if err := <-errs; !errors.Is(err, ErrUnplugged) {
				t.Errorf("who waits gets %v", err)
			}
		}
		cancel()
		synctest.Wait()
		a.check(t, "a", 1, 0, ErrUnplugged)
		b.check(t, "b", 1, 0, ErrUnplugged)
		if c.Answer(id, Reply{}) || c.Drop(id) || c.Outstanding() != 0 {
			t.Error("something is left")
		}
		if _, err := c.Begin(context.Background(), never.done); !errors.Is(err, ErrUnplugged) {
			t.Errorf("begin after the end: %v", err)
		}
		never.check(t, "never", 0, 0, nil)
	})
}

// Whatever ends a message first, done is called once, or never if Drop or Begin said so.
func TestCallsEndOnce(t *testing.T) {
	const workers, each = 8, 300
	c := NewCalls(3)
	var wg sync.WaitGroup
	for w := range workers {
		wg.Go(func() {
			for i := range each {
				ctx, cancel := context.WithCancel(t.Context())
				ended := make(chan struct{})
				id, err := c.Begin(ctx, func(Reply, error) { close(ended) }) // a second call panics
				if err != nil {
					cancel()
					if !errors.Is(err, ErrGone) || w == 0 {
						t.Errorf("begin: %v", err)
					}
					return
				}
				var dropped atomic.Bool
				var ends sync.WaitGroup
				ends.Go(cancel)
				ends.Go(func() { c.Answer(id, Reply{}) })
				switch i % 3 {
				case 0:
					ends.Go(func() { dropped.Store(c.Drop(id)) })
				case 1:
					ends.Go(func() { c.Cancel(id, ErrTimeout) })
				}
				if w == 0 && i == each-1 {
					ends.Go(func() { c.Fail(ErrGone) })
				}
				ends.Wait()
				if !dropped.Load() {
					<-ended
					continue
				}
				select {
				case <-ended:
					t.Error("done was called for a message that was dropped")
				default:
				}
			}
		})
	}
	wg.Wait()
	if n := c.Outstanding(); n != 0 {
		t.Errorf("%d are outstanding", n)
	}
}
