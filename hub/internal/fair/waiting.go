package fair

import "time"

// A Waiting is how long senders wait for one client. It draws on the patience with the client and on that with its place.
// The lock of whoever owns it guards it.
type Waiting struct {
	Place *Place

	patience Patience
	mark     time.Duration // of the place, since senders are held up
	held     time.Duration // for how long they were, as far as events have not paid for it
	owed     time.Duration // the client's share of that, which was spent of the place's patience
	returned time.Duration // how much had come back to the place when owed was settled
	through  int           // events that got through and have paid for nothing yet
}

// Hold notes that senders are held up from now on, until Release. deadline is the longest that the client may hold one up.
func (w *Waiting) Hold(now time.Time, deadline time.Duration) {
	if w.patience.Holding() {
		return
	}
	w.settle(w.Place.hasReturned(now))
	w.pay()
	w.patience.Hold(now, deadline)
	w.mark = w.Place.Hold(now, deadline)
}

// Release notes that nobody is held up any more.
func (w *Waiting) Release(now time.Time) {
	if !w.patience.Holding() {
		return
	}
	w.held += now.Sub(w.patience.at)
	w.patience.Release(now)
	w.owed += w.Place.Release(now, w.mark)
	w.pay()
}

// Holding reports whether senders are held up.
func (w *Waiting) Holding() bool { return w.patience.Holding() }

// Through notes that an event got through to the client. It pays for [Grace] of the wait.
func (w *Waiting) Through() {
	if w.through < enough {
		w.through++
	}
}

// enough is how many events pay for all that a client may owe: they may get through for years before senders wait.
const enough = int(time.Hour / Grace)

// Forgive ends what is spent with the client, for which nobody may be held up. What is spent with its place stays.
func (w *Waiting) Forgive() { w.patience, w.through = Patience{}, 0 }

// Left returns how much longer senders wait for the client, if it has this deadline.
func (w *Waiting) Left(now time.Time, deadline time.Duration) time.Duration {
	if w.through > 0 && w.Holding() {
		w.Release(now)
		w.Hold(now, deadline)
	}
	return min(w.patience.Left(now, deadline), w.Place.Left(now))
}

// pay lets the events that got through pay, to the place for as large a part of the client's share as they do of the whole time for
// which it held senders up. Otherwise, many clients that are slow at a time could pay together.
func (w *Waiting) pay() {
	if d := min(time.Duration(w.through)*Grace, w.held); d > 0 {
		share := part(w.owed, d, w.held)
		w.held -= d
		w.owed -= share
		w.Place.Pay(share)
	}
	w.patience.Pass(w.through)
	w.through = 0
}

// settle takes off what is not owed any more, because it has come back to the place by itself.
func (w *Waiting) settle(returned time.Duration) {
	if since := returned - w.returned; since < w.owed {
		w.held -= part(w.held, since, w.owed)
		w.owed -= since
	} else {
		w.held, w.owed = 0, 0
	}
	w.returned = returned
}

// part returns the part of d that a is of b, which is not 0.
func part(d, a, b time.Duration) time.Duration {
	return time.Duration(float64(d) * (float64(a) / float64(b)))
}
