package fair

import "time"

// A Waiting is how long senders wait for one client. It draws on the patience with the client and on that with its place.
// The lock of whoever owns it guards it.
type Waiting struct {
	Place *Place

	patience Patience
	mark     time.Duration // of the place, since senders are held up
	owed     time.Duration // the client's share of what was spent of the place's patience, without what was paid back
	through  int           // events that got through and have paid for nothing yet
}

// Hold notes that senders are held up from now on, until Release. deadline is the longest that the client may hold one up.
func (w *Waiting) Hold(now time.Time, deadline time.Duration) {
	if w.patience.Holding() {
		return
	}
	w.pay()
	w.patience.Hold(now, deadline)
	w.mark = w.Place.Hold(now, deadline)
}

// Release notes that nobody is held up any more.
func (w *Waiting) Release(now time.Time) {
	if !w.patience.Holding() {
		return
	}
	w.patience.Release(now)
	w.owed += w.Place.Release(now, w.mark)
	w.pay()
}

// Holding reports whether senders are held up.
func (w *Waiting) Holding() bool { return w.patience.Holding() }

// Through notes that an event got through to the client. It pays for [Grace] of the wait.
func (w *Waiting) Through() { w.through++ }

// Forgive ends what is spent with the client. What is spent with its place stays.
func (w *Waiting) Forgive() { w.patience, w.through = Patience{}, 0 }

// Left returns how much longer senders wait for the client, if it has this deadline.
func (w *Waiting) Left(now time.Time, deadline time.Duration) time.Duration {
	if w.through > 0 && w.Holding() {
		w.Release(now)
		w.Hold(now, deadline)
	}
	return min(w.patience.Left(now, deadline), w.Place.Left(now))
}

// pay lets the events that got through pay.
func (w *Waiting) pay() {
	if d := min(time.Duration(w.through)*Grace, w.owed); d > 0 {
		w.owed -= d
		w.Place.Pay(d)
	}
	w.patience.Pass(w.through)
	w.through = 0
}
