package serial

import (
	"maps"
	"time"
)

// A history is what the hub knows of a device's senders, whatever resets happen.
type history struct {
	last      map[string]time.Time // of each sender's latest reading
	restarted time.Time            // the device has lost its memory then; zero: not since its losses were gathered
	lost      map[string]*loss     // to be told of
}

// A loss is that a sender may have taken readings which are lost: between two times, nobody knows how many.
type loss struct {
	first, last time.Time
	telling     *client // nil: nobody has tried to tell it
}

func (h *history) reported(sender string, at time.Time) {
	if h.last == nil {
		h.last = make(map[string]time.Time)
	}
	h.last[sender] = at
}

// before returns the time of the latest reading of a sender, or at if there is none before it.
func (h *history) before(sender string, at time.Time) time.Time {
	if last, ok := h.last[sender]; ok && last.Before(at) {
		return last
	}
	return at
}

// gather turns the device's latest reset into losses: of each sender that had reported before it. What is known of
// senders that the dictionary does not name is forgotten.
func (h *history) gather(d *dictionary) {
	named := make(map[string]bool)
	for _, s := range d.senders {
		named[s.Name] = true
	}
	maps.DeleteFunc(h.last, func(sender string, _ time.Time) bool { return !named[sender] })
	maps.DeleteFunc(h.lost, func(sender string, _ *loss) bool { return !named[sender] })
	if h.restarted.IsZero() {
		return
	}
	for sender, at := range h.last {
		if h.lost == nil {
			h.lost = make(map[string]*loss)
		}
		first := at
		if l := h.lost[sender]; l != nil {
			first = l.first
		}
		h.lost[sender] = &loss{first: earliest(first, h.restarted), last: h.restarted}
	}
	clear(h.last)
	h.restarted = time.Time{}
}

// due returns the losses to be told now by a client, as readings in the dictionary's order, and marks them as being
// told.
func (h *history) due(c *client) (told []*loss, readings []stampedReading) {
	if len(h.lost) == 0 || c.dict == nil {
		return nil, nil
	}
	for _, s := range c.dict.senders {
		if l := h.lost[s.Name]; l != nil && l.telling != c {
			l.telling = c
			told = append(told, l)
			readings = append(readings, stampedReading{eventName{s.Name, gapEvent}, newGapData(0, l.first, l.last, ""), l.last, 0})
		}
	}
	return told, readings
}

// told notes whether a loss was told.
func (h *history) told(sender string, l *loss, done bool) {
	switch {
	case h.lost[sender] != l:
	case done:
		delete(h.lost, sender)
	default:
		l.telling = nil
	}
}
