package hub

import (
	"fmt"
	"time"

	"sighub/carrier"
	"sighub/internal/lockrank"
)

// rightFor are the rights that methods need. All others, such as those of [ServerOptions.Methods], need [carrier.RightList]: they
// tell what there is.
var rightFor = map[string]carrier.Rights{
	methodVersion:        0,
	methodAddSender:      0,
	methodRemoveSender:   0,
	methodSignal:         0,
	methodAddListener:    carrier.RightListen,
	methodRemoveListener: carrier.RightListen,
	methodHistory:        carrier.RightListen,
	methodPosition:       carrier.RightListen,
	methodListCursors:    carrier.RightListen,
	methodRemoveCursor:   carrier.RightListen,
	methodAcknowledge:    carrier.RightListen,
	methodRequest:        carrier.RightRequest,
}

// allowed returns an error unless the client may call a method.
func (c *client) allowed(method string) error {
	if !c.restricted {
		return nil
	}
	need, known := rightFor[method]
	if !known {
		need = carrier.RightList
	}
	if need&^c.may == 0 {
		return nil
	}
	return fmt.Errorf("%w: %s needs the right %q: give it to the client with may at its port", carrier.ErrDenied, method, need)
}

// keptNames are names of senders that restricted clients may not take, so that a device does not take the place of another one
// that is away for a moment.
type keptNames struct {
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
	client ClientInfo
	until  time.Time // when others may have the name
}

const (
	keepName      = time.Minute // for which a name is kept for the client that had it
	maxKept       = 4096        // names of devices, and as many of other clients
	maxKeptOfAddr = 512         // of the clients at one address
	sweepEvery    = time.Second // shortest time between two sweeps
)

// Reserve keeps names of senders for the hub's own: restricted clients may not have them.
func (s *ServerRouter) Reserve(names ...string) {
	k := &s.kept
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.own == nil {
		k.own = make(map[string]bool)
	}
	for _, name := range names {
		k.own[name] = true
	}
}

// keep keeps a name for a client that has just lost it.
func (k *keptNames) keep(name string, c ClientInfo, now time.Time) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if c.UID == "" {
		k.others.keep(name, c, now)
	} else {
		k.devices.keep(name, c, now)
	}
}

func (ls *leavers) keep(name string, c ClientInfo, now time.Time) {
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
		ls.byName[name] = leaver{client: c, until: now.Add(keepName)}
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

// allows returns an error if the name is kept for another one than the client. What comes back, or takes the place of another
// one at the same port, may have it.
func (k *keptNames) allows(name string, c ClientInfo, now time.Time) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.own[name] {
		return fmt.Errorf("%w: the sender %s is one of the hub's own", carrier.ErrDenied, name)
	}
	for _, kept := range []*leavers{&k.devices, &k.others} {
		l, known := kept.byName[name]
		if known && now.Before(l.until) && l.client.Addr != c.Addr && (l.client.UID == "" || l.client.UID != c.UID) {
			return fmt.Errorf("%w: the sender %s was that of %s, for which its name is kept for %s after it has gone", carrier.ErrDenied,
				name, l.client, keepName)
		}
	}
	return nil
}
