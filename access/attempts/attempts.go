// Package attempts slows down those who try to log in again and again, by their address: one limiter for all protocols.
//
// An address may fail [Burst] times at once, and once each [Interval] after that, which makes five a minute. Each failure that comes
// while it has to wait makes the next wait twice as long, up to [Slowest]. Nobody is banned: whoever stops is as good as new after
// [Forget]. An address is a /64 in IPv6, because whoever has one has all of it. No address is ever slowed down by another one.
package attempts

import (
	"container/list"
	"net/netip"
	"time"

	"sighub/internal/lockrank"
)

// How failed logins are slowed down.
const (
	Burst    = 5
	Interval = 12 * time.Second // five a minute
	Slowest  = 10 * time.Minute
	Forget   = time.Hour // after the last attempt
)

// DefaultAddresses is how many addresses are remembered by default. That takes some 6 MB if all are used, and nothing before.
const DefaultAddresses = 32_768

// A Limiter remembers who failed. The zero Limiter is ready. Its methods may be called from any goroutine.
type Limiter struct {
	// Addresses is how many addresses are remembered: DefaultAddresses if 0. If there are more, the one that tried longest ago is
	// forgotten. So a crowd that is larger than this gains as many attempts as it has addresses, which it has anyway.
	Addresses int
	// Now tells the time, by a clock that is never set: time.Now by default.
	Now func() time.Time

	mu     lockrank.Mutex[lockrank.Leaf]
	byAddr map[netip.Addr]*list.Element
	recent list.List // of *record: the one that tried last is at the front
}

// A record is what is remembered of an address.
type record struct {
	addr  netip.Addr
	last  time.Time     // the last attempt
	full  time.Time     // when all of Burst is there again: GCRA's theoretical arrival time
	pause time.Duration // what the next failure costs
}

// key returns what an address is limited by.
func key(a netip.Addr) netip.Addr {
	a = a.Unmap().WithZone("")
	if a.Is6() {
		p, _ := a.Prefix(64) // it has 128 bits
		return p.Addr()
	}
	return a
}

// An Attempt is one attempt to log in. It counts as failed, unless [Attempt.Succeeded] takes that back.
type Attempt struct {
	limiter *Limiter // nil: it counts nothing
	addr    netip.Addr
	spent   time.Duration
	slower  bool // it has made the next wait longer
}

// Begin says how long an address has to wait before it may try; 0: it may try now, and the attempt counts at once. So many attempts at
// the same time are no way around the limit. An address that is not valid, as that of a Unix socket, never waits.
func (l *Limiter) Begin(a netip.Addr) (at Attempt, wait time.Duration) {
	if !a.IsValid() {
		return Attempt{}, 0
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	now := l.now()
	l.forget(now)
	r := l.record(key(a), now)
	r.last = now
	if wait := r.full.Sub(now) - tolerance(); wait > 0 {
		return Attempt{}, wait
	}
	spent := r.pause
	return Attempt{l, r.addr, spent, r.charge(now)}, 0
}

// tolerance is how far ahead the time of a full burst may be before an address has to wait.
func tolerance() time.Duration { return (Burst - 1) * Interval }

// charge counts a failure. It reports whether that has made the next wait longer.
func (r *record) charge(now time.Time) (slower bool) {
	if r.full.Before(now) {
		r.full = now
	}
	r.full = r.full.Add(r.pause)
	if r.full.Sub(now) <= tolerance() {
		return false
	}
	r.pause = min(2*r.pause, Slowest) // the next one will have to wait
	return true
}

// Failed counts a failed login that [Limiter.Begin] was not asked for, because nobody can guess what it needs: a key, or a token.
func (l *Limiter) Failed(a netip.Addr) {
	if !a.IsValid() {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	now := l.now()
	l.forget(now)
	r := l.record(key(a), now)
	r.last = now
	if r.full.Sub(now) <= Slowest+tolerance() {
		r.charge(now)
	}
}

// Succeeded takes back that the attempt has failed. Earlier failures stay counted: else whoever can log in could guess the passwords of
// others in between.
func (at Attempt) Succeeded() {
	l := at.limiter
	if l == nil {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	e := l.byAddr[at.addr]
	if e == nil {
		return
	}
	r := e.Value.(*record)
	r.full = r.full.Add(-at.spent)
	if at.slower {
		r.pause = max(at.spent, r.pause/2)
	}
	if !r.full.After(l.now()) && r.pause == Interval {
		l.remove(e)
	}
}

// Waits says how long an address has to wait now, and counts nothing.
func (l *Limiter) Waits(a netip.Addr) time.Duration {
	l.mu.Lock()
	defer l.mu.Unlock()
	if e := l.byAddr[key(a)]; e != nil && a.IsValid() {
		now, r := l.now(), e.Value.(*record)
		if now.Sub(r.last) < Forget {
			return max(0, r.full.Sub(now)-tolerance())
		}
	}
	return 0
}

// Len returns how many addresses are remembered.
func (l *Limiter) Len() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.recent.Len()
}

func (l *Limiter) now() time.Time {
	if l.Now != nil {
		return l.Now()
	}
	return time.Now()
}

// record returns the record of an address, and brings it to the front.
func (l *Limiter) record(addr netip.Addr, now time.Time) *record {
	if e := l.byAddr[addr]; e != nil {
		l.recent.MoveToFront(e)
		r := e.Value.(*record)
		if now.Sub(r.last) >= Forget { // forget has not come to it yet
			*r = record{addr: addr, full: now, pause: Interval}
		}
		return r
	}
	most := l.Addresses
	if most <= 0 {
		most = DefaultAddresses
	}
	if l.recent.Len() >= most {
		l.remove(l.recent.Back())
	}
	if l.byAddr == nil {
		l.byAddr = make(map[netip.Addr]*list.Element)
	}
	r := &record{addr: addr, full: now, pause: Interval}
	l.byAddr[addr] = l.recent.PushFront(r)
	return r
}

// forget forgets some of those who have not tried for long. Each call takes two, so that none takes long.
func (l *Limiter) forget(now time.Time) {
	for range 2 {
		e := l.recent.Back()
		if e == nil || now.Sub(e.Value.(*record).last) < Forget {
			return
		}
		l.remove(e)
	}
}

func (l *Limiter) remove(e *list.Element) {
	l.recent.Remove(e)
	delete(l.byAddr, e.Value.(*record).addr)
}
