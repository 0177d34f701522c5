package wire

import (
	"errors"
	"fmt"
	"math"
	"math/bits"
	"strings"

	"sighub/carrier"
)

// A Reading is one of an EVT frame's readings: the value of an event, or the number of an event's values that were lost.
type Reading struct {
	Number int // of the event in the dictionary; for a loss, that plus the number of events
	Ticks  uint32
	Value  []byte // one CBOR item, whose content is not checked; for a loss, its count
}

// NumberBits returns how many bits a reading's number takes if the dictionary has so many events.
func NumberBits(events int) int { return bits.Len(uint(max(2*events-1, 0))) }

// A Timeline is the ticks of the latest reading on the line, modulo 2^32: the next reading only says how much later it was
// taken.
type Timeline struct {
	Ticks uint32
	Begun bool // Ticks are known; if not, a time mark must come first
	Torn  bool // an earlier frame could not be read: Ticks are unknown until a time mark comes
}

// Append appends a reading: one unsigned integer for its ticks and, in the lower bits, its number, then its value. A time
// mark precedes it if the integer alone cannot tell the ticks.
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

// ErrNoTicks says that the ticks of a reading are unknown, because an earlier frame could not be read.
var ErrNoTicks = errors.New("the ticks of a reading are unknown, because a frame before it could not be read")

var errNoMark = errors.New("no time mark precedes the first reading")

// ParseReadings reads an EVT frame's payload, and returns the timeline after it. The values alias the payload. With an
// error there are no readings.
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
		r := Reading{Number: int(x & (1<<width - 1)), Value: in.value("the value")}
		switch {
		case in.Err != nil:
		case at.Torn:
			in.fail(ErrNoTicks)
		case !at.Begun:
			in.fail(errNoMark)
		case r.Number >= 2*len(d.Events):
			in.fail(fmt.Errorf("the reading's number is %d, but the dictionary has %d events", r.Number, len(d.Events)))
		case r.Number >= len(d.Events) && r.Lost() == 0:
			in.fail(errors.New("the count of lost readings must be a positive integer"))
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

// Lost returns the count of a loss, or 0 if it is not a positive integer.
func (r *Reading) Lost() uint64 {
	in := Items{Rest: r.Value}
	return in.Uint("the count", math.MaxInt64)
}

// CheckValue returns an error that says why a value of a device cannot be taken, if it cannot. The error wraps
// [carrier.ErrValue], also if the item is malformed: its end was found, so it is the value that is wrong, and not its frame.
func CheckValue(item []byte) error {
	err := carrier.CheckValue(carrier.CBOR, item)
	if err == nil || errors.Is(err, carrier.ErrValue) {
		return err
	}
	return fmt.Errorf("%w: %s", carrier.ErrValue, strings.TrimPrefix(err.Error(), carrier.ErrMalformed.Error()+": "))
}
