package mqtt

import (
	"cmp"
	"context"
	"encoding/json"
	"maps"
	"slices"
	"time"

	"sighub/carrier"
)

// sweepEvery is how often it is looked for sessions whose time is over, while there are any whose clients are away.
const sweepEvery = time.Minute

// sweep saves what has changed, and ends sessions whose time is over, until ctx is done.
func (s *Server) sweep(ctx context.Context) {
	k := &s.kept
	if k.keeper != nil {
		s.removeStrays(ctx)
	}
	pause := carrier.Backoff{Min: 50 * time.Millisecond, Max: sweepEvery}
	for tick, again := (<-chan time.Time)(nil), (<-chan time.Time)(nil); ctx.Err() == nil; {
		if tick == nil && s.anyAway() {
			tick = time.After(sweepEvery)
		}
		select {
		case <-ctx.Done():
			return
		case <-k.wake:
			s.sweepQueues(time.Now())
		case <-again:
		case now := <-tick:
			tick = nil
			s.sweepQueues(now)
			k.mu.Lock()
			for _, one := range k.list {
				if one.over(now) {
					k.drop(one)
				}
			}
			k.mu.Unlock()
		}
		if k.keeper != nil {
			k.write()
			k.tellEnded(&s.wills)
			if again = nil; s.removeCursors(ctx) {
				again = time.After(pause.Next())
			} else {
				pause.Reset()
			}
		}
	}
}

// anyAway reports whether there are sessions whose clients are away.
func (s *Server) anyAway() bool {
	for _, c := range s.all() {
		c.mu.Lock()
		away := c.link == nil
		c.mu.Unlock()
		if away {
			return true
		}
	}
	k := &s.kept
	k.mu.Lock()
	defer k.mu.Unlock()
	for _, one := range k.list {
		if !one.gone.IsZero() {
			return true
		}
	}
	return false
}

// tellEnded has wills told whose sessions have ended.
func (k *keptSessions) tellEnded(w *wills) {
	k.mu.Lock()
	ended := k.ended
	k.ended = nil
	k.mu.Unlock()
	for _, one := range ended {
		w.ended(one.key, one.at)
	}
}

// write gives what has changed to the journal.
func (k *keptSessions) write() {
	k.mu.Lock()
	if !k.dirty {
		k.mu.Unlock()
		return
	}
	waiting := k.waiting
	k.dirty, k.waiting = false, nil
	k.writes++
	writes, now := k.writes, time.Now()
	list := make([]*keptSession, 0, len(k.list))
	for _, one := range k.list {
		if one.Left = 0; !one.gone.IsZero() {
			one.Left = now.Unix() - int64(now.Sub(one.gone)/time.Second)
		}
		list = append(list, one)
	}
	slices.SortFunc(list, func(a, b *keptSession) int {
		return cmp.Or(cmp.Compare(a.Identity, b.Identity), cmp.Compare(a.Client, b.Client))
	})
	state, err := json.Marshal(list)
	k.mu.Unlock()
	if err != nil {
		return // it never fails: everything in it can be marshaled
	}
	k.keeper.Keep(0, carrier.Mark{Key: sessionsKey, State: state}, func() {
		k.mu.Lock()
		maps.DeleteFunc(k.dropped, func(_ sessionKey, before uint64) bool { return before < writes })
		k.mu.Unlock()
		for _, then := range waiting {
			then()
		}
	})
}
