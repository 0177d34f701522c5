package arguments

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// A Moment says where in the past to begin or to end.
type Moment struct {
	Start    bool      // the beginning of everything
	Time     time.Time // else that, unless it is zero
	Epoch    uint32    // else behind the event at this position
	Sequence uint64
}

// ParseMoment reads a moment: start, a duration before now such as 2h or 7d, a position EPOCH/SEQUENCE as commands print it, a date,
// with a time of day or without, or what [ParseTime] reads. Dates are in the time zone of now.
func ParseMoment(text string, now time.Time) (Moment, error) {
	text = Unmark(text)
	if text == "start" {
		return Moment{Start: true}, nil
	}
	if epoch, sequence, ok := strings.Cut(text, "/"); ok {
		e, err1 := strconv.ParseUint(epoch, 10, 32)
		s, err2 := strconv.ParseUint(sequence, 10, 64)
		if err1 == nil && err2 == nil {
			return Moment{Epoch: uint32(e), Sequence: s}, nil
		}
	}
	if d, err := ParseDuration(text); err == nil {
		return Moment{Time: now.Add(-d)}, nil
	}
	for _, layout := range []string{"2006-01-02", "2006-01-02 15:04", "2006-01-02 15:04:05", "2006-01-02T15:04", "2006-01-02T15:04:05"} {
		if t, err := time.ParseInLocation(layout, text, now.Location()); err == nil {
			return Moment{Time: t}, nil
		}
	}
	if t, err := ParseTime(text); err == nil && !t.IsZero() {
		return Moment{Time: t}, nil
	}
	return Moment{}, fmt.Errorf("%s: write start, how long ago, such as 2h or 7d, a time such as 2026-06-21T10:30:05Z or \"2026-06-21 10:30\", "+
		"or a position such as 3/4711", text)
}
