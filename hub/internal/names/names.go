// Package names keeps the names of senders for those who had them.
package names

import (
	"fmt"
	"time"

	"sighub/carrier"
	"sighub/internal/lockrank"
)

// A Client is what is known of a client.
type Client struct {
	UID, Addr string
	Text      string // for people
}

// String returns the text.
func (c Client) String() string { return c.Text }

// Kept are names of senders that restricted clients may not take, so that a device does not take the place of another one
// that is away for a moment.
type Kept struct {
	mu      lockrank.Mutex[lockrank.Leaf]
	own     map[string]bool // the hub's own
	devices leavers
	others  leavers // clients without a uid, so that they use up no room of devices
}

// leavers are clients that have gone, by the names that they had.
type leavers struct {
	byName map[string]leaver
	byAddr map[string]int // how many names are kept, by the client's address
	swept  time.Time      // when names that are kept no longer were last removed
}

// A leaver is a client that had a name.
type leaver struct {
	client Client
	until  time.Time // when others may have the name
}

// KeptFor is how long a name is kept for the client that had it.
const KeptFor = time.Minute

const (
	maxKept       = 4096        // names of devices, and as many of other clients
	maxKeptOfAddr = 512         // of the clients at one address
	sweepEvery    = time.Second // shortest time between two sweeps
)

// Keep keeps a name for a client that has just lost it.
func (k *Kept) Keep(name string, c Client, now time.Time) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if c.UID == "" {
		k.others.keep(name, c, now)
	} else {
		k.devices.keep(name, c, now)
	}
}

func (ls *leavers) keep(name string, c Client, now time.Time) {
	if ls.byName == nil {
		ls.byName, ls.byAddr = make(map[string]leaver), make(map[string]int)
	}
	ls.forget(name)
	full := func() bool { return len(ls.byName) >= maxKept || ls.byAddr[c.Addr] >= maxKeptOfAddr }
	if full() && now.Sub(ls.swept) >= sweepEvery {
		ls.swept = now
		for old, l := range ls.byName {
			if !now.Before(l.until) {
				ls.forget(old)
			}
		}
	}
	if !full() {
		ls.byName[name] = leaver{client: c, until: now.Add(KeptFor)}
		ls.byAddr[c.Addr]++
	}
}

func (ls *leavers) forget(name string) {
	l, known := ls.byName[name]
	if !known {
		return
	}
	delete(ls.byName, name)
	if ls.byAddr[l.client.Addr]--; ls.byAddr[l.client.Addr] == 0 {
		delete(ls.byAddr, l.client.Addr)
	}
}

// Allows returns an error if the name is kept for another one than the client. What comes back, or takes the place of another
// one at the same port, may have it.
func (k *Kept) Allows(name string, c Client, now time.Time) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.own[name] {
		return fmt.Errorf("%w: the sender %s is one of the hub's own", carrier.ErrDenied, name)
	}
	for _, kept := range []*leavers{&k.devices, &k.others} {
		l, known := kept.byName[name]
		if known && now.Before(l.until) && l.client.Addr != c.Addr && (l.client.UID == "" || l.client.UID != c.UID) {
			return fmt.Errorf("%w: the sender %s was that of %s, for which its name is kept for %s after it has gone", carrier.ErrDenied,
				name, l.client, KeptFor)
		}
	}
	return nil
}

// Belongs returns an error if the name is the hub's own, or that of a device that is away, for however long: as long as there is room
// to remember it.
func (k *Kept) Belongs(name string) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.own[name] {
		return fmt.Errorf("%w: the sender %s is one of the hub's own", carrier.ErrDenied, name)
	}
	if _, known := k.devices.byName[name]; known {
		return fmt.Errorf("%w: the sender %s is that of a device, for which its name is kept: only an admin may take it", carrier.ErrDenied, name)
	}
	return nil
}

// Reserve keeps names for the hub itself.
func (k *Kept) Reserve(names ...string) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.own == nil {
		k.own = make(map[string]bool)
	}
	for _, name := range names {
		k.own[name] = true
	}
}
