package serial

import (
	"maps"
	"math"
	"time"

	"sighub/carrier/serial/internal/link"
	"sighub/carrier/serial/internal/wire"
)

// losses is what the hub knows of readings that a device may have lost with its memory, or that were in a frame that the hub
// could not read.
type losses struct {
	last      map[string]time.Time // of the latest reading, by sender
	restarted time.Time            // when the device lost its memory; zero: not since gather
	untold    map[string]*loss     // not acknowledged by the hub, by sender
	tellAgain time.Time            // losses of frames that could not be read are not told before
	unread    bool                 // there are such losses that were not told yet
	recalled  *link.Recollection   // what an earlier run of the hub has known; nil: nothing, or it is in last and untold
}

// unreadableEvery is the shortest time between two reports of frames that could not be read. Each of them is a gap of
// every sender that has reported.
const unreadableEvery = time.Second

// A loss says that readings of a sender may be lost, of which it is unknown how many. They were taken between two times.
type loss struct {
	sender      string
	first, last time.Time
	cause       string  // why the hub has refused them; empty: the device has lost them
	telling     *client // the client that has handed it on; nil: none
}

// reported notes the time of a sender's reading, unless there are most senders that have reported: those that the hub does not
// take.
func (ls *losses) reported(sender string, at time.Time, most int) {
	if _, known := ls.last[sender]; known || len(ls.last) < most {
		ls.last[sender] = at
	}
}

// before returns the time of the latest reading of a sender, or at if that sender has no earlier reading.
func (ls *losses) before(sender string, at time.Time) time.Time {
	if last, ok := ls.last[sender]; ok && last.Before(at) {
		return last
	}
	return at
}

// recall continues from what an earlier run of the hub has known. If the device has another dictionary by now, nobody knows which
// senders had reported, so all of them count.
func (ls *losses) recall(d *wire.Dictionary, hash uint32) {
	r := ls.recalled
	if r == nil {
		return
	}
	ls.recalled = nil
	reported, untold, pending := unpackLosses(r.Own)
	for i, s := range d.Senders {
		if r.Dictionary != hash && len(reported) > 0 || reported.has(i) {
			ls.last[s.Name] = r.Taken
		}
		if r.Dictionary == hash && untold.has(i) {
			l := pending
			l.sender = s.Name
			ls.untold[s.Name] = &l
		}
	}
}

// A senderSet is a set of a dictionary's senders, by their places: bit i%8 of byte i/8.
type senderSet []byte

func (s *senderSet) add(i int) {
	for len(*s) <= i/8 {
		*s = append(*s, 0)
	}
	(*s)[i/8] |= 1 << (i % 8)
}

func (s senderSet) has(i int) bool { return i/8 < len(s) && s[i/8]>>(i%8)&1 == 1 }

// maxCause bounds the word of a cause in a packed loss.
const maxCause = 32

// pack returns which senders have reported, and the losses that were not told, for the next run of the hub: a sequence of CBOR
// items. Losses of several senders become one range of times. What the teller has handed on is kept with that or was before.
func (ls *losses) pack(d *wire.Dictionary, teller *client) []byte {
	if d == nil {
		return nil
	}
	var reported, untold senderSet
	var pending loss
	for i, s := range d.Senders {
		if _, ok := ls.last[s.Name]; ok {
			reported.add(i)
		}
		l := ls.untold[s.Name]
		if l == nil || l.telling == teller {
			continue
		}
		if len(untold) == 0 || l.first.Before(pending.first) {
			pending.first = l.first
		}
		if l.last.After(pending.last) {
			pending.last = l.last
		}
		pending.cause = l.cause[:min(len(l.cause), maxCause)]
		untold.add(i)
	}
	b := wire.AppendBytes(nil, reported)
	if len(untold) > 0 {
		b = wire.AppendBytes(b, untold)
		b = wire.AppendInt(wire.AppendInt(b, pending.first.UnixNano()), pending.last.UnixNano())
		b = wire.AppendBytes(b, []byte(pending.cause))
	}
	return b
}

// unpackLosses is the reverse of pack. What cannot be read is left out.
func unpackLosses(packed []byte) (reported, untold senderSet, pending loss) {
	in := wire.Items{Rest: packed}
	reported = in.Bytes("who has reported", link.MaxOwnState)
	if in.Err != nil || len(in.Rest) == 0 {
		return reported, nil, pending
	}
	untold = in.Bytes("whose losses are untold", link.MaxOwnState)
	pending.first = time.Unix(0, in.Int("the first", math.MaxInt64))
	pending.last = time.Unix(0, in.Int("the last", math.MaxInt64))
	pending.cause = string(in.Bytes("the cause", maxCause))
	if in.Err != nil {
		return reported, nil, pending
	}
	return reported, untold, pending
}

// gather turns the device's latest reset into a loss of each sender that had reported before it. It forgets senders that the
// dictionary does not have.
func (ls *losses) gather(d *wire.Dictionary, hash uint32) {
	ls.recall(d, hash)
	named := make(map[string]bool)
	for _, s := range d.Senders {
		named[s.Name] = true
	}
	maps.DeleteFunc(ls.last, func(sender string, _ time.Time) bool { return !named[sender] })
	maps.DeleteFunc(ls.untold, func(sender string, _ *loss) bool { return !named[sender] })
	if ls.restarted.IsZero() {
		return
	}
	for sender, first := range ls.last {
		if l := ls.untold[sender]; l != nil {
			first = l.first
		}
		if ls.restarted.Before(first) {
			first = ls.restarted
		}
		ls.untold[sender] = &loss{sender: sender, first: first, last: ls.restarted}
	}
	clear(ls.last)
	ls.restarted = time.Time{}
}

// unreadable notes a frame that could not be read, with readings of nobody knows which senders. Without a dictionary there are
// none.
func (ls *losses) unreadable(at time.Time, cause string, d *wire.Dictionary) {
	if d == nil {
		return
	}
	for sender, first := range ls.last {
		if l := ls.untold[sender]; l != nil {
			first = l.first
		}
		ls.untold[sender] = &loss{sender: sender, first: first, last: at, cause: cause}
	}
	ls.unread = len(ls.untold) > 0
}

// tellUnread reports whether it is time to tell of frames that could not be read.
func (ls *losses) tellUnread(now time.Time) bool {
	if !ls.unread || now.Before(ls.tellAgain) {
		return false
	}
	ls.unread, ls.tellAgain = false, now.Add(unreadableEvery)
	return true
}

// due returns the losses that a client is to hand on now, in the dictionary's order.
func (ls *losses) due(c *client) (due []*loss) {
	if len(ls.untold) == 0 || c.dict == nil {
		return nil
	}
	for _, s := range c.dict.Senders {
		if l := ls.untold[s.Name]; l != nil && l.telling != c {
			l.telling = c
			due = append(due, l)
		}
	}
	return due
}

// told notes whether the hub has acknowledged a loss.
func (ls *losses) told(l *loss, done bool) {
	switch {
	case ls.untold[l.sender] != l:
	case done:
		delete(ls.untold, l.sender)
	default:
		l.telling = nil
	}
}
