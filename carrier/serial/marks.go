package serial

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"maps"
	"slices"
	"time"

	"sighub/carrier"
	"sighub/carrier/serial/internal/link"
	"sighub/carrier/serial/internal/wire"
	"sighub/internal/lockrank"
)

// What a hub has to know of a device's frames when it is started again is kept as a mark, under a key of the device, together with
// what the frames have reported: see [carrier.Marked]. Then a frame's readings are on record if and only if the hub will take the
// frame for one that it has had.

// markKey returns the key of a device's mark. It is short whatever the device calls itself.
func markKey(id string) string {
	const longest = 40
	if len(id) > longest {
		sum := sha256.Sum256([]byte(id))
		id = hex.EncodeToString(sum[:longest/2])
	}
	return "link/" + id
}

// A ledger gives away the states of a device's link in their order. One connection's are asked for in the order of its frames; but
// the last ones of a connection may be asked for when the next connection has begun. An older state must not replace a newer one.
type ledger struct {
	mu    lockrank.Mutex[lockrank.Leaf]
	made  uint64
	given mark // the newest that was
}

// A mark is the state of a device's link.
type mark struct {
	ledger *ledger
	number uint64
	state  carrier.Mark
}

// make returns the mark for a state.
func (l *ledger) make(state carrier.Mark) *mark {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.made++
	return &mark{l, l.made, state}
}

// give returns the state to be kept: this one, unless a newer one was given away already.
func (m *mark) give() carrier.Mark {
	l := m.ledger
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.given.number < m.number {
		l.given = *m
	}
	state := l.given.state
	state.Within = m.state.Within
	return state
}

// markedAnswers are answers to signals that belong to a mark.
type markedAnswers struct {
	*handedAnswers
	mark *mark
}

// Mark implements [carrier.Marked].
func (a markedAnswers) Mark() carrier.Mark { return a.mark.give() }

// settle notes that a frame is dealt with, and returns the mark that belongs to what it has brought; nil if nothing is kept. within is
// how long the device can wait for the answer: see [carrier.Mark]. presumed returns the payload of the answer that the next
// run of the hub gives if this one is killed before it has answered; nil: ACK. The server's lock is held.
func (c *client) settle(e event, within time.Duration, presumed func() []byte) *mark {
	if c.server.keeper == nil {
		return nil
	}
	in := e.arrival.In
	in.Presume(presumed())
	c.device.Settle(in)
	return c.mark(within)
}

// markMessage settles the frame of a message that is handed on. What is answered to most messages, nobody knows if the hub is killed
// before it has answered; but those that report and register are done.
func (c *client) markMessage(e event, m *carrier.Message) *carrier.Mark {
	c.server.mu.Lock()
	defer c.server.mu.Unlock()
	mark := c.settle(e, c.messagePatience(e), func() []byte {
		switch m.Method {
		case methodSignal, methodAddSender, methodRemoveSender:
			return nil
		}
		return wire.PackReply(carrier.Failed(link.ErrAnswerLost), wire.MinFrame)
	})
	if mark == nil {
		return nil
	}
	return new(mark.give())
}

// mark returns a mark for the state of the link, which is to be kept within a time; nil if nothing is kept. The server's lock is held.
func (c *client) mark(within time.Duration) *mark {
	if c.server.keeper == nil {
		return nil
	}
	if d := c.server.doubter; d != nil && d.Doubtful() {
		c.device.Stray()
	} else {
		c.device.Kept()
	}
	state := c.device.State(time.Now(), c.record.losses.pack(c.dict, c))
	return c.record.ledger.make(carrier.Mark{Key: markKey(c.device.ID), State: state, Within: within})
}

// afterMark calls respond once the mark of a frame is kept that has brought nothing to be handed on.
func (c *client) afterMark(m *mark, respond func()) {
	if m == nil {
		respond()
		return
	}
	lockrank.MustBeFree("a mark is kept")
	c.server.keeper.Keep(c.id, m.give(), respond)
}

// enlist puts the device on the list of those of which marks are kept, before its first one.
func (c *client) enlist() {
	if c.listed || c.server.keeper == nil {
		return
	}
	c.listed = true
	s, now := c.server, time.Now()
	s.mu.Lock()
	var marks []carrier.Mark
	if key := markKey(c.device.ID); !s.marked.has(key, now) {
		connected := make(map[string]bool)
		for id := range s.latest {
			connected[markKey(id)] = true
		}
		marks = s.marked.enlist(key, now, connected)
	}
	s.mu.Unlock()
	for _, m := range marks {
		s.keeper.Keep(0, m, func() {})
	}
}

// A markList lists the marks that are kept, so that a hub that has seen many devices does not keep them all. It is kept as a mark
// itself.
type markList struct{ entries []markEntry } // those that were changed last are the last ones

type markEntry struct {
	key string
	day int64 // on which the device was last connected, since 1970
}

const (
	markListKey = "links"
	maxMarks    = 256 // of all devices; where very many are connected, half as many beside theirs
	maxMarkDays = 365 // since the device was last connected
	firstDay    = 50 * 365
	maxMarkKey  = 64
)

// has reports whether it is noted that a device was connected today.
func (l *markList) has(key string, now time.Time) bool {
	return slices.Contains(l.entries, markEntry{key, dayOf(now)})
}

func dayOf(t time.Time) int64 { return t.Unix() / (24 * 3600) }

// enlist notes that a device is connected, and all others that are: so the list is kept once for all of them, and not for each. It
// returns the marks to be kept for that: the list if it has changed, and empty ones for the devices that leave it.
func (l *markList) enlist(key string, now time.Time, connected map[string]bool) (marks []carrier.Mark) {
	if l.has(key, now) {
		return nil
	}
	day, here := dayOf(now), map[string]bool{key: true}
	maps.Copy(here, connected)
	l.entries = slices.DeleteFunc(l.entries, func(e markEntry) bool { return here[e.key] })
	over := len(l.entries) - max(maxMarks-len(here), maxMarks/2)
	l.entries = slices.DeleteFunc(l.entries, func(e markEntry) bool {
		aged := day-e.day > maxMarkDays && e.day > firstDay // of two days on which the clock was set
		if over <= 0 && !aged {
			return false
		}
		over--
		marks = append(marks, carrier.Mark{Key: e.key})
		return true
	})
	for _, key := range slices.Sorted(maps.Keys(here)) {
		l.entries = append(l.entries, markEntry{key, day})
	}
	return append(marks, carrier.Mark{Key: markListKey, State: l.pack()})
}

const markListVersion = 1

// pack returns the list as a sequence of CBOR items: the version, then keys and days in turn.
func (l *markList) pack() []byte {
	b := wire.AppendUint(nil, markListVersion)
	for _, e := range l.entries {
		b = wire.AppendInt(wire.AppendBytes(b, []byte(e.key)), e.day)
	}
	return b
}

// readMarkList reads a list. What cannot be read is an error, and no list.
func readMarkList(packed []byte) (l markList, err error) {
	if len(packed) == 0 {
		return l, nil
	}
	in := wire.Items{Rest: packed}
	if v := in.Uint("the version", 1<<32-1); in.Err == nil && v != markListVersion {
		return l, fmt.Errorf("serial: the list is of version %d, this hub reads version %d", v, markListVersion)
	}
	for len(in.Rest) > 0 {
		e := markEntry{key: string(in.Bytes("a key", maxMarkKey)), day: in.Int("a day", 1<<40)}
		if l.entries = append(l.entries, e); in.Err != nil || len(l.entries) > maxMostMarks {
			return markList{}, fmt.Errorf("%w: the list of devices makes no sense: %w", carrier.ErrMalformed, in.Err)
		}
	}
	return l, in.Err
}

// maxMostMarks bounds a list that is read: maxMarks, and as many devices as can be connected.
const maxMostMarks = 10000
