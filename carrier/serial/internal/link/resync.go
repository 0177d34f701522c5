package link

import "sighub/carrier/serial/internal/wire"

// The hub cannot know the time of readings that come without a time mark after a frame that it could not read. To refuse
// them would lose them all. Instead the hub does not answer them, asks for HELLO, and answers it with an expected number
// that the device cannot have used. So the device numbers its frames anew, and begins with a time mark.
//
// A new numbering must not bring again what was handed on already. So the hub first waits until all earlier frames are
// answered, and until the device has sent the first frame without a time several times, which shows that it has got those
// answers. That is not conclusive, so the answers are repeated each time: a reading is doubled only if four of them in a
// row are lost.

// renumberBy is the distance of the new number from the expected one. The device may have a window of frames before the
// expected number whose answers it has not got, and at most two windows from there on.
const renumberBy = 2*wire.MaxWindow + 4

// enoughRepeats is how often the first frame without a time must come again.
const enoughRepeats = 3

// resync begins to wait, because a frame that was taken has no time. This frame and those after it are taken back.
func (d *Device) resync(in *Incoming) {
	d.resyncing, d.repeats = true, 0
	d.Link.in.takeBack(in.number)
}

// Stray says that the device is answered for what is not kept, so that a later run of the hub may know older numbers only, which
// could stand for others modulo 32. So the device is to number its frames anew, as if it were plugged into another hub: then it takes no
// number of the later run for one of its own. Until Kept is called, Stray does nothing more.
func (d *Device) Stray() {
	if !d.astray {
		d.astray, d.moving = true, true
		d.resyncing, d.repeats = true, 0
	}
}

// Kept says that the device is only answered for what is kept.
func (d *Device) Kept() { d.astray = false }

// passOver ignores a reliable frame while the hub waits. It reports whether to ask for HELLO now.
func (d *Device) passOver(number uint8) (ask bool) {
	in := &d.Link.in
	d.Link.Stats.Repeated++
	switch {
	case in.repeat(number):
		d.repeats = 0
		return false
	case number != in.next || in.unanswered():
		return false
	}
	in.repeatAll()
	d.repeats++
	d.renumber = d.repeats >= enoughRepeats
	return d.renumber
}

// beginNumbering begins the new numbering, with the answer to a HELLO.
func (d *Device) beginNumbering() {
	d.Link.in.forget((d.Link.in.next + renumberBy) % wire.FrameNumbers)
	d.timeline = wire.Timeline{}
	d.resyncing, d.renumber = false, false
}
