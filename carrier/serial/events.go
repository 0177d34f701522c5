package serial

import (
	"errors"
	"fmt"
	"math"
	"math/bits"

	"sighub/carrier"
)

// A packedReading is one of an EVT frame's readings.
type packedReading struct {
	number int // of an event in the dictionary; from their count on, of the event whose readings were lost
	ticks  uint32
	value  []byte // of a loss: how many
}

// numberBits returns how many bits a reading's number takes, for so many events: each has one for its readings, and
// one for its losses.
func numberBits(events int) int { return bits.Len(uint(max(2*events-1, 0))) }

// A timeline is where the ticks of the readings on the line stand, modulo 2^32: each reading says only how much later
// it was taken than the one before.
type timeline struct {
	ticks uint32
	begun bool // if not, a time mark must come first
	torn  bool // a frame before could not be read: until a time mark, ticks are unknown
}

// append appends a reading. On the line one unsigned integer stands for its ticks and, in its lower bits, its number; a
// time mark goes before it where that does not do.
func (t *timeline) append(dst []byte, r packedReading, bits int) []byte {
	delta := r.ticks - t.ticks
	x := uint64(delta)<<bits | uint64(r.number)
	if !t.begun || int32(delta) < 0 || x > math.MaxUint32 {
		dst = appendInt(dst, -1-int64(r.ticks))
		x = uint64(r.number)
	}
	*t = timeline{ticks: r.ticks, begun: true}
	return append(appendUint(dst, x), r.value...)
}

var (
	errNoMark = errors.New("a reading has no time mark before it")
	errTorn   = errors.New("the ticks of a reading are unknown, because a frame before it could not be read")
)

// parseReadings reads an EVT frame's payload, all of it or nothing, and returns where its timeline ends. The values
// lie in the payload.
func parseReadings(payload []byte, d *dictionary, from timeline) ([]packedReading, timeline, error) {
	in := items{rest: payload}
	at, width := from, numberBits(len(d.events))
	var rs []packedReading
	for in.more() {
		if in.rest[0]>>5 == carrier.CBORNegative {
			at = timeline{ticks: uint32(-1 - in.int("a time mark", math.MaxUint32)), begun: true}
			continue
		}
		x := in.uint("a reading's number and ticks", math.MaxUint32)
		r := packedReading{number: int(x & (1<<width - 1)), value: in.raw("the value")}
		switch {
		case in.err != nil:
		case at.torn:
			in.fail(errTorn)
		case !at.begun:
			in.fail(errNoMark)
		case r.number >= 2*len(d.events):
			in.fail(fmt.Errorf("number %d of %d events", r.number, len(d.events)))
		case r.number >= len(d.events) && r.lost() == 0:
			in.fail(errors.New("a count of lost readings is no integer of 1 or more"))
		}
		at.ticks += uint32(x >> width)
		r.ticks = at.ticks
		rs = append(rs, r)
	}
	if in.err != nil {
		return nil, from, in.err
	}
	return rs, at, nil
}

// lost returns how many readings are lost, if it is that what the reading tells.
func (r *packedReading) lost() uint64 {
	in := items{rest: r.value}
	return in.uint("the count", math.MaxInt64)
}
