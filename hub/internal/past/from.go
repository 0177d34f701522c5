package past

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"sighub/carrier"
	"sighub/journal"
)

var errFrom = errors.New(`must be "start", "now", a time (RFC 3339), an age such as "2h", or a position [epoch, sequence]`)

// A From says where a listener begins.
type From struct {
	journal.Start
	Since time.Time        // zero: it is not a time
	After journal.Position // zero: it is not a position
}

// ReadFrom reads where to begin: "start", "now", a time, an age or a position, behind which it begins. Null is now.
func ReadFrom(v carrier.Value, now time.Time) (From, error) {
	var text string
	var list []uint64
	switch {
	case v.IsNull():
		return From{Start: journal.FromEnd()}, nil
	case v.Decode(&list) == nil:
		if len(list) != 2 || list[0] > 1<<32-1 || list[1] > 1<<63 {
			return From{}, errFrom
		}
		p := journal.Position{Epoch: uint32(list[0]), Sequence: list[1]}
		return From{Start: journal.After(p), After: p}, nil
	case v.Decode(&text) != nil: // a number may be a time
	case text == "now":
		return From{Start: journal.FromEnd()}, nil
	case text == "start":
		return From{Start: journal.FromOldest()}, nil
	default:
		if age, ok := ReadAge(text); ok {
			return since(now.Add(-age)), nil
		}
	}
	at, err := carrier.ReadTime(v)
	if err != nil || at.IsZero() {
		return From{}, fmt.Errorf("%w, not %s", errFrom, v)
	}
	return since(at), nil
}

func since(t time.Time) From { return From{Start: journal.Since(t), Since: t} }

// maxAge bounds an age, in days: some 100 years.
const maxAge = 36_500

// ReadAge reads a duration such as "90s", "2h30m" or "7d".
func ReadAge(text string) (time.Duration, bool) {
	days, rest, found := strings.Cut(text, "d")
	n := 0
	if found {
		var err error
		if n, err = strconv.Atoi(days); err != nil || n < 0 || n > maxAge {
			return 0, false
		}
	} else {
		rest = text
	}
	var d time.Duration
	if rest != "" || !found {
		var err error
		if d, err = time.ParseDuration(rest); err != nil || d < 0 || d > maxAge*24*time.Hour {
			return 0, false
		}
	}
	return time.Duration(n)*24*time.Hour + d, true
}
