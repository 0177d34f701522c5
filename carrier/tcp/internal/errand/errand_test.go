package errand

import (
	"runtime"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// A role is a Reader, and how often another goroutine has read on.
type role struct {
	Reader
	tasks sync.WaitGroup
	other chan struct{}
}

// test calls f on the goroutine that reads, in a bubble, and then ends the reading.
func test(t *testing.T, f func(r *role)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		r := role{other: make(chan struct{}, 10)}
		r.Tasks, r.ReadOn = &r.tasks, func() { r.other <- struct{}{} }
		r.tasks.Go(func() { f(&r) })
		r.tasks.Wait()
	})
}

// give gives functions that each append a number.
func (r *role) give(t *testing.T, list *[]int, numbers ...int) {
	t.Helper()
	for _, n := range numbers {
		if !r.Give(func() { *list = append(*list, n) }) {
			t.Errorf("%d is not taken", n)
		}
	}
}

func wantInts(t *testing.T, got []int, want ...int) {
	t.Helper()
	if len(got) != len(want) {
		t.Fatalf("%v was done, want %v", got, want)
	}
	for i := range got {
		if got[i] != want[i] {
			t.Fatalf("%v was done, want %v", got, want)
		}
	}
}

// TestQuick: errands that are quick run in their order, on the goroutine that reads, which reads on.
func TestQuick(t *testing.T) {
	test(t, func(r *role) {
		var did []int
		for range 100 {
			did = did[:0]
			r.give(t, &did, 1, 2, 3)
			if !r.Has() || !r.Run() || r.Has() {
				t.Error("the goroutine does not read on")
			}
			wantInts(t, did, 1, 2, 3)
			time.Sleep(time.Millisecond)
		}
		r.End()
		if len(r.other) != 0 {
			t.Errorf("%d other goroutines have read", len(r.other))
		}
	})
}

// TestLate: while an errand takes long, another goroutine reads on, once, and what is left has goroutines of its own.
func TestLate(t *testing.T) {
	for _, quickBefore := range []time.Duration{0, patience / 2, patience - 1} {
		test(t, func(r *role) {
			if r.Give(func() {}); !r.Run() {
				t.Error("a quick errand is taken for a slow one")
			}
			time.Sleep(quickBefore)
			var left []int
			r.Give(func() {
				begun := time.Now()
				<-r.other
				synctest.Wait()
				if late := time.Since(begun); late < patience/2 || late > 2*patience {
					t.Errorf("another goroutine reads on after %v", late)
				}
				wantInts(t, left, 1)
				time.Sleep(time.Minute)
			})
			r.give(t, &left, 1)
			if r.Run() {
				t.Error("two goroutines read")
			}
			r.End()
			if n := len(r.other); n != 0 {
				t.Errorf("%d more goroutines have read", n)
			}
		})
	}
}

// TestResume: whoever is about to wait for the connection has another goroutine read on at once, in an errand and elsewhere.
func TestResume(t *testing.T) {
	test(t, func(r *role) {
		r.Resume() // nobody is on an errand
		synctest.Wait()
		if len(r.other) != 0 {
			t.Error("another goroutine reads, too")
		}
		begun := time.Now()
		r.Give(func() {
			r.Resume()
			r.Resume()
			synctest.Wait()
			if len(r.other) != 1 || time.Since(begun) > 0 {
				t.Errorf("%d other goroutines read after %v", len(r.other), time.Since(begun))
			}
		})
		if r.Run() {
			t.Error("two goroutines read")
		}
		r.Resume()
		r.End()
		if len(r.other) != 1 {
			t.Errorf("%d other goroutines have read", len(r.other))
		}
	})
}

// TestRest: after errands that took long, others have goroutines of their own for a time, in proportion.
func TestRest(t *testing.T) {
	test(t, func(r *role) {
		const took = 2 * quick
		var left []int
		r.Give(func() { time.Sleep(took) })
		r.give(t, &left, 1)
		if !r.Run() {
			t.Error("the goroutine does not read on")
		}
		synctest.Wait()
		wantInts(t, left, 1) // elsewhere: it would have been late
		time.Sleep(rest*took - 1)
		if r.Give(func() {}) {
			t.Error("an errand is taken too early")
		}
		time.Sleep(time.Nanosecond)
		r.give(t, &left, 2)
		r.Run()
		wantInts(t, left, 1, 2)
		r.End()
	})
}

// TestGoexit: an errand that ends its goroutine leaves the reading to another one.
func TestGoexit(t *testing.T) {
	test(t, func(r *role) {
		defer func() {
			synctest.Wait()
			if len(r.other) != 1 {
				t.Errorf("%d other goroutines have read", len(r.other))
			}
			r.End()
		}()
		r.Give(runtime.Goexit)
		r.Run()
		t.Error("the errand returns")
	})
}

// TestSpread: before the goroutine that reads waits, and when it has ended, what was given is done elsewhere.
func TestSpread(t *testing.T) {
	test(t, func(r *role) {
		var did []int
		r.give(t, &did, 1)
		r.Spread()
		synctest.Wait()
		wantInts(t, did, 1)
		r.give(t, &did, 2)
		r.End()
		synctest.Wait()
		wantInts(t, did, 1, 2)
		if r.Give(func() {}) {
			t.Error("an errand is taken after the end")
		}
	})
}
