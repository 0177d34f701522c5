package link

import (
	"sighub/carrier/serial/internal/wire"
)

// A peer has gone astray when its readings come with ticks that the hub cannot know, because a frame before them could
// not be read. To refuse one after the other would lose them all. So they are not answered, the device is asked for
// HELLO and answered that a number is expected which it cannot have sent: that makes it number anew, and say the time.
//
// A new numbering must not bring again what was handed on before. So the hub waits until all frames before the stray
// ones are answered, and until the device, by sending the first stray one again and again, has shown that it has had
// those answers. That is no proof, so each time they are repeated: what comes twice must have lost four answers.

// renumberBy is how far the number is from what was expected: the device has up to a window of frames before that which
// it does not know to be answered, and two windows from there on at most.
const renumberBy = 2*wire.MaxWindow + 4

// enoughRepeats is how often the first stray frame must come again.
const enoughRepeats = 3

// Resync notes that a frame that was taken is astray. It and those behind it are taken back.
func (p *Device) Resync(in *Incoming) {
	p.resyncing, p.repeats = true, 0
	p.Link.in.rewind(in.number)
}

// pass passes over a reliable frame of a device that is astray, and returns whether to ask for HELLO now.
func (p *Device) pass(number uint8) (ask bool) {
	in := &p.Link.in
	p.Link.Stats.Repeated++
	switch {
	case in.repeat(number):
		p.repeats = 0
		return false
	case number != in.next || in.unanswered():
		return false
	}
	in.repeatAll()
	p.repeats++
	p.renumber = p.repeats >= enoughRepeats
	return p.renumber
}

// renumbered begins the new numbering, with the answer to a HELLO.
func (p *Device) renumbered() {
	p.Link.in.forget((p.Link.in.next + renumberBy) % wire.FrameNumbers)
	p.at = wire.Timeline{}
	p.resyncing, p.renumber = false, false
}
