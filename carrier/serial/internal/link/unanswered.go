package link

import (
	"time"

	"sighub/carrier/serial/internal/wire"
)

// An outgoing frame is a reliable one of ours that was not answered yet.
type outgoing struct {
	kind     wire.FrameType
	number   uint8
	ID       uint64 // the owner's, given back with the answer
	payload  []byte
	sends    int
	sentAt   time.Time
	received bool // the peer has it, and owes its reply
	ended    bool // answered, or given up; stays while a frame before it does not
}

// An unanswered sends reliable frames: numbered modulo 32, up to a window of them unanswered, and all that are
// unanswered again when the answer to the first one takes too long (go-back-N).
type unanswered struct {
	next   uint8       // number of the next frame that is queued
	frames []*outgoing // from the first unanswered one on; their numbers follow each other
	flying int         // how many of them were sent in this session
	cursor int         // the next to send: below flying when sending again
}

func (o *unanswered) queue(kind wire.FrameType, id uint64, payload []byte) {
	o.frames = append(o.frames, &outgoing{kind: kind, number: o.next, ID: id, payload: payload})
	o.next = (o.next + 1) % wire.FrameNumbers
}

// find returns the index of a frame that was sent, or -1.
func (o *unanswered) find(number uint8) int {
	for i, f := range o.frames[:o.flying] {
		if f.number == number {
			return i
		}
	}
	return -1
}

// first returns the index of the first frame that was sent, but may not have been received; -1 if there is none.
func (o *unanswered) first() int {
	for i, f := range o.frames[:o.flying] {
		if !f.ended && !f.received {
			return i
		}
	}
	return -1
}

// trim forgets the ended frames before the first one that is not.
func (o *unanswered) trim() {
	n := 0
	for n < len(o.frames) && o.frames[n].ended && n < o.flying {
		n++
	}
	o.frames = append(o.frames[:0], o.frames[n:]...)
	o.flying -= n
	o.cursor = max(o.cursor-n, 0)
}

// outstanding returns how many bytes of unanswered frames are on the line at most.
func (o *unanswered) outstanding() (bytes int) {
	for _, f := range o.frames[:o.flying] {
		if !f.ended {
			bytes += wire.FrameSize(len(f.payload))
		}
	}
	return bytes
}

// due returns the next frame to send, or nil: one to send again, else a new one that fits the windows, of
// unanswered frames and of bytes outstanding.
func (o *unanswered) due(frames, bytes int) *outgoing {
	for o.cursor < len(o.frames) && o.frames[o.cursor].ended {
		o.cursor++
		o.flying = max(o.flying, o.cursor)
	}
	if o.cursor == len(o.frames) {
		return nil
	}
	f := o.frames[o.cursor]
	if o.cursor == o.flying {
		if o.flying >= frames {
			return nil
		}
		if busy := o.outstanding(); busy > 0 && busy+wire.FrameSize(len(f.payload)) > bytes {
			return nil
		}
	}
	return f
}

// sent notes that the frame that due gave was sent.
func (o *unanswered) sent(now time.Time) {
	f := o.frames[o.cursor]
	f.sends++
	f.sentAt = now
	o.cursor++
	o.flying = max(o.flying, o.cursor)
}

// abandon gives up the frames of one kind: nobody waits for their answers any more. Those that were never sent
// leave no trace; the others keep their numbers until resume or renumber says what became of them.
func (o *unanswered) abandon(kind wire.FrameType) {
	kept := o.frames[:0]
	for i, f := range o.frames {
		if f.kind == kind {
			if i >= o.flying && f.sends == 0 {
				continue
			}
			f.ended = true
		}
		kept = append(kept, f)
	}
	o.frames = kept
	o.count()
}

// resume goes on in a new session with a peer that expects the frame numbered next. Frames before it were
// received; they are sent again for their replies. Those from it on were not: given up ones go, the others take
// their places. It returns false if the peer expects a number that makes no sense.
func (o *unanswered) resume(next uint8) bool {
	o.flying, o.cursor = 0, 0
	if len(o.frames) == 0 {
		o.next = next
		return true
	}
	received := int((next - o.frames[0].number) % wire.FrameNumbers)
	if received > len(o.frames) {
		return false
	}
	kept := o.frames[:0]
	for i, f := range o.frames {
		if i < received {
			f.received = true
		} else if f.ended {
			continue
		} else {
			f.received = false
		}
		kept = append(kept, f)
	}
	o.frames = kept
	for i := range o.frames {
		o.frames[i].number = (next + uint8(i) - uint8(received)) % wire.FrameNumbers
	}
	for len(o.frames) > 0 && o.frames[0].ended {
		o.frames = o.frames[1:]
	}
	o.next = (next + uint8(len(kept)) - uint8(received)) % wire.FrameNumbers
	return true
}

// renumber begins a new numbering: the peer knows nothing of the old one. It drops what was given up and the
// frames of one kind, and returns the ids of those of that kind that were not answered, for their owner to queue
// again.
func (o *unanswered) renumber(first uint8, drop wire.FrameType) (dropped []uint64) {
	kept := o.frames[:0]
	o.next, o.flying, o.cursor = first, 0, 0
	for _, f := range o.frames {
		switch {
		case f.ended:
		case f.kind == drop:
			dropped = append(dropped, f.ID)
		default:
			f.number, f.received, f.sends = o.next, false, 0
			o.next = (o.next + 1) % wire.FrameNumbers
			kept = append(kept, f)
		}
	}
	o.frames = kept
	return dropped
}

// count gives the queued frames their numbers again after some were taken out.
func (o *unanswered) count() {
	if len(o.frames) > 0 {
		first := o.frames[0].number
		for i, f := range o.frames {
			f.number = (first + uint8(i)) % wire.FrameNumbers
		}
		o.next = (first + uint8(len(o.frames))) % wire.FrameNumbers
	}
}
