package arguments

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// A Moment says where in the past to begin or to end.
type Moment struct {
	// Text is how a hub is told, by its own clock if the moment is so long ago: see hub.ListenerOptions. It is empty for a position.
	Text string
	// Time is the same by the clock of this machine. Zero: the beginning of everything, or a position.
	Time time.Time
	// Behind the event at this position; zero: none.
	Epoch    uint32
	Sequence uint64
}

// ParseMoment reads a moment: start, a duration before now such as 2h or 7d, a position EPOCH/SEQUENCE as commands print it, a date,
// with a time of day or without, or what [ParseTime] reads. Dates are in the time zone of now. Empty text is the zero Moment.
func ParseMoment(text string, now time.Time) (Moment, error) {
	switch text {
	case "":
		return Moment{}, nil
	case "start":
		return Moment{Text: text}, nil
	}
	if epoch, sequence, ok := strings.Cut(text, "/"); ok {
		e, err1 := strconv.ParseUint(epoch, 10, 32)
		s, err2 := strconv.ParseUint(sequence, 10, 63)
		if err1 == nil && err2 == nil && e > 0 {
			return Moment{Epoch: uint32(e), Sequence: s}, nil
		}
	}
	if d, err := ParseDuration(text); err == nil {
		return Moment{Text: d.String(), Time: now.Add(-d)}, nil
	}
	for _, layout := range []string{"2006-01-02", "2006-01-02 15:04", "2006-01-02 15:04:05", "2006-01-02T15:04", "2006-01-02T15:04:05"} {
		if t, err := time.ParseInLocation(layout, text, now.Location()); err == nil {
			return at(t), nil
		}
	}
	if t, err := ParseTime(text); err == nil {
		return at(t), nil
	}
	return Moment{}, fmt.Errorf("%s: write start, how long ago, such as 2h or 7d, a time such as 2026-06-21T10:30:05Z or \"2026-06-21 10:30\", "+
		"or a position such as 3/4711", text)
}

func at(t time.Time) Moment { return Moment{Text: t.UTC().Format(time.RFC3339Nano), Time: t} }

// IsPosition reports whether the moment is a position.
func (m Moment) IsPosition() bool { return m.Epoch > 0 }
