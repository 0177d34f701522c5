package wire

import (
	"errors"
	"fmt"
	"math"
	"math/bits"

	"sighub/carrier"
)

// A Reading is one of an EVT frame's readings.
type Reading struct {
	Number int // of an event in the dictionary; from their count on, of the event whose readings were lost
	Ticks  uint32
	Value  []byte // of a loss: how many
}

// NumberBits returns how many bits a reading's number takes, for so many events: each has one for its readings, and
// one for its losses.
func NumberBits(events int) int { return bits.Len(uint(max(2*events-1, 0))) }

// A Timeline is where the ticks of the readings on the line stand, modulo 2^32: each reading says only how much later
// it was taken than the one before.
type Timeline struct {
	Ticks uint32
	Begun bool // if not, a time mark must come first
	Torn  bool // a frame before could not be read: until a time mark, ticks are unknown
}

// Append appends a reading. On the line one unsigned integer stands for its ticks and, in its lower bits, its number; a
// time mark goes before it where that does not do.
func (t *Timeline) Append(dst []byte, r Reading, bits int) []byte {
	delta := r.Ticks - t.Ticks
	x := uint64(delta)<<bits | uint64(r.Number)
	if !t.Begun || int32(delta) < 0 || x > math.MaxUint32 {
		dst = AppendInt(dst, -1-int64(r.Ticks))
		x = uint64(r.Number)
	}
	*t = Timeline{Ticks: r.Ticks, Begun: true}
	return append(AppendUint(dst, x), r.Value...)
}

var (
	errNoMark  = errors.New("a reading has no time mark before it")
	ErrNoTicks = errors.New("the ticks of a reading are unknown, because a frame before it could not be read")
)

// ParseReadings reads an EVT frame's payload, all of it or nothing, and returns where its timeline ends. The values
// lie in the payload.
func ParseReadings(payload []byte, d *Dictionary, from Timeline) ([]Reading, Timeline, error) {
	in := Items{Rest: payload}
	at, width := from, NumberBits(len(d.Events))
	var rs []Reading
	for in.more() {
		if in.Rest[0]>>5 == carrier.CBORNegative {
			at = Timeline{Ticks: uint32(-1 - in.Int("a time mark", math.MaxUint32)), Begun: true}
			continue
		}
		x := in.Uint("a reading's number and ticks", math.MaxUint32)
		r := Reading{Number: int(x & (1<<width - 1)), Value: in.raw("the value")}
		switch {
		case in.Err != nil:
		case at.Torn:
			in.fail(ErrNoTicks)
		case !at.Begun:
			in.fail(errNoMark)
		case r.Number >= 2*len(d.Events):
			in.fail(fmt.Errorf("number %d of %d events", r.Number, len(d.Events)))
		case r.Number >= len(d.Events) && r.Lost() == 0:
			in.fail(errors.New("a count of lost readings is no integer of 1 or more"))
		}
		at.Ticks += uint32(x >> width)
		r.Ticks = at.Ticks
		rs = append(rs, r)
	}
	if in.Err != nil {
		return nil, from, in.Err
	}
	return rs, at, nil
}

// Lost returns how many readings are Lost, if it is that what the reading tells.
func (r *Reading) Lost() uint64 {
	in := Items{Rest: r.Value}
	return in.Uint("the count", math.MaxInt64)
}
