package fair

import (
	"math/rand/v2"
	"testing"
	"time"
)

// TestWaiting: a client for which senders wait without a pause is waited for as long as it takes 10,000 events a second, and so are many
// of a place; one that takes fewer has its deadline, and those of its place have two.
func TestWaiting(t *testing.T) {
	const deadline, step = 2 * time.Second, 100 * time.Millisecond
	for _, c := range []struct {
		rates []int         // events a second of each client, for which senders wait all the time
		until time.Duration // how long they wait for the first one; 0: for as long as it likes
	}{
		{[]int{10_500}, 0},
		{[]int{230_000, 230_000, 230_000, 230_000}, 0},
		{[]int{10_500, 10_500, 10_500, 10_500}, 0},
		{[]int{0}, deadline},
		{[]int{5000}, 2 * deadline},
		{[]int{0, 230_000}, deadline},
		{[]int{10_500, 0}, 0},
	} {
		at := time.Unix(1e9, 0)
		place := &Place{patience: Patience{recovery: PlaceRecovery}}
		clients := make([]Waiting, len(c.rates))
		for i := range clients {
			clients[i].Place = place
			clients[i].Hold(at, deadline)
		}
		waited := time.Duration(0)
		for clients[0].Left(at, deadline) > 0 && waited < 10*deadline {
			at = at.Add(step)
			waited += step
			for i := range clients {
				for range c.rates[i] / int(time.Second/step) {
					clients[i].Through()
				}
				if i > 0 && clients[i].Left(at, deadline) <= 0 {
					clients[i].Release(at)
				}
			}
		}
		switch {
		case c.until == 0 && waited < 10*deadline, c.until > 0 && (waited < c.until-step || waited > c.until+step):
			t.Errorf("with %d events a second, senders wait for %s", c.rates, waited)
		}
	}
}

// overdue returns a client, the only one of its place, that has held senders up for its deadline, and the time then.
func overdue(deadline time.Duration) (w Waiting, at time.Time) {
	at = time.Unix(1e9, 0)
	w.Place = &Place{patience: Patience{recovery: PlaceRecovery}}
	w.Hold(at, deadline)
	at = at.Add(deadline)
	w.Release(at)
	return w, at
}

// TestForgive: what is spent with a client can be forgiven, what is spent with its place cannot.
func TestForgive(t *testing.T) {
	const deadline = 2 * time.Second
	w, at := overdue(deadline)
	if left := w.Left(at, deadline); left != 0 {
		t.Errorf("%s is left", left)
	}
	w.Forgive()
	w.Hold(at, deadline)
	at = at.Add(deadline / 2)
	if left := w.Left(at, deadline); left != deadline/2 {
		t.Errorf("%s is left of the deadline after it was forgiven", left)
	}
	w.Release(at)
	w.Forgive()
	if left := w.Left(at, 10*deadline); left != deadline/2 {
		t.Errorf("%s is left with the place, of two deadlines", left)
	}
}

// TestNobodyPaysForOthers: a fast client does not pay for a slow one of its place, however many events it takes.
func TestNobodyPaysForOthers(t *testing.T) {
	const deadline = 2 * time.Second
	at := time.Unix(1e9, 0)
	place := &Place{patience: Patience{recovery: PlaceRecovery}}
	fast, slow := Waiting{Place: place}, Waiting{Place: place}
	hold := func(w *Waiting, d time.Duration) {
		w.Hold(at, deadline)
		at = at.Add(d)
		w.Release(at)
	}
	for range 3 {
		for range 1_000_000 {
			fast.Through()
		}
		hold(&fast, deadline/20)
		for range 1_000_000 {
			fast.Through()
		}
	}
	hold(&slow, deadline)
	for range 3 {
		for range 1_000_000 {
			fast.Through()
		}
		hold(&fast, 0)
	}
	if left := place.Left(at).Round(deadline / 100); left != deadline {
		t.Errorf("%s is left with the place, not %s", left, deadline)
	}
}

// TestSlowOnesDoNotPayTogether: clients of a place that each take few events hold senders up for two deadlines, however many they are,
// and though each connects again before its own deadline is over.
func TestSlowOnesDoNotPayTogether(t *testing.T) {
	const deadline, step, clients, rate = 2 * time.Second, 100 * time.Millisecond, 100, 200 // events a second of each client
	at := time.Unix(1e9, 0)
	place := &Place{patience: Patience{recovery: PlaceRecovery}}
	list := make([]Waiting, clients)
	waited := time.Duration(0)
	for place.Left(at) > 0 || waited == 0 {
		if waited += step; waited > 10*deadline {
			t.Fatalf("senders have waited for %s, and have %s left", waited, place.Left(at))
		}
		for i := range list {
			w := &list[i]
			if w.Place == nil || w.Left(at, deadline) < 2*step {
				w.Release(at)
				*w = Waiting{Place: place}
			}
			w.Hold(at, deadline)
		}
		at = at.Add(step)
		for i := range list {
			for range rate / int(time.Second/step) {
				list[i].Through()
			}
		}
	}
}

// TestDebtsComeBack: a client does not owe for long what comes back to its place anyway, so it cannot save debts up and pay for others.
func TestDebtsComeBack(t *testing.T) {
	const deadline = 2 * time.Second
	at := time.Unix(1e9, 0)
	place := &Place{patience: Patience{recovery: PlaceRecovery}}
	saves := Waiting{Place: place}
	for range 20 {
		saves.Hold(at, deadline)
		at = at.Add(deadline)
		saves.Release(at)
		at = at.Add(PlaceRecovery)
	}
	slow := Waiting{Place: place}
	slow.Hold(at, deadline)
	for range 2 {
		for range 20 * deadline / Grace {
			saves.Through()
		}
		saves.Hold(at, deadline)
		saves.Release(at)
	}
	at = at.Add(deadline)
	if left := place.Left(at); left != deadline {
		t.Errorf("%s is left with the place, not %s", left, deadline)
	}
}

// TestDebtsArePaid: events pay for the whole of what a client still owes to its place, if they pay for as much of its own time.
func TestDebtsArePaid(t *testing.T) {
	const deadline = 2 * time.Second
	w, at := overdue(deadline)
	at = at.Add(PlaceRecovery / 4) // half of it, which is a quarter of two deadlines, comes back
	w.Hold(at, deadline)
	for range deadline / 2 / Grace {
		w.Through()
	}
	w.Release(at)
	if left := w.Place.Left(at); left != 2*deadline {
		t.Errorf("%s is left with the place, not %s", left, 2*deadline)
	}
}

// TestManyEventsPayOnce: however many events get through before senders wait, they count, and pay for nothing that comes later.
func TestManyEventsPayOnce(t *testing.T) {
	const deadline = 2 * time.Second
	at := time.Unix(1e9, 0)
	w := Waiting{Place: &Place{patience: Patience{recovery: PlaceRecovery}}}
	for range 2 {
		w.through = 1<<31 - 1 - 1000 // where an int may have 32 bits
		for range 2000 {
			w.Through()
		}
		if n := w.through; int64(n) >= 1<<31-1 || n <= 0 {
			t.Fatalf("%d events are counted", n)
		}
		w.Hold(at, deadline)
		at = at.Add(deadline / 2)
		w.Release(at)
		if left := w.Left(at, deadline); left != deadline/2 {
			t.Errorf("%s is left", left)
		}
	}
}

// TestOwedIsSpent: whatever the clients of a place do, they do not owe more together than is spent of its patience, so what they pay is
// never credit.
func TestOwedIsSpent(t *testing.T) {
	const deadline = 2 * time.Second
	for seed := range uint64(20) {
		r := rand.New(rand.NewPCG(seed, 0)) //nolint:gosec // the same each time
		at := time.Unix(1e9, 0)
		place := &Place{patience: Patience{recovery: PlaceRecovery}}
		list := make([]Waiting, 5)
		for i := range list {
			list[i].Place = place
		}
		for range 2000 {
			switch w := &list[r.IntN(len(list))]; r.IntN(5) {
			case 0:
				w.Hold(at, deadline)
			case 1:
				w.Release(at)
			case 2:
				w.through += r.IntN(20_000)
			case 3:
				at = at.Add(time.Duration(r.Int64N(int64(time.Second))))
			case 4:
				at = at.Add(time.Duration(r.Int64N(int64(20*time.Minute))) / 50 * time.Duration(r.IntN(50)/49))
			}
			owed := time.Duration(0)
			for i := range list {
				w := &list[i]
				if w.Left(at, deadline) <= 0 {
					w.Release(at)
				}
				q := *w
				if q.settle(place.hasReturned(at)); !w.Holding() {
					owed += q.owed
				}
				if w.owed < 0 || w.held < 0 || w.owed > w.held+time.Millisecond {
					t.Fatalf("%d: a client owes %s of %s", seed, w.owed, w.held)
				}
			}
			place.mu.Lock()
			place.reckon(at)
			for i := range list {
				if w := &list[i]; w.Holding() {
					owed += w.owed + place.share - w.mark
				}
			}
			place.mu.Unlock()
			if spent := place.spentBy(at); owed > spent+time.Millisecond {
				t.Fatalf("%d: %s are owed, and %s are spent", seed, owed, spent)
			}
		}
	}
}
