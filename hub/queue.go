package hub

import (
	"fmt"
	"sync"
	"time"

	"sighub/carrier"
	"sighub/hub/internal/flow"
)

// An entry is an event for a listener.
type entry struct {
	listener *Listener // nil: the event was dropped
	event    Event
	at       time.Time // when it was queued, if its listener wants the latest
	next     uint64    // number of the next entry of the same kind; 0 if it is the last
	gap      bool      // it tells of a gap
	final    bool      // it tells the listener, which was removed, that it was
	first    bool      // it is the first one of its event, which several listeners of the client may hear
	number   uint64    // of a replay's event in the flight, as counted from 1; 0: it is none
}

// outdated reports whether the entry has waited for too long while a newer one of its kind waits.
func (e *entry) outdated() bool { return e.next != 0 && time.Since(e.at) > flow.Delay }

type entryKey struct {
	listener      *Listener
	sender, event string
}

// A queue holds entries in order. For listeners that want the latest events, it finds the oldest entry of a kind without
// searching.
type queue struct {
	memory  *[]entry // the end of which entries is; nil if there are none
	entries []entry
	popped  uint64 // entries removed from the front so far; the first of entries has the number popped+1
	dropped int    // entries that were dropped and are still in place
	kinds   map[entryKey]kindOfEntry
}

// A kindOfEntry holds the numbers of the first and the last entry of one kind.
type kindOfEntry struct{ first, last uint64 }

func (q *queue) len() int { return len(q.entries) - q.dropped }

func (q *queue) at(number uint64) *entry { return &q.entries[number-q.popped-1] }

// key returns the entry's kind, if the entry may be dropped for a newer one of it.
func (e *entry) key() (key entryKey, ok bool) {
	if e.listener == nil || e.listener.policy != Latest || e.event.Name == Gap {
		return key, false
	}
	return entryKey{e.listener, e.event.Sender, e.event.Name}, true
}

func (q *queue) push(e entry) {
	e.next = 0
	if len(q.entries) == cap(q.entries) {
		q.grow()
	}
	q.entries = append(q.entries, e)
	key, ok := e.key()
	if !ok {
		return
	}
	if q.kinds == nil {
		q.kinds = make(map[entryKey]kindOfEntry)
	}
	number := q.popped + uint64(len(q.entries))
	kind, known := q.kinds[key]
	if known {
		q.at(kind.last).next = number
	} else {
		kind.first = number
	}
	kind.last = number
	q.kinds[key] = kind
}

// entryMemory is what queues that are empty have used, so that a client for whom nothing waits holds none.
var entryMemory sync.Pool // of *[]entry, whose entries are zero

// firstEntries is for how many entries a queue has room at first.
const firstEntries = 16

// grow makes room for an entry: in front, where others were popped, or elsewhere.
func (q *queue) grow() {
	if q.memory == nil {
		if q.memory, _ = entryMemory.Get().(*[]entry); q.memory == nil {
			q.memory = new(make([]entry, 0, firstEntries))
		}
		q.entries = (*q.memory)[:0]
		return
	}
	n, all := len(q.entries), (*q.memory)[:cap(*q.memory)]
	if popped := cap(all) - cap(q.entries); popped >= n {
		q.entries = all[:copy(all, q.entries)]
		clear(all[popped:])
		return
	}
	*q.memory = append(make([]entry, 0, 2*n), q.entries...)
	q.entries = *q.memory
}

// release gives the memory of an empty queue back.
func (q *queue) release() {
	if q.memory != nil {
		entryMemory.Put(q.memory)
	}
	*q = queue{}
}

// first returns the first entry, or nil.
func (q *queue) first() *entry {
	for i := range q.entries {
		if q.entries[i].listener != nil {
			return &q.entries[i]
		}
	}
	return nil
}

// pop removes the first entry and returns it. The queue must not be empty.
func (q *queue) pop() entry {
	for {
		e := q.entries[0]
		q.forget(&e)
		q.entries[0] = entry{}
		q.entries = q.entries[1:]
		q.popped++
		if e.listener == nil {
			q.dropped--
			continue
		}
		if q.len() == 0 {
			q.release()
		}
		return e
	}
}

// forget updates kinds for an entry that is about to go and is the first of its kind.
func (q *queue) forget(e *entry) {
	key, ok := e.key()
	switch {
	case !ok:
	case e.next == 0:
		delete(q.kinds, key)
	default:
		q.kinds[key] = kindOfEntry{e.next, q.kinds[key].last}
	}
}

// drop removes the oldest entry of a kind or, if the queue has none of that kind, the oldest entry of any kind that may be dropped.
func (q *queue) drop(key entryKey) (old entry, ok bool) {
	number := q.kinds[key].first
	if number == 0 {
		if number = q.oldest(); number == 0 {
			return old, false
		}
	}
	e := q.at(number)
	q.forget(e)
	old, *e = *e, entry{}
	if q.dropped++; q.dropped > len(q.entries)/2 {
		q.compact()
	}
	return old, true
}

func (q *queue) oldest() (number uint64) {
	for i := range q.entries {
		if _, ok := q.entries[i].key(); ok {
			return q.popped + uint64(i) + 1
		}
	}
	return 0
}

// compact removes the dropped entries.
func (q *queue) compact() {
	old := *q
	*q = queue{}
	for _, e := range old.entries {
		if e.listener != nil {
			q.push(e)
		}
	}
	clear(old.entries)
	old.release()
}

// gaps are the losses that a client's listeners have not been told of yet.
type gaps struct {
	before map[gapKey]*Loss // of listeners that want the latest: before everything that waits
	behind map[gapKey]*Loss // of other listeners: after everything that waits
	queued int              // that are among what waits already
}

type gapKey struct {
	listener *Listener
	sender   string
}

// gapLimit bounds the gaps that wait to be told, in multiples of OutboxOptions.Limit. A client with more is disconnected.
const gapLimit = 4

// freeGaps is how many gaps may wait for a client at no cost, because what a full account has no room for becomes a gap. A
// further one costs gapCost bytes. A client that cannot afford it is disconnected.
const (
	freeGaps = 64
	gapCost  = 256
)

// cost returns what all gaps cost, and n more.
func (g *gaps) cost(n int) int { return max(g.len()+g.queued+n-freeGaps, 0) * gapCost }

func (g *gaps) len() int { return len(g.before) + len(g.behind) }

// of returns the map that holds the gaps of a listener.
func (g *gaps) of(l *Listener) *map[gapKey]*Loss {
	if l.policy == Latest {
		return &g.before
	}
	return &g.behind
}

// take removes a gap and returns it.
func (g *gaps) take(key gapKey) *Loss {
	list := *g.of(key.listener)
	loss := list[key]
	delete(list, key)
	return loss
}

// miss counts an event that is not told, for a cause in one word.
func (o *outbox) miss(l *Listener, ev *Event, cause string) {
	o.client.refusals.missed.Add(cause, 1)
	list, key := o.gaps.of(l), gapKey{l, ev.Sender}
	loss := (*list)[key]
	if loss == nil {
		n := o.gaps.len()
		if n/gapLimit >= o.Limit || o.account().Take(o.gaps.cost(1)-o.gaps.cost(0)) != nil {
			o.leave(fmt.Errorf("%w: events of %d senders were lost on the way to a slow client", carrier.ErrLimit, n))
			return
		}
		loss = new(Loss)
		if *list == nil {
			*list = make(map[gapKey]*Loss)
		}
		(*list)[key] = loss
		o.client.dropping(ev.Sender, o.queue.len())
	}
	loss.add(ev.Time, cause)
}

// gap takes a gap and makes an event of it. A legacy client does not know gaps, so of its listeners only those to any event
// are told.
func (o *outbox) gap(key gapKey) (e entry, ok bool) {
	loss := o.gaps.take(key)
	o.gaps.queued++
	if key.listener.removed.Load() || !o.client.hello && key.listener.event != "" {
		o.gapLeft()
		return e, false
	}
	return entry{gap: true, listener: key.listener, event: Event{
		Sender: key.sender, Name: Gap, Time: o.client.server.now(), Data: carrier.ValueOf(*loss),
	}}, true
}

// gapBefore returns a gap that is to be told before anything that waits.
func (o *outbox) gapBefore() (e entry, ok bool) {
	for key := range o.gaps.before {
		if e, ok = o.gap(key); ok {
			o.gapLeft()
			break
		}
	}
	return e, ok
}

// gapLeft counts a gap out that waits no more.
func (o *outbox) gapLeft() {
	o.account().Give(o.gaps.cost(0) - o.gaps.cost(-1))
	o.gaps.queued--
}

// putGaps puts gaps behind what waits, if something may be transmitted now; if not, they would pile up.
func (o *outbox) putGaps() {
	if len(o.gaps.behind) == 0 || !o.ready() {
		return
	}
	for key := range o.gaps.behind {
		o.putGap(key)
	}
}

func (o *outbox) putGap(key gapKey) {
	if e, ok := o.gap(key); ok {
		o.queue.push(e)
	}
}
