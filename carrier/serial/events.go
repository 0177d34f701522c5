package serial

import (
	"errors"
	"math"

	"sighub/carrier"
)

// A packedReading is one of an EVT frame's readings.
type packedReading struct {
	number int // of an event in the dictionary; from their count on, of the sender whose readings were lost
	ticks  uint32
	value  []byte // of a loss: how many
}

// A timeline is where the ticks of the readings on the line stand, modulo 2^32: each reading says only how much later
// it was taken than the one before.
type timeline struct {
	ticks uint32
	begun bool // if not, a time mark must come first
}

// append appends a reading. On the line one unsigned integer stands for its number, of which there are so many, and
// its ticks; a time mark goes before it where that does not do.
func (t *timeline) append(dst []byte, r packedReading, numbers int) []byte {
	delta := r.ticks - t.ticks
	x := uint64(delta)*uint64(numbers) + uint64(r.number)
	if !t.begun || int32(delta) < 0 || x > math.MaxUint32 {
		dst = appendInt(dst, -1-int64(r.ticks))
		x = uint64(r.number)
	}
	*t = timeline{ticks: r.ticks, begun: true}
	return append(appendUint(dst, x), r.value...)
}

var errNoMark = errors.New("a reading has no time mark before it")

// parseReadings reads an EVT frame's payload, all of it or nothing, and returns where its timeline ends. The values
// lie in the payload.
func parseReadings(payload []byte, d *dictionary, from timeline) ([]packedReading, timeline, error) {
	in := items{rest: payload}
	at, all := from, uint64(d.numbers())
	var rs []packedReading
	for in.more() {
		if in.rest[0]>>5 == carrier.CBORNegative {
			at = timeline{ticks: uint32(-1 - in.int("a time mark", math.MaxUint32)), begun: true}
			continue
		}
		x := in.uint("a reading's number and ticks", math.MaxUint32)
		if in.err == nil && !at.begun {
			in.fail(errNoMark)
		}
		at.ticks += uint32(x / all)
		r := packedReading{number: int(x % all), ticks: at.ticks, value: in.raw("the value")}
		if in.err == nil && r.number >= len(d.events) && r.lost() == 0 {
			in.fail(errors.New("a count of lost readings is no integer of 1 or more"))
		}
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
