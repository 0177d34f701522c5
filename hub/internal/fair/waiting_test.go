package fair

import (
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

// TestForgive: what is spent with a client can be forgiven, what is spent with its place cannot.
func TestForgive(t *testing.T) {
	const deadline = 2 * time.Second
	at := time.Unix(1e9, 0)
	w := Waiting{Place: &Place{patience: Patience{recovery: PlaceRecovery}}}
	w.Hold(at, deadline)
	at = at.Add(deadline)
	w.Release(at)
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
