package arguments

import (
	"fmt"
	"math"
	"strconv"
	"time"
)

// ParseTime reads a time: RFC 3339, or a number since 1970, whose size tells its unit. Empty text is the zero time.
func ParseTime(text string) (time.Time, error) {
	if text == "" {
		return time.Time{}, nil
	}
	if t, err := time.Parse(time.RFC3339Nano, text); err == nil {
		return t, nil
	}
	wrong := fmt.Errorf("%s: write one such as 2026-06-21T10:30:05Z, or seconds, milliseconds, microseconds or nanoseconds since 1970", text)
	n, err := strconv.ParseFloat(text, 64)
	if err != nil || n < 0 {
		return time.Time{}, wrong
	}
	// From 2001 to 2286, these have 10, 13, 16 and 19 digits.
	for _, unit := range []time.Duration{time.Second, time.Millisecond, time.Microsecond, time.Nanosecond} {
		if seconds := n * unit.Seconds(); 1e9 <= seconds && seconds < 1e10 {
			if whole, err := strconv.ParseInt(text, 10, 64); err == nil {
				return time.Unix(0, whole*int64(unit)), nil
			}
			return time.UnixMicro(int64(math.Round(n * unit.Seconds() * 1e6))), nil
		}
	}
	return time.Time{}, wrong
}
