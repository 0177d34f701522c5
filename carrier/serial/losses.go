package serial

import (
	"maps"
	"time"

	"sighub/carrier/serial/internal/wire"
)

// losses is what the hub knows of the readings that a device's senders may have lost, whatever resets happen.
type losses struct {
	last      map[string]time.Time // of each sender's latest reading
	restarted time.Time            // the device has lost its memory then; zero: not since its losses were gathered
	untold    map[string]*loss     // by sender
}

// A loss is that a sender may have taken readings which are lost: between two times, nobody knows how many.
type loss struct {
	sender      string
	first, last time.Time
	telling     *client // nil: nobody has tried to tell it
}

func (ls *losses) reported(sender string, at time.Time) {
	if ls.last == nil {
		ls.last = make(map[string]time.Time)
	}
	ls.last[sender] = at
}

// before returns the time of the latest reading of a sender, or at if there is none before it.
func (ls *losses) before(sender string, at time.Time) time.Time {
	if last, ok := ls.last[sender]; ok && last.Before(at) {
		return last
	}
	return at
}

// gather turns the device's latest reset into losses: of each sender that had reported before it. What is known of
// senders that the dictionary does not name is forgotten.
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
		if ls.untold == nil {
			ls.untold = make(map[string]*loss)
		}
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

// due returns the losses to be told now by a client, in the dictionary's order, and marks them as being told.
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

// told notes whether a loss was told.
func (ls *losses) told(l *loss, done bool) {
	switch {
	case ls.untold[l.sender] != l:
	case done:
		delete(ls.untold, l.sender)
	default:
		l.telling = nil
	}
}
