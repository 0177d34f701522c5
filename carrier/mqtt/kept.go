package mqtt

import (
	"cmp"
	"encoding/json"
	"fmt"
	"sort"
	"strings"
	"sync"
	"time"

	"sighub/carrier"
	"sighub/internal/lockrank"
)

// keptSessions are the sessions that the hub's journal keeps: their subscriptions in a mark, and how far their clients have come in
// cursors, one for each listener.
type keptSessions struct {
	keeper carrier.Keeper // nil: there is no journal
	wake   chan struct{}  // something is to be saved or forgotten
	tag    string         // in the names of all cursors that are of sessions of this journal, and of nobody else
	tagged sync.Once      // the journal has the tag
	born   string         // what follows it in those that were made since the Server began

	most int // sessions

	mu      lockrank.Mutex[lockrank.Leaf]
	list    map[sessionKey]*keptSession
	dirty   bool
	waiting []func()              // to be called when what has changed is on disk
	writes  uint64                // how often it was given to the journal
	dropped map[sessionKey]uint64 // sessions whose end is not on disk yet, and the writes before it
	cursors []string              // to be removed
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

	gone     time.Time // when the client went; zero: it is there. Unlike Left, it does not change when the clock is set
	size     int       // bytes of it in the mark
	reserved int       // bytes of subscriptions that have not begun
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
func (k *keptSession) over(now time.Time) bool {
	return !k.gone.IsZero() && now.Sub(k.gone) > time.Duration(k.Expiry)*time.Second
}

// measure notes how large a session is.
func (k *keptSession) measure() {
	if b, err := json.Marshal(k); err == nil { // it never fails
		k.size = len(b) + len(`"left":1000000000,`)
	}
}

// load reads the sessions that are kept. Which clients were there when the hub ended is not known: they have gone now.
func (k *keptSessions) load(s *Server) {
	k.keeper, k.wake, k.most = s.keeper, make(chan struct{}, 1), s.options.Limits.Sessions
	k.list, k.dropped = make(map[sessionKey]*keptSession), make(map[sessionKey]uint64)
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
	now := time.Now()
	k.mu.Lock()
	defer k.mu.Unlock()
	for _, one := range list {
		one.gone = now
		if away := now.Unix() - one.Left; one.Left > 0 && away > 0 { // else it is not known, or the clock was set back
			one.gone = now.Add(-time.Duration(min(away, one.Expiry+1)) * time.Second)
		}
		one.measure()
		k.list[one.key()] = one
	}
}

// begin decides what is kept of a session that begins, and reports whether there was one before. If there was one that has ended, it calls
// settled when that is on disk: no loss of power brings it back then. Else settled is called at once.
func (k *keptSessions) begin(c *session, l *link, clean bool, settled func()) (present bool) {
	if k.keeper == nil {
		l.server.beginQueue(c, l)
		settled()
		return false
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	one := k.list[c.key]
	if one != nil && (clean || one.over(time.Now())) {
		k.drop(one)
		one = nil
	}
	if _, ended := k.dropped[c.key]; ended {
		k.onDisk(settled)
	} else {
		settled()
	}
	if present = one != nil; !present && l.expiry > 0 {
		one = &keptSession{Identity: c.key.identity, Client: c.key.client, Expiry: int64(l.expiry / time.Second)}
		if one.measure(); k.room(one, one.size) {
			k.list[c.key] = one
		} else {
			one, l.expiry = nil, 0
		}
	}
	if c.kept = one; one != nil {
		one.gone, one.Expiry = time.Time{}, int64(l.expiry/time.Second)
		k.save()
	}
	return present
}

// What is kept in the journal at most, of one session and of all. It is on nobody's account while the client is away, and one mark has all of
// it: the journal would keep none of a larger one, and drive out the marks of others.
const (
	maxKeptSubs    = 256
	maxKeptSession = 32 << 10 // bytes
	maxKept        = 64 << 10
)

// room makes room for so many bytes of a session, and of one more if it is not on the list. It reports whether there is room. The lock is
// held.
func (k *keptSessions) room(one *keptSession, bytes int) bool {
	for {
		all, count := bytes, len(k.list)
		for _, other := range k.list {
			all += other.size + other.reserved
		}
		if k.list[one.key()] != one {
			count++
		}
		if all <= maxKept && count <= k.most {
			return true
		}
		if !k.dropOldest() {
			return false
		}
	}
}

// dropOldest drops the session whose client has been away longest, of the identity that has most: who makes up many names drives out
// their own. It reports whether there was one. The lock is held.
func (k *keptSessions) dropOldest() bool {
	has := make(map[string]int)
	for key, one := range k.list {
		has[key.identity] += one.size + one.reserved
	}
	var oldest *keptSession
	for _, one := range k.list {
		if !one.gone.IsZero() && (oldest == nil || cmp.Or(cmp.Compare(has[oldest.Identity], has[one.Identity]), one.gone.Compare(oldest.gone)) < 0) {
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
	k.dropped[one.key()] = k.writes
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

// fits returns an error if a session is kept and has no room for one more subscription. The room is reserved until begun is called.
func (k *keptSessions) fits(c *session, more *subscription) error {
	if c.kept == nil {
		return nil
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	text := more.filter.String()
	kept := keptSub{Filter: text, ID: more.id, Policy: more.policy, Deadline: more.deadline}
	for range more.targets() {
		kept.Cursors = append(kept.Cursors, c.cursorName(more, strings.Repeat("x", 3*nonceSize)))
	}
	b, err := json.Marshal(kept)
	if err != nil {
		return err // it never fails
	}
	size := len(b) + len(`"qos":1,"no_local":true,"retain":true,,`)
	k.mu.Lock()
	defer k.mu.Unlock()
	one := c.kept
	if k.list[c.key] != one {
		return nil // it has been driven out
	}
	if len(c.subs) >= maxKeptSubs && c.subs[text] == nil || one.size+one.reserved+size > maxKeptSession || !k.room(one, size) {
		return fmt.Errorf("%w: a session that is kept may have %d subscriptions in %d KiB, and all of them %d KiB", carrier.ErrLimit,
			maxKeptSubs, maxKeptSession>>10, maxKept>>10)
	}
	one.reserved += size
	return nil
}

// begun gives back the room that was reserved for subscriptions: those that have begun have their own.
func (k *keptSessions) begun(c *session) {
	if c.kept == nil {
		return
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	c.kept.reserved = 0
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
	c.kept.measure()
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
	c.kept.reserved = 0
	c.kept.gone, c.kept.Expiry = time.Now(), int64(keep/time.Second)
	k.save()
}
