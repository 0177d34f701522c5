package mqtt

import "sighub/carrier"

// A flight is the signals that were put for a client and are not answered yet, in their order.
//
// The hub hears of answers in the order of the signals. A message with QoS 1 is answered by the client; one with QoS 0 when it has been
// written; and what no subscription of the client has, at once.
type flight struct {
	slots   []slot // a ring; its size is a power of two
	head    uint64 // the oldest that is not answered
	tail    uint64 // behind the newest
	taken   uint64 // those before it were taken to be written: the client may have read them
	written uint64 // those before it were written
	failed  map[uint64]carrier.Reply
}

// A slot is the state of one signal.
type slot uint8

const (
	inWriting slot = iota // done when it is written
	inTransit             // done when the client says so
	landed                // done
)

// ids is how many packet identifiers there are. That of the signal with the number n is n%ids+1.
const ids = 65535

// put adds a signal, and returns the packet identifier that it has if it is one with QoS 1.
func (f *flight) put(s slot) uint16 {
	if f.tail-f.head == uint64(len(f.slots)) {
		grown := make([]slot, max(16, 2*len(f.slots)))
		for i := f.head; i < f.tail; i++ {
			grown[i%uint64(len(grown))] = f.slots[i%uint64(len(f.slots))]
		}
		f.slots = grown
	}
	*f.at(f.tail) = s
	f.tail++
	return uint16((f.tail-1)%ids) + 1
}

func (f *flight) at(n uint64) *slot { return &f.slots[n&uint64(len(f.slots)-1)] }

// waiting returns how many are not answered.
func (f *flight) waiting() int { return int(f.tail - f.head) }

// acknowledged notes the client's answer to a message, and reports whether there is one that it may have read and that is not answered.
func (f *flight) acknowledged(id uint16, failed *carrier.Reply) bool {
	behind := (uint64(id) - 1 + ids - f.head%ids) % ids
	n := f.head + behind
	if id == 0 || n >= f.taken || *f.at(n) != inTransit {
		return false
	}
	*f.at(n) = landed
	if failed != nil {
		if f.failed == nil {
			f.failed = make(map[uint64]carrier.Reply)
		}
		f.failed[n] = *failed
	}
	return true
}

// An answer is one to the next n signals, or to one that has failed.
type answer struct {
	n      int
	failed *carrier.Reply
}

// next takes out those at the front that are answered, up to one that has failed.
func (f *flight) next() (a answer) {
	for f.head < f.tail {
		s := *f.at(f.head)
		if s == inTransit || s == inWriting && f.head >= f.written {
			return a
		}
		if reply, failed := f.failed[f.head]; failed {
			if a.n > 0 {
				return a
			}
			delete(f.failed, f.head)
			f.head++
			return answer{1, &reply}
		}
		f.head++
		a.n++
	}
	return a
}
