package fair

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// TestPatience: what is used is gone for all, comes back within a minute while nobody is held up, and not more than there was.
func TestPatience(t *testing.T) {
	const deadline = 2 * time.Second
	at := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	var p Patience
	left := func(want time.Duration) {
		t.Helper()
		if got := p.Left(at, deadline); got.Round(time.Microsecond) != want {
			t.Errorf("%s is left, want %s", got, want)
		}
	}
	left(deadline)
	p.Hold(at, deadline)
	at = at.Add(time.Second)
	left(time.Second)
	p.Hold(at, deadline) // another sender changes nothing
	at = at.Add(time.Second / 2)
	left(time.Second / 2)
	p.Release(at)
	p.Release(at.Add(time.Second))
	left(time.Second / 2)
	at = at.Add(Recovery / 4) // half a second comes back
	if got := p.Spent(at, deadline); got != time.Second {
		t.Errorf("%s is spent", got)
	}
	p.Hold(at, deadline)
	left(time.Second)
	at = at.Add(time.Second)
	left(0)
	p.Release(at)
	at = at.Add(10 * Recovery)
	p.Hold(at, deadline)
	left(deadline)
	at = at.Add(10 * deadline)
	left(-9 * deadline)
	for range 10 * deadline / Grace { // nothing is spent yet that they could pay for
		p.Pass(1)
	}
	p.Release(at)
	for range 9 * deadline / Grace {
		p.Pass(1)
	}
	left(0)
	for range 9 * deadline / Grace {
		p.Pass(1)
	}
	left(deadline)
}

// TestPatienceOfAFastClient: a client for which senders always wait is not slow if it takes 10,000 events a second, in whatever
// portions, and is if it takes fewer.
func TestPatienceOfAFastClient(t *testing.T) {
	const deadline = time.Second
	for _, c := range []struct {
		each, portion int // events
		fast          bool
	}{{10_500, 1, true}, {10_500, 1000, true}, {9000, 1, false}, {9000, 1000, false}, {56, 1, false}} {
		at := time.Unix(0, 0)
		var p Patience
		spent := time.Duration(0)
		for range 100 * c.each / c.portion { // for 100 s
			p.Hold(at, deadline)
			at = at.Add(time.Second * time.Duration(c.portion) / time.Duration(c.each))
			p.Release(at)
			for range c.portion {
				p.Pass(1)
			}
			spent = max(spent, deadline-p.Left(at, deadline))
		}
		if fast := spent < deadline; fast != c.fast {
			t.Errorf("%d events a second, %d at a time: %s is spent", c.each, c.portion, spent)
		}
	}
}

// TestPace: work takes half of the time, after a burst, whoever does it.
func TestPace(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const count, each = 200, time.Millisecond / 2
		for _, goroutines := range []int{1, 10} {
			var p Pace
			var wait sync.WaitGroup
			start := time.Now()
			for range goroutines {
				wait.Go(func() {
					for range count / goroutines {
						p.Do(t.Context(), func() { time.Sleep(each) })
					}
				})
			}
			wait.Wait()
			if took, want := time.Since(start), 2*count*each; took < want-4*Burst || took > want+4*Burst {
				t.Errorf("%d goroutines: the work took %s, want %s", goroutines, took, want)
			}
			time.Sleep(time.Second)
			start = time.Now()
			p.Do(t.Context(), func() {})
			if took := time.Since(start); took > 0 {
				t.Errorf("after a rest, the first work waits for %s", took)
			}
		}
	})
}

// TestPaceStartsFew: of much work that is wanted at once, only some begins.
func TestPaceStartsFew(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var p Pace
		var wait sync.WaitGroup
		var mu sync.Mutex
		running, most := 0, 0
		for range 100 {
			wait.Go(func() {
				p.Do(t.Context(), func() {
					mu.Lock()
					running++
					most = max(most, running)
					mu.Unlock()
					time.Sleep(100 * time.Microsecond)
					mu.Lock()
					running--
					mu.Unlock()
				})
			})
		}
		wait.Wait()
		if most > int(Burst/time.Millisecond)+1 {
			t.Errorf("%d run at once", most)
		}
	})
}

// TestPaceOfShortWork: many that want short work at once wait for what the others really take, and not for what was expected.
func TestPaceOfShortWork(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const count, each = 10_000, 10 * time.Microsecond
		var p Pace
		var wait sync.WaitGroup
		start := time.Now()
		for range count {
			wait.Go(func() { p.Do(t.Context(), func() { time.Sleep(each) }) })
		}
		wait.Wait()
		if took, most := time.Since(start), (1+rest)*count*each+4*Burst; took > most {
			t.Errorf("the work took %s, more than %s", took, most)
		}
	})
}

// TestPaceIsGivenUp: work is not done that is given up while it waits for its turn, and does not keep others from theirs.
func TestPaceIsGivenUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var p Pace
		p.next = time.Now().Add((1 + rest) * 10 * expected)
		ended, cancel := context.WithCancel(t.Context())
		cancel()
		for range 100 {
			p.Do(ended, func() { t.Error("work that was given up is done") })
		}
		start := time.Now()
		p.Do(t.Context(), func() {})
		if took, want := time.Since(start), (1+rest)*(10*expected-Burst); took != want {
			t.Errorf("the next work waits for %s, want %s", took, want)
		}
	})
}

// TestPaceOfWorkThatWaits: work that waits for something, such as a callback, does not keep others from theirs for long.
func TestPaceOfWorkThatWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var p Pace
		var wait sync.WaitGroup
		wait.Go(func() { p.Do(t.Context(), func() { time.Sleep(time.Hour) }) })
		synctest.Wait()
		for range 2 {
			start := time.Now()
			p.Do(t.Context(), func() {})
			if took := time.Since(start); took > 0 {
				t.Errorf("other work waits for %s", took)
			}
			wait.Wait()
		}
	})
}

// TestPlacesAreForgotten: a place is known for as long as a client is there, or something is spent.
func TestPlacesAreForgotten(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var ps Places
		for i := range 1000 {
			name := fmt.Sprint(i)
			p := ps.Enter(name)
			if i%10 == 0 {
				p.Hold(time.Now(), time.Second)
				time.Sleep(time.Second / 2)
				p.Release(time.Now(), 0)
			}
			ps.Leave(name)
		}
		if n := len(ps.known); n == 0 || n > 100 {
			t.Errorf("%d places are known", n)
		}
		time.Sleep(PlaceRecovery)
		ps.Leave(func() string { ps.Enter("here"); return "here" }())
		if n := len(ps.known); n != 0 {
			t.Errorf("after ten minutes, %d places are known", n)
		}
	})
}

// TestPlaceIsPaidBack: what a client has spent it may pay back, and of what several have spent at a time each its part.
func TestPlaceIsPaidBack(t *testing.T) {
	const deadline = 2 * time.Second
	at := time.Unix(1e9, 0)
	p := &Place{patience: Patience{recovery: PlaceRecovery}}
	first := p.Hold(at, deadline)
	at = at.Add(300 * time.Millisecond)
	second := p.Hold(at, deadline)
	at = at.Add(400 * time.Millisecond)
	if share := p.Release(at, first); share != 500*time.Millisecond {
		t.Errorf("the first one's share is %s", share)
	}
	at = at.Add(500 * time.Millisecond)
	if share := p.Release(at, second); share != 700*time.Millisecond {
		t.Errorf("the second one's share is %s", share)
	}
	if left := p.Left(at); left != 2*deadline-1200*time.Millisecond {
		t.Errorf("%s is left", left)
	}
	p.Pay(800 * time.Millisecond)
	if left := p.Left(at); left != 2*deadline-400*time.Millisecond {
		t.Errorf("%s is left after some was paid back", left)
	}
	p.Pay(time.Hour)
	if left := p.Left(at); left != 2*deadline {
		t.Errorf("%s is left after all was paid back", left)
	}
}

// TestManyAtAPlace: ten clients that hold senders up at a time and take events fast pay for all of it; a slow one beside them stays in
// debt.
func TestManyAtAPlace(t *testing.T) {
	const deadline = 2 * time.Second
	for _, slow := range []int{0, 1} {
		at := time.Unix(1e9, 0)
		p := &Place{patience: Patience{recovery: PlaceRecovery}}
		for range 100 {
			var marks [10]time.Duration
			for i := range marks {
				marks[i] = p.Hold(at, deadline)
			}
			at = at.Add(20 * time.Millisecond)
			for i, mark := range marks {
				if share := p.Release(at, mark); i >= slow {
					p.Pay(share)
				}
			}
		}
		want := 2*deadline - time.Duration(slow)*200*time.Millisecond // a tenth of two seconds
		if left := p.Left(at); left < want || left > want+10*time.Millisecond {
			t.Errorf("with %d slow ones, %s is left, not %s", slow, left, want)
		}
	}
}

// TestDeadlineOfAPlace: all clients of a place have two deadlines, but not more than Longest, unless one of them has more alone.
func TestDeadlineOfAPlace(t *testing.T) {
	for deadline, want := range map[time.Duration]time.Duration{
		time.Second: 2 * time.Second, 2 * time.Second: 4 * time.Second, 4 * time.Second: Longest, Longest: Longest, time.Minute: time.Minute,
	} {
		var p Place
		at := time.Unix(1e9, 0)
		p.Release(at, p.Hold(at, deadline))
		if got := p.Left(at); got != want {
			t.Errorf("with deadlines of %s, a place has %s, not %s", deadline, got, want)
		}
	}
}
