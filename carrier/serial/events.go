package serial

import "math"

// A reading in an EVT frame is three items: the event's number in the dictionary, or -1-s for the #gap event of
// sender s; the ticks since the reading before it in this numbering, or for the first one its ticks; the value.
type packedReading struct {
	event int
	delta int64 // ticks
	value []byte
}

const maxDelta = 1 << 40 // ticks; twelve days of microseconds, and small enough to be added without a thought

func (r *packedReading) append(dst []byte) []byte {
	dst = appendInt(dst, int64(r.event))
	dst = appendInt(dst, r.delta)
	return append(dst, r.value...)
}

// parseReadings reads an EVT frame's payload; the values lie in it.
func parseReadings(payload []byte) ([]packedReading, error) {
	in := items{rest: payload}
	var rs []packedReading
	for in.more() {
		rs = append(rs, packedReading{
			event: int(in.int("the event's number", math.MaxInt16)),
			delta: in.int("the ticks since the reading before", maxDelta),
			value: in.raw("the value"),
		})
	}
	if in.err != nil {
		return nil, in.err
	}
	return rs, nil
}
