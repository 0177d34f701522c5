package serial

import (
	"maps"
	"time"

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

// before returns the time of the latest reading of a sender, or at if there is none before it.
func (ls *losses) before(sender string, at time.Time) time.Time {
	if last, ok := ls.last[sender]; ok && last.Before(at) {
		return last
	}
	return at
}

// gather turns the device's latest reset into a loss of each sender that had reported before it. It forgets senders that the
// dictionary does not have.
func (ls *losses) gather(d *wire.Dictionary) {
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
