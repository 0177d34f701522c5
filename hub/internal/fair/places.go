package fair

import (
	"sync"
	"time"
)

// Places knows how much patience senders have with the clients of each place, an IP address for example, so that many clients
// do not hold senders up in turn, nor does one that connects again and again. The zero Places is ready for use.
type Places struct {
	mu    sync.Mutex
	known map[string]*Place
	swept time.Time // when places were last removed that were only known for what is spent of them
}

// sweepEvery is how often they are removed at the most.
const sweepEvery = time.Second

// A Place is where clients are that may be one. Senders wait for all of them together, one after the other, no longer than for two
// of them, or than for one whose deadline is Longest or more. It is safe for concurrent use, and nothing is locked under its lock.
type Place struct {
	mu       sync.Mutex
	patience Patience
	deadline time.Duration // of all together
	holding  int           // clients that hold senders up
	share    time.Duration // of a client that had held them up all the time: those who do so at a time have equal shares
	changed  time.Time     // up to when share is reckoned
	returned time.Duration // how much patience has come back since the place is known, whether or not so much was spent
	clients  int           // under the lock of Places
}

// Enter returns the place of that name, for a client that connects.
func (ps *Places) Enter(name string) *Place {
	ps.mu.Lock()
	defer ps.mu.Unlock()
	p := ps.known[name]
	if p == nil {
		ps.sweep(time.Now())
		if ps.known == nil {
			ps.known = make(map[string]*Place)
		}
		p = &Place{patience: Patience{recovery: PlaceRecovery}}
		ps.known[name] = p
	}
	p.clients++
	return p
}

func (ps *Places) sweep(now time.Time) {
	if now.Sub(ps.swept) < sweepEvery {
		return
	}
	ps.swept = now
	for name, p := range ps.known {
		if p.clients == 0 && p.spentBy(now) == 0 {
			delete(ps.known, name)
		}
	}
}

// Leave counts a client out that has gone.
func (ps *Places) Leave(name string) {
	ps.mu.Lock()
	defer ps.mu.Unlock()
	p := ps.known[name]
	if p.clients--; p.clients == 0 && p.spentBy(time.Now()) == 0 {
		delete(ps.known, name)
	}
}

// Longest is how long senders wait for all clients of a place together, unless one of them alone has a longer deadline.
const Longest = 5 * time.Second

// Hold notes that a client with this deadline holds senders up, until Release, which is told the mark.
func (p *Place) Hold(now time.Time, deadline time.Duration) (mark time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.reckon(now)
	p.returned = p.returnedBy(now)
	p.deadline = max(p.deadline, deadline, min(2*deadline, Longest))
	p.patience.Hold(now, p.deadline)
	p.holding++
	return p.share
}

// Release notes that a client no longer holds senders up, and returns its share of the time for which senders were held up. That is what
// it may pay back: see Pay. Many clients that are fast pay for all of it, and none pays for a slow one beside it.
func (p *Place) Release(now time.Time, mark time.Duration) (share time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.reckon(now)
	if p.holding--; p.holding == 0 {
		p.patience.Release(now)
	}
	return p.share - mark
}

// Pay gives back some of a client's share, because events got through: see [Grace].
func (p *Place) Pay(d time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.patience.payBack(d)
}

// hasReturned returns how much patience has come back by now since the place is known, whether or not so much was spent.
func (p *Place) hasReturned(now time.Time) time.Duration {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.returnedBy(now)
}

// returnedBy is hasReturned for whoever holds the lock.
func (p *Place) returnedBy(now time.Time) time.Duration {
	if p.holding > 0 {
		return p.returned
	}
	return p.returned + recovered(p.deadline, now.Sub(p.patience.at), PlaceRecovery)
}

// reckon brings share up to date. The lock is held.
func (p *Place) reckon(now time.Time) {
	if p.holding > 0 {
		p.share += now.Sub(p.changed) / time.Duration(p.holding)
	}
	p.changed = now
}

// Left returns how much longer senders wait for the clients there.
func (p *Place) Left(now time.Time) time.Duration {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.patience.Left(now, p.deadline)
}

// spentBy returns what is spent by now.
func (p *Place) spentBy(now time.Time) time.Duration {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.patience.Spent(now, p.deadline)
}
