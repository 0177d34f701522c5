package serial

// An incoming frame is a reliable one of the peer's, kept until it cannot be sent again.
type incoming struct {
	number   uint8
	answered bool
	void     bool   // the peer has stopped waiting for the reply
	reply    []byte // payload of the REP; nil: done without a response, which an ACK can say
	due      bool   // the reply is to be sent, or to be sent again
}

// An inbox takes reliable frames in the order of their numbers, each once, and remembers its replies to as many
// as the peer can have unanswered, to repeat them when a frame comes again.
type inbox struct {
	next  uint8 // number of the next frame to take
	slots [maxWindow]*incoming
}

// take returns the frame to be handed on, or nil for one that was there already (whose reply, if there is one, is
// then due again) or that is ahead of its turn.
func (b *inbox) take(number uint8) *incoming {
	if number != b.next {
		if back := (b.next - number) % numbers; back <= maxWindow {
			if s := b.slots[number%maxWindow]; s != nil && s.number == number {
				s.due = s.answered
			}
		}
		return nil
	}
	s := &b.slots[number%maxWindow]
	if *s != nil {
		// Whoever sends this frame has seen the end of the one a window before it.
		(*s).void = true
	}
	*s = &incoming{number: number}
	b.next = (b.next + 1) % numbers
	return *s
}

// answer stores the reply to a frame; only the first one counts.
func (b *inbox) answer(in *incoming, reply []byte) bool {
	if in.answered || in.void {
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
func (b *inbox) due(window int) (in *incoming, all bool) {
	for back := uint8(maxWindow); back > 0; back-- {
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
func (b *inbox) plain(in *incoming, window int) bool {
	for back := range uint8(window) {
		if s := b.at(in.number - back); s != nil && (!s.answered || s.reply != nil) {
			return false
		}
	}
	return true
}

func (b *inbox) at(number uint8) *incoming {
	number %= numbers
	if s := b.slots[number%maxWindow]; s != nil && s.number == number {
		return s
	}
	return nil
}

// unanswered tells whether a frame was taken and not answered.
func (b *inbox) unanswered() bool {
	for _, s := range b.slots {
		if s != nil && !s.answered && !s.void {
			return true
		}
	}
	return false
}

// forget drops what is known of the peer's frames before the next one: for a peer that has forgotten them too.
func (b *inbox) forget(next uint8) {
	for _, s := range b.slots {
		if s != nil {
			s.void = true
		}
	}
	*b = inbox{next: next}
}
