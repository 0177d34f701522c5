package past

// Heard is what a listener has heard of senders, so that it does not hear it again when it asks for what it may have missed. The zero
// Heard is ready for use, by one goroutine.
type Heard struct {
	sender string // of the latest event
	latest *place // of that sender
	all    map[string]*place
}

// A place is the latest event that was heard of a sender.
type place struct{ connection, seq uint64 }

// maxHeard bounds of how many senders it is known what was heard. Beyond that, events may be heard twice.
const maxHeard = 1 << 14

// Again reports whether an event was heard before, and notes it if not. old says that it is from the hub's journal, so that its
// connection may be an earlier one of the sender than the latest. Without a number, an event is never known.
func (h *Heard) Again(sender string, connection, seq uint64, old bool) bool {
	if connection == 0 || seq == 0 {
		return false
	}
	p := h.latest
	if p == nil || h.sender != sender {
		p = h.find(sender)
	}
	if connection == p.connection && seq <= p.seq || old && connection < p.connection {
		return true
	}
	p.connection, p.seq = connection, seq
	return false
}

func (h *Heard) find(sender string) *place {
	p := h.all[sender]
	if p == nil {
		if h.all == nil {
			h.all = make(map[string]*place)
		}
		for name := range h.all {
			if len(h.all) < maxHeard {
				break
			}
			delete(h.all, name)
		}
		p = new(place)
		h.all[sender] = p
	}
	h.sender, h.latest = sender, p
	return p
}

// Forget forgets everything.
func (h *Heard) Forget() { *h = Heard{} }
