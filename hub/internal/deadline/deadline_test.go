package deadline

import (
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

type expirer func()

func (e expirer) Expire() { e() }

// TestQueue: each wait ends exactly when its time is over, unless it has ended before, in whatever order they end.
func TestQueue(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := Queue{After: 10 * time.Second}
		begun, waits := time.Now(), [7]Wait{}
		var after [len(waits)]time.Duration
		for i := range waits {
			waits[i].Of = expirer(func() { after[i] = time.Since(begun) })
			q.Begin(&waits[i])
			time.Sleep(time.Second)
		}
		for _, i := range []int{3, 0, 6, 3} { // in the middle, the first, the last, again
			q.End(&waits[i])
		}
		time.Sleep(time.Minute)
		q.End(&waits[1]) // it is over
		synctest.Wait()
		want := [len(waits)]time.Duration{1: 11 * time.Second, 2: 12 * time.Second, 4: 14 * time.Second, 5: 15 * time.Second}
		if after != want {
			t.Errorf("they have expired after %v, want %v", after, want)
		}
		if q.first != nil || q.last != nil || q.armed {
			t.Error("something is left")
		}
		again := time.Now()
		q.Begin(&waits[0])
		time.Sleep(q.After)
		synctest.Wait()
		if after[0] == 0 || time.Since(again) != q.After {
			t.Error("a wait after all others does not end")
		}
	})
}

// TestOneTimer: waits that end in time do not set the timer each, nor keep it from ending one that is late.
func TestOneTimer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := Queue{After: time.Second}
		begun, late := time.Now(), time.Duration(0)
		for range 10_000 {
			var w Wait
			w.Of = expirer(func() { t.Error("a wait that has ended expires") })
			q.Begin(&w)
			time.Sleep(time.Millisecond)
			q.End(&w)
		}
		w := Wait{Of: expirer(func() { late = time.Since(begun) })}
		q.Begin(&w)
		time.Sleep(time.Minute)
		synctest.Wait()
		if late != 11*time.Second {
			t.Errorf("it expires after %v", late)
		}
	})
}
