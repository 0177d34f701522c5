package link

import (
	"errors"

	"sighub/carrier/serial/internal/wire"
)

// ErrComesAgain says that a frame was taken back: the other end will send it again.
var ErrComesAgain = errors.New("serial: the frame will come again")

// maxDoubts is how often a frame may make no sense before that is believed. A CRC of 16 bits misses one damaged frame in
// 65,536, and a device that writes nonsense is rarer than that.
const maxDoubts = 3

// doubts is how often the reliable frame of a number, or the reply to one, has made no sense.
type doubts struct {
	number uint8
	times  int
}

// again reports whether the frame of a number is to be doubted once more.
func (d *doubts) again(number uint8) bool {
	if d.number != number {
		*d = doubts{number: number}
	}
	d.times++
	if d.times > maxDoubts {
		d.times = 0
		return false
	}
	return true
}

// Doubt takes back a reliable frame whose payload makes no sense, with those after it, and asks the other end to send it
// again, as if it had been damaged on the line. It reports false if that was done several times already.
func (l *Link) Doubt(in *Incoming) bool {
	switch {
	case in.Abandoned || in.answered: // it was taken back with an earlier one
		return true
	case !l.doubtedFrames.again(in.number):
		return false
	}
	l.Stats.Doubted++
	l.in.takeBack(in.number)
	l.damaged()
	return true
}

// doubtReply reports whether to ignore the reply to one of our frames, because it makes no sense. It comes again when we send
// the frame again.
func (l *Link) doubtReply(number uint8, payload []byte) bool {
	if wire.CheckReply(payload) == nil || !l.doubtedReplies.again(number) {
		return false
	}
	l.Stats.Doubted++
	l.resendNow = true
	return true
}
