package serial

// A peer has gone astray when its readings come with ticks that the hub cannot know, because a frame before them could
// not be read. To refuse one after the other would lose them all. So they are not answered, the device is asked for
// HELLO and answered that a number is expected which it cannot have sent: that makes it number anew, and say the time.
//
// A new numbering must not bring again what was handed on before. So the hub waits until all frames before the stray
// ones are answered, and until the device, by sending the first stray one again and again, has shown that it has had
// those answers. That is no proof, so each time they are repeated: what comes twice must have lost four answers.

// elsewhere is how far the number is from what was expected: the device has up to a window of frames before that which
// it does not know to be answered, and two windows from there on at most.
const elsewhere = 2*maxWindow + 4

// shownOften is how often the first stray frame must come again.
const shownOften = 3

// stray notes that a frame that was taken is astray. It and those behind it are taken back.
func (p *peer) stray(in *incoming) {
	p.astray, p.shown = true, 0
	p.link.in.rewind(in.number)
}

// strayed passes over a reliable frame of a device that is astray, and returns whether to ask for HELLO now.
func (p *peer) strayed(number uint8) (ask bool) {
	in := &p.link.in
	p.link.stats.repeated++
	switch {
	case in.repeat(number):
		p.shown = 0
		return false
	case number != in.next || in.unanswered():
		return false
	}
	in.repeatAll()
	p.shown++
	p.anew = p.shown >= shownOften
	return p.anew
}

// found begins the new numbering, with the answer to a HELLO.
func (p *peer) found() {
	p.link.in.forget((p.link.in.next + elsewhere) % numbers)
	p.at = timeline{}
	p.astray, p.anew = false, false
}
