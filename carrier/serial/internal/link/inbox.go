package link

import (
	"sighub/carrier/serial/internal/wire"
)

// An Incoming frame is a reliable one of the peer's, kept until it cannot be sent again.
type Incoming struct {
	number   uint8
	answered bool
	Void     bool   // the peer has stopped waiting for the reply
	reply    []byte // payload of the REP; nil: done without a response, which an ACK can say
	due      bool   // the reply is to be sent, or to be sent again
}

// An inbox takes reliable frames in the order of their numbers, each once, and remembers its replies to as many
// as the peer can have unanswered, to repeat them when a frame comes again.
type inbox struct {
	next  uint8 // number of the next frame to take
	gap   uint8 // how far ahead of it the latest frame was; 0: not at all
	slots [wire.MaxWindow]*Incoming
}

// take returns the frame to be handed on, or nil for one that was there already (whose reply, if there is one, is
// then due again) or that is ahead of its turn.
func (b *inbox) take(number uint8) *Incoming {
	if number != b.next {
		b.repeat(number)
		return nil
	}
	s := &b.slots[number%wire.MaxWindow]
	if *s != nil {
		// Whoever sends this frame has seen the end of the one a window before it.
		(*s).Void = true
	}
	*s = &Incoming{number: number}
	b.next, b.gap = (b.next+1)%wire.FrameNumbers, 0
	return *s
}

// ahead tells whether a frame comes before the next one to take, and that is news: the frames after it on the line do
// so as well, until the peer sends again from the missing one on.
func (b *inbox) ahead(number uint8) bool {
	gap := (number - b.next) % wire.FrameNumbers
	if gap == 0 || gap >= wire.MaxWindow {
		return false
	}
	news := b.gap == 0 || gap <= b.gap
	b.gap = gap
	return news
}

// repeat makes the reply to a frame that came again due, if there is one; it returns whether the frame was taken.
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

// repeatAll makes all replies due that the peer may be waiting for.
func (b *inbox) repeatAll() {
	for back := range uint8(wire.MaxWindow) {
		b.repeat(b.next - back - 1)
	}
}

// rewind takes a frame and those after it back, as if they had not come.
func (b *inbox) rewind(number uint8) {
	for ; b.next != number; b.next = (b.next - 1) % wire.FrameNumbers {
		if s := b.at(b.next - 1); s != nil {
			s.Void = true
			b.slots[s.number%wire.MaxWindow] = nil
		}
	}
}

// answer stores the reply to a frame; only the first one counts.
func (b *inbox) answer(in *Incoming, reply []byte) bool {
	if in.answered || in.Void {
		return false
	}
	in.answered, in.reply, in.due = true, reply, true
	return true
}

// due returns the next reply to send. If all is true it is a cumulative one: this frame and all before it are
// done. It is then taken for sent.
//
// A cumulative answer must not cover a frame whose reply says more than that it is done: that reply may have been
// lost. So it is given only when each frame that the peer may have unanswered is merely done.
func (b *inbox) due(window int) (in *Incoming, all bool) {
	for back := uint8(wire.MaxWindow); back > 0; back-- {
		s := b.at(b.next - back)
		if s == nil || !s.due {
			continue
		}
		plain := b.plain(s, window)
		if !plain && in != nil {
			break // what was gathered so far goes first
		}
		s.due = false
		if !plain {
			return s, false
		}
		in = s
	}
	return in, in != nil
}

// plain tells whether the frame and the window-1 frames before it were all answered without a word.
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

// unanswered tells whether a frame was taken and not answered.
func (b *inbox) unanswered() bool {
	for _, s := range b.slots {
		if s != nil && !s.answered && !s.Void {
			return true
		}
	}
	return false
}

// forget drops what is known of the peer's frames before the next one: for a peer that has forgotten them too.
func (b *inbox) forget(next uint8) {
	for _, s := range b.slots {
		if s != nil {
			s.Void = true
		}
	}
	*b = inbox{next: next}
}
