package link

import (
	"slices"
	"time"

	"sighub/carrier/serial/internal/wire"
)

// An outgoing is a reliable frame of ours that is not answered yet.
type outgoing struct {
	kind     wire.FrameType
	number   uint8
	ID       uint64 // the owner's, returned with the answer
	payload  []byte
	sends    int
	sentAt   time.Time
	received bool // the other end has it, and owes the answer
	ended    bool // answered or given up; it stays until all frames before it have ended
}

// unanswered sends reliable frames and keeps them until they are answered (go-back-N): numbered modulo 32, up to a window at
// a time, and all of them again when the first answer is late.
type unanswered struct {
	next     uint8       // number of the next frame to be queued
	frames   []*outgoing // from the first unanswered one on, with consecutive numbers
	inFlight int         // how many were sent in this session
	cursor   int         // the next to send; below inFlight when sending again
}

func (o *unanswered) queue(kind wire.FrameType, id uint64, payload []byte) {
	o.frames = append(o.frames, &outgoing{kind: kind, number: o.next, ID: id, payload: payload})
	o.next = (o.next + 1) % wire.FrameNumbers
}

// find returns the index of a frame that was sent, or -1.
func (o *unanswered) find(number uint8) int {
	return slices.IndexFunc(o.frames[:o.inFlight], func(f *outgoing) bool { return f.number == number })
}

// first returns the index of the first frame that was sent and may not have been received, or -1.
func (o *unanswered) first() int {
	return slices.IndexFunc(o.frames[:o.inFlight], func(f *outgoing) bool { return !f.ended && !f.received })
}

// trim forgets the ended frames before the first one that has not ended.
func (o *unanswered) trim() {
	n := 0
	for n < len(o.frames) && o.frames[n].ended && n < o.inFlight {
		n++
	}
	o.frames = slices.Delete(o.frames, 0, n)
	o.inFlight -= n
	o.cursor = max(o.cursor-n, 0)
}

// outstanding returns how many bytes the unanswered frames take on the line at most.
func (o *unanswered) outstanding() (bytes int) {
	for _, f := range o.frames[:o.inFlight] {
		if !f.ended {
			bytes += wire.FrameSize(len(f.payload))
		}
	}
	return bytes
}

// due returns the next frame to send, or nil: one to send again, else a new one for which the windows of frames and of bytes
// have room.
func (o *unanswered) due(frames, bytes int) *outgoing {
	for o.cursor < len(o.frames) && o.frames[o.cursor].ended {
		o.cursor++
		o.inFlight = max(o.inFlight, o.cursor)
	}
	if o.cursor == len(o.frames) {
		return nil
	}
	f := o.frames[o.cursor]
	if o.cursor == o.inFlight {
		if o.inFlight >= frames {
			return nil
		}
		if busy := o.outstanding(); busy > 0 && busy+wire.FrameSize(len(f.payload)) > bytes {
			return nil
		}
	}
	return f
}

// sent notes that the frame that due returned was sent.
func (o *unanswered) sent(now time.Time) {
	f := o.frames[o.cursor]
	f.sends++
	f.sentAt = now
	o.cursor++
	o.inFlight = max(o.inFlight, o.cursor)
}

// abandon gives up the frames of one kind, because nobody waits for their answers any more. Frames that were never sent are
// removed; the others keep their numbers until resume or renumber.
func (o *unanswered) abandon(kind wire.FrameType) {
	for _, f := range o.frames {
		f.ended = f.ended || f.kind == kind
	}
	o.frames = slices.DeleteFunc(o.frames, func(f *outgoing) bool { return f.kind == kind && f.sends == 0 })
	if len(o.frames) > 0 {
		o.number(o.frames[0].number)
	}
}

// resume continues in a new session, in which the other end expects the frame numbered next. The frames before it were
// received; they are sent again to get their answers. Of the frames from it on, those that were given up are removed and
// the others take their numbers. It returns false if next is not the number of a frame, nor the one after them.
func (o *unanswered) resume(next uint8) bool {
	o.inFlight, o.cursor = 0, 0
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
		if f.received = i < received; f.received || !f.ended {
			kept = append(kept, f)
		}
	}
	o.frames = kept
	o.number(next - uint8(received))
	for len(o.frames) > 0 && o.frames[0].ended {
		o.frames = o.frames[1:]
	}
	return true
}

// renumber begins a new numbering, because the other end does not know the old one. It removes the frames that were given
// up and those of one kind, and returns the ids of the latter that were not answered, for their owner to queue again.
func (o *unanswered) renumber(first uint8, drop wire.FrameType) (dropped []uint64) {
	kept := o.frames[:0]
	o.inFlight, o.cursor = 0, 0
	for _, f := range o.frames {
		switch {
		case f.ended:
		case f.kind == drop:
			dropped = append(dropped, f.ID)
		default:
			f.received, f.sends = false, 0
			kept = append(kept, f)
		}
	}
	o.frames = kept
	o.number(first)
	return dropped
}

// number numbers the frames from first on, modulo 32.
func (o *unanswered) number(first uint8) {
	o.next = first % wire.FrameNumbers
	for _, f := range o.frames {
		f.number = o.next
		o.next = (o.next + 1) % wire.FrameNumbers
	}
}
