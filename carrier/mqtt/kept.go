package mqtt

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"sort"
	"sync"
	"sync/atomic"
	"time"

	"sighub/carrier"
	"sighub/internal/lockrank"
	"sighub/internal/mqtt/topic"
)

// keptSessions are the sessions that the hub's journal keeps: their subscriptions in a mark, and how far their clients have come in
// cursors, one for each listener.
type keptSessions struct {
	keeper carrier.Keeper // nil: there is no journal
	wake   chan struct{}  // something is to be saved or forgotten
	tag    string         // in the names of all cursors that are of sessions of this journal, and of nobody else
	tagged sync.Once      // the journal has the tag
	born   string         // what follows it in those that were made since the Server began

	mu      lockrank.Mutex[lockrank.Leaf]
	list    map[sessionKey]*keptSession
	dirty   bool
	waiting []func() // to be called when what has changed is on disk
	cursors []string // to be removed
	ended   []endedSession
}

// An endedSession is one whose will is not to wait any more.
type endedSession struct {
	key sessionKey
	at  time.Time
}

// A keptSession is what is kept of a session.
type keptSession struct {
	Identity string    `json:"identity,omitempty"`
	Client   string    `json:"client"`
	Expiry   int64     `json:"expiry"`         // seconds
	Left     int64     `json:"left,omitempty"` // when the client went, in seconds since 1970; 0: it is there
	Subs     []keptSub `json:"subs,omitempty"`
}

// A keptSub is what is kept of a subscription.
type keptSub struct {
	Filter   string   `json:"filter"`
	QoS      byte     `json:"qos,omitempty"`
	NoLocal  bool     `json:"no_local,omitempty"`
	Retain   bool     `json:"retain,omitempty"`
	ID       uint32   `json:"id,omitempty"`
	Policy   string   `json:"policy,omitempty"`
	Deadline uint64   `json:"deadline,omitempty"`
	Cursors  []string `json:"cursors,omitempty"`
}

// The keys of the marks: of the sessions, and of the tag in the names of their cursors.
const (
	sessionsKey = "mqtt/sessions"
	tagKey      = "mqtt/cursors"
)

func (k *keptSession) key() sessionKey { return sessionKey{k.Identity, k.Client} }

// over reports whether the time of a session is over whose client is away.
func (k *keptSession) over(now time.Time) bool { return k.Left > 0 && now.Unix()-k.Left > k.Expiry }

// load reads the sessions that are kept. Which clients were there when the hub ended is not known: they have gone now.
func (k *keptSessions) load(s *Server) {
	k.keeper, k.wake = s.keeper, make(chan struct{}, 1)
	k.list = make(map[sessionKey]*keptSession)
	if k.keeper == nil {
		return
	}
	k.born = nonce()
	if k.tag = string(k.keeper.State(tagKey)); k.tag == "" {
		k.tag = nonce()
	}
	var list []*keptSession
	if state := k.keeper.State(sessionsKey); len(state) > 0 {
		if err := json.Unmarshal(state, &list); err != nil {
			s.options.Logger.Error("the sessions of MQTT that were kept cannot be read: they are lost", "error", err)
			return
		}
	}
	now := time.Now().Unix()
	k.mu.Lock()
	defer k.mu.Unlock()
	for _, one := range list {
		if one.Left == 0 {
			one.Left = now
		}
		k.list[one.key()] = one
	}
}

// begin decides what is kept of a session that begins, and reports whether there was one before.
func (k *keptSessions) begin(c *session, l *link, clean bool) (present bool) {
	if k.keeper == nil {
		l.server.beginQueue(c, l)
		return false
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	one := k.list[c.key]
	if one != nil && (clean || one.over(time.Now())) {
		k.drop(one)
		one = nil
	}
	present = one != nil
	if one == nil {
		if l.expiry <= 0 {
			return false
		}
		if len(k.list) >= l.server.options.Limits.Sessions && !k.dropOldest() {
			l.expiry = 0 // there is no room
			return false
		}
		one = &keptSession{Identity: c.key.identity, Client: c.key.client}
		k.list[c.key] = one
	}
	one.Left, one.Expiry = 0, int64(l.expiry/time.Second)
	c.kept = one
	k.save()
	return present
}

// dropOldest makes room by dropping the session whose client has been away longest, of the identity that has most sessions: who makes up
// many names drives out their own. It reports whether there was one. The lock is held.
func (k *keptSessions) dropOldest() bool {
	has := make(map[string]int)
	for key := range k.list {
		has[key.identity]++
	}
	var oldest *keptSession
	for _, one := range k.list {
		if one.Left > 0 && (oldest == nil || cmp.Or(cmp.Compare(has[oldest.Identity], has[one.Identity]), cmp.Compare(one.Left, oldest.Left)) < 0) {
			oldest = one
		}
	}
	if oldest != nil {
		k.drop(oldest)
	}
	return oldest != nil
}

// drop forgets a session. The lock is held.
func (k *keptSessions) drop(one *keptSession) {
	if k.list[one.key()] == one {
		delete(k.list, one.key())
	}
	for _, s := range one.Subs {
		k.cursors = append(k.cursors, s.Cursors...)
	}
	k.ended = append(k.ended, endedSession{one.key(), time.Now()})
	k.save()
}

// save has everything saved soon. The lock is held.
func (k *keptSessions) save() {
	k.dirty = true
	k.rouse()
}

// onDisk calls then, if it is not nil, when what has changed is on disk. The lock is held.
func (k *keptSessions) onDisk(then func()) {
	if then != nil {
		k.waiting = append(k.waiting, then)
		k.save()
	}
}

// rouse has the goroutine look that sweeps.
func (k *keptSessions) rouse() {
	select {
	case k.wake <- struct{}{}:
	default: // it will
	}
}

// forget has cursors removed soon.
func (k *keptSessions) forget(cursors []string) {
	if len(cursors) == 0 {
		return
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	k.cursors = append(k.cursors, cursors...)
	k.save()
}

// What is kept of one session at most: subscriptions, and bytes of their filters. It is on nobody's account while the client is away.
const (
	maxKeptSubs = 256
	maxKeptText = 32 << 10
)

// fits returns an error if a session is kept and would have too many subscriptions with this one.
func (k *keptSessions) fits(c *session, more *subscription) error {
	if c.kept == nil {
		return nil
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	text := len(more.filter.String())
	for f := range c.subs {
		text += len(f)
	}
	if len(c.subs) >= maxKeptSubs && c.subs[more.filter.String()] == nil || text > maxKeptText {
		return fmt.Errorf("%w: a session that is kept may have %d subscriptions, and %d bytes of filters", carrier.ErrLimit, maxKeptSubs, maxKeptText)
	}
	return nil
}

// changed notes the subscriptions of a session, and has cursors removed that none of them has any more. It calls then when that is on
// disk, so that what a client is told outlives a loss of power; at once, if nothing is kept. then may be nil.
func (k *keptSessions) changed(c *session, then func()) {
	if c.kept == nil || !k.note(c, then) {
		if then != nil {
			then()
		}
	}
}

// note does what changed does, and reports whether the session is kept still.
func (k *keptSessions) note(c *session, then func()) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	subs := make([]keptSub, 0, len(c.subs))
	has := make(map[string]bool)
	for _, s := range c.subs {
		for _, cursor := range s.cursors {
			has[cursor] = true
		}
		subs = append(subs, keptSub{
			Filter: s.filter.String(), QoS: s.qos, NoLocal: s.noLocal, Retain: s.retainAsPublished, ID: s.id,
			Policy: s.policy, Deadline: s.deadline, Cursors: s.cursors,
		})
	}
	sort.Slice(subs, func(i, j int) bool { return subs[i].Filter < subs[j].Filter })
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.list[c.key] != c.kept {
		return false
	}
	for _, s := range c.kept.Subs {
		for _, cursor := range s.Cursors {
			if !has[cursor] {
				k.cursors = append(k.cursors, cursor)
			}
		}
	}
	c.kept.Subs = subs
	k.save()
	k.onDisk(then)
	return true
}

// left notes that the client of a session has gone. keep is how long the session is kept; 0: it is not.
func (k *keptSessions) left(c *session, keep time.Duration) {
	if c.kept == nil {
		return
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.list[c.key] != c.kept {
		return
	}
	if keep <= 0 {
		k.drop(c.kept)
		return
	}
	c.kept.Left, c.kept.Expiry = time.Now().Unix(), int64(keep/time.Second)
	k.save()
}

// resume begins the subscriptions of a session that was kept in the journal. They go on where the client has acknowledged. What the client
// subscribes to meanwhile waits until all have begun. One that the rules do not allow any more is dropped; another one that is refused is
// begun again when the client comes next, unless it subscribes itself.
func (c *session) resume() {
	if c.kept == nil {
		return
	}
	k := &c.server.kept
	k.mu.Lock()
	subs := slices.Clone(c.kept.Subs)
	k.mu.Unlock()
	c.turn.Lock()
	defer c.turn.Unlock()
	c.mu.Lock()
	c.orders.running = true
	c.mu.Unlock()
	var left atomic.Int32
	left.Store(1)
	done := func() {
		if left.Add(-1) == 0 {
			c.ordered()
		}
	}
	defer done()
	for _, s := range subs {
		f, err := c.server.parseFilter(s.Filter)
		if err != nil {
			continue
		}
		sub := &subscription{
			filter: f, qos: s.QoS, noLocal: s.NoLocal, retainAsPublished: s.Retain, id: s.ID, policy: s.Policy, deadline: s.Deadline,
			cursors: s.Cursors,
		}
		if err := c.account.Take(sub.cost()); err != nil {
			c.refuse("resume", err)
			return
		}
		c.mu.Lock()
		c.subs[f.String()] = sub
		c.changes++
		c.mu.Unlock()
		left.Add(1)
		begun := func(r carrier.Reply) {
			defer done()
			if r.Status == carrier.StatusDone {
				return
			}
			c.mu.Lock()
			if c.subs[f.String()] == sub {
				delete(c.subs, f.String())
				c.account.Give(sub.cost())
			}
			ids := sub.listeners
			c.changes++
			c.mu.Unlock()
			c.later(func() { c.stopListening(ids, nil) }, len(ids) > 0)
			if r.Status == carrier.StatusDenied {
				c.server.kept.changed(c, nil)
			}
			c.refuse("resume", r.Err())
		}
		switch f.Kind {
		case topic.Request:
			var method *string
			if m := f.Name.Name; m != "" {
				method = &m
			}
			c.addSender(f.Sender, nil, []*string{method}, begun)
		case topic.Answer, topic.Nothing:
			begun(carrier.Reply{})
		case topic.Kept:
			if err := c.openShelf(); err != nil {
				begun(carrier.Failed(err))
				break
			}
			begun(carrier.Reply{})
			c.tellKept(sub, true)
		default:
			c.listen(sub, false, begun)
		}
	}
}

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
		if one.Left > 0 {
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
	list := make([]*keptSession, 0, len(k.list))
	for _, one := range k.list {
		list = append(list, one)
	}
	slices.SortFunc(list, func(a, b *keptSession) int {
		return cmp.Or(cmp.Compare(a.Identity, b.Identity), cmp.Compare(a.Client, b.Client))
	})
	state, err := json.Marshal(list)
	k.mu.Unlock()
	if err != nil {
		return // which cannot be: everything in it can be marshaled
	}
	k.keeper.Keep(0, carrier.Mark{Key: sessionsKey, State: state}, func() {
		for _, then := range waiting {
			then()
		}
	})
}
