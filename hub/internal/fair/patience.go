package fair

import (
	"cmp"
	"time"
)

// A Patience is how long senders wait for one client that is slow: in all its listeners and all their events together, for no
// longer than a deadline. It comes back slowly, a whole deadline within [Recovery], or within [PlaceRecovery] for all of a place.
//
// An event that gets through pays for [Grace] of the wait. So a client that takes events as fast as programs usually send them
// holds a faster sender up for as long as it likes, and one that takes fewer does not.
//
// The zero Patience is unspent. The lock of whoever owns it guards it.
type Patience struct {
	spent    time.Duration // without the wait that goes on; less than 0 if some of that is paid back
	at       time.Time     // up to when spent is reckoned; zero: nothing is spent
	holding  bool          // senders are held up since then
	recovery time.Duration // zero: Recovery
}

const (
	// Recovery is how long a spent patience with one client takes to come back.
	Recovery = time.Minute
	// PlaceRecovery is how long that with all clients of a place takes. It is long, so that whoever comes back as a new client each
	// time gains nothing by that.
	PlaceRecovery = 10 * time.Minute
	// Grace is how long a sender may be held up for each of its events at no cost: 10,000 events a second are not slow.
	Grace = 100 * time.Microsecond
)

// Hold notes that senders are held up from now on, until Release. deadline is the longest that the client may hold one up.
func (p *Patience) Hold(now time.Time, deadline time.Duration) {
	if p.holding {
		return
	}
	p.recover(now, deadline)
	p.holding, p.at = true, now
}

// Release notes that nobody is held up any more.
func (p *Patience) Release(now time.Time) {
	if p.holding {
		p.spent = max(p.spent+now.Sub(p.at), 0)
		p.holding, p.at = false, now
	}
}

// Holding reports whether senders are held up.
func (p *Patience) Holding() bool { return p.holding }

// Pass notes that so many events got through. They pay for waits that have ended.
func (p *Patience) Pass(events int) { p.spent = max(p.spent-time.Duration(events)*Grace, 0) }

// payBack gives back some of what is spent, also of the wait that goes on.
func (p *Patience) payBack(d time.Duration) {
	if p.spent -= d; !p.holding {
		p.spent = max(p.spent, 0)
	}
}

// Left returns how much longer senders wait for a client with this deadline.
func (p *Patience) Left(now time.Time, deadline time.Duration) time.Duration {
	spent := p.spent
	if p.holding {
		spent += now.Sub(p.at)
	}
	return deadline - max(spent, 0)
}

// Spent returns what is spent by now, of a client with this deadline.
func (p *Patience) Spent(now time.Time, deadline time.Duration) time.Duration {
	q := *p
	q.Release(now)
	q.recover(now, deadline)
	return q.spent
}

// recover reckons what has come back since nobody was held up any more.
func (p *Patience) recover(now time.Time, deadline time.Duration) {
	p.spent = max(p.spent-recovered(deadline, now.Sub(p.at), cmp.Or(p.recovery, Recovery)), 0) // since the zero time, too
	p.at = now
}

// recovered returns how much of a deadline comes back within a time.
func recovered(deadline, within, recovery time.Duration) time.Duration {
	return time.Duration(float64(deadline) * float64(min(within, recovery)) / float64(recovery))
}
