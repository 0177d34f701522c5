package link

import "sighub/carrier/serial/internal/wire"

// An Incoming is a reliable frame of the other end's, kept until it cannot come again.
type Incoming struct {
	number    uint8
	readings  int // bytes of them; 0: it is a message
	answered  bool
	Abandoned bool // the other end no longer waits for the answer
	takenBack bool // it counts as if it had not come, and will come again
	settled   bool // the owner has dealt with it: see state.go
	prompt    bool // it came soon after an answer, for which the other end seems to have waited

	presumed []byte // see Presume
	reply    []byte // payload of the REP frame; nil: done without a response, so that an ACK frame will do
	due      bool   // the answer is to be sent, perhaps again
}

// Answered reports whether the frame has its answer.
func (in *Incoming) Answered() bool { return in.answered }

// Prompt reports whether the frame came so soon after an answer that the other end seems to have waited for it.
func (in *Incoming) Prompt() bool { return in.prompt }

// TakenBack reports whether the frame counts as if it had not come. It will come again.
func (in *Incoming) TakenBack() bool { return in.takenBack }

// An inbox takes reliable frames in the order of their numbers, each once. It remembers the answers to as many as can be
// unanswered at the other end, to repeat them when a frame comes again.
type inbox struct {
	next  uint8 // number of the next frame to take
	gap   uint8 // how far the latest frame was ahead of that; 0: it was not
	slots [wire.MaxWindow]*Incoming
}

// take returns the frame to be handed on; or nil for one that comes again, whose answer is then due again, or that comes
// ahead of its turn.
func (b *inbox) take(number uint8) *Incoming {
	if number != b.next {
		b.repeat(number)
		return nil
	}
	s := &b.slots[number%wire.MaxWindow]
	if *s != nil {
		// The other end sends this frame only after the one a window before it has ended.
		(*s).Abandoned = true
	}
	*s = &Incoming{number: number}
	b.next, b.gap = (b.next+1)%wire.FrameNumbers, 0
	return *s
}

// ahead reports whether a frame shows that an earlier one is missing. The frames that follow it on the line do not show it
// anew, until the other end sends again from the missing one on.
func (b *inbox) ahead(number uint8) bool {
	gap := (number - b.next) % wire.FrameNumbers
	if gap == 0 || gap >= wire.MaxWindow {
		return false
	}
	news := b.gap == 0 || gap <= b.gap
	b.gap = gap
	return news
}

// repeat makes the answer to a frame due again if the frame was answered. It reports whether the frame was taken.
func (b *inbox) repeat(number uint8) bool {
	if back := (b.next - number) % wire.FrameNumbers; back == 0 || back > wire.MaxWindow {
		return false
	}
	s := b.at(number)
	if s != nil {
		s.due = s.answered
	}
	return s != nil
}

// repeatAll makes all answers due that the other end may wait for.
func (b *inbox) repeatAll() {
	for back := range uint8(wire.MaxWindow) {
		b.repeat(b.next - back - 1)
	}
}

// takeBack forgets a frame and those after it, as if they had not come.
func (b *inbox) takeBack(number uint8) {
	for ; b.next != number; b.next = (b.next - 1) % wire.FrameNumbers {
		if s := b.at(b.next - 1); s != nil {
			s.Abandoned, s.takenBack = true, true
			b.slots[s.number%wire.MaxWindow] = nil
		}
	}
}

// answer stores the answer to a frame. Only the first one counts; answer reports whether it was that.
func (b *inbox) answer(in *Incoming, reply []byte) bool {
	if in.answered || in.Abandoned {
		return false
	}
	in.answered, in.reply, in.due = true, reply, true
	return true
}

// due returns the frame whose answer is to be sent next, and takes that for sent. If all is true the answer is cumulative:
// this frame and all before it are done.
//
// A cumulative answer must not cover a frame whose reply says more than that: the reply may have been lost. So it is only
// given when each frame that can be unanswered at the other end is done without a response.
func (b *inbox) due(window int) (in *Incoming, all bool) {
	for back := uint8(wire.MaxWindow); back > 0; back-- {
		s := b.at(b.next - back)
		if s == nil || !s.due {
			continue
		}
		plain := b.plain(s, window)
		if !plain && in != nil {
			break // the cumulative answer goes first
		}
		s.due = false
		if !plain {
			return s, false
		}
		in = s
	}
	return in, in != nil
}

// plain reports whether this frame and the window-1 frames before it are all done without a response.
func (b *inbox) plain(in *Incoming, window int) bool {
	for back := range uint8(window) {
		if s := b.at(in.number - back); s != nil && (!s.answered || s.reply != nil) {
			return false
		}
	}
	return true
}

func (b *inbox) at(number uint8) *Incoming {
	number %= wire.FrameNumbers
	if s := b.slots[number%wire.MaxWindow]; s != nil && s.number == number {
		return s
	}
	return nil
}

// unanswered reports whether a frame was taken and not answered.
func (b *inbox) unanswered() bool { return b.open() > 0 }

// open counts the frames that were taken and not answered.
func (b *inbox) open() (n int) {
	for _, s := range b.slots {
		if s != nil && !s.answered && !s.Abandoned {
			n++
		}
	}
	return n
}

// readings returns how many bytes of readings were taken and not answered.
func (b *inbox) readings() (bytes int) {
	for _, s := range b.slots {
		if s != nil && !s.answered && !s.Abandoned {
			bytes += s.readings
		}
	}
	return bytes
}

// forget drops what is known of all frames before the next one, which the other end has forgotten, too.
func (b *inbox) forget(next uint8) {
	for _, s := range b.slots {
		if s != nil {
			s.Abandoned = true
		}
	}
	*b = inbox{next: next}
}
