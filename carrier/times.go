package carrier

import (
	"bytes"
	"fmt"
	"math"
	"math/big"
	"strconv"
	"time"
)

// The numbers from which a time is told in milliseconds, microseconds and nanoseconds since 1970, and no longer in seconds. Each
// is 1973-03-03 in its own unit, and the one before it is later than the year 5000 in its.
const (
	fromMillis = 1e11
	fromMicros = 1e14
	fromNanos  = 1e17
)

// maxSecond is the last second of the year 9999, since 1970. RFC 3339 has no later one.
const maxSecond = 253402300799

// ReadTime reads the time of an event as programs tell it. That is a text as RFC 3339 has it, in which a space may stand for
// the T and +0100 for +01:00; or a number of seconds, milliseconds, microseconds or nanoseconds since 1970, which are told apart
// by its size; or a CBOR time (tags 0 and 1). A number with a fraction counts to the microsecond. The second 23:59:60 UTC is the
// first one of the next day, as the system's clock has it.
//
// The result is the zero time for null and 0, which stand for a time that is not known. An error wraps [ErrTime]. Every time is
// from 1970 to 2261, because 64 bits of nanoseconds hold no others.
func ReadTime(v Value) (time.Time, error) {
	if v.IsNull() {
		return time.Time{}, nil
	}
	t, told, err := readTime(v)
	if err == nil && told && !Tellable(t) {
		err = fmt.Errorf("%w: %s is not from 1970 to 2261", ErrTime, shown(v))
	}
	if err != nil {
		return time.Time{}, err
	}
	return t, nil
}

// Tellable reports whether a time can be told on the network, in 64 bits of nanoseconds: it is from 1970 to 2261.
func Tellable(t time.Time) bool { return uint64(t.Unix()) <= maxTime/1_000_000_000 }

// TellsNanoseconds reports whether [ReadTime] takes the time's nanoseconds since 1970 for nanoseconds: it is after March 1973.
func TellsNanoseconds(t time.Time) bool { return Tellable(t) && t.UnixNano() >= fromNanos }

func readTime(v Value) (t time.Time, told bool, err error) {
	if n, ok := v.Uint(); ok && n <= math.MaxInt64 {
		return timeOfInteger(int64(n)), n > 0, nil
	}
	if isJSON(v.codec) {
		if t, ok := usualTime(v.raw); ok {
			return t, true, nil
		}
	}
	a, err := v.Any()
	if err != nil {
		return t, false, fmt.Errorf("%w: %w", ErrTime, err)
	}
	switch a := a.(type) {
	case string:
		t, err = timeOfText(a)
		return t, true, err
	case time.Time: // a Go value
		return a, true, nil
	case float64:
		if a >= 0 && a <= math.MaxInt64 {
			return timeOfFloat(a), a > 0, nil
		}
	case int: // a Go value
		if a >= 0 {
			return timeOfInteger(int64(a)), a > 0, nil
		}
	case int64:
		if a >= 0 {
			return timeOfInteger(a), a > 0, nil
		}
	case uint64, *big.Int: // too large
	default:
		return t, false, fmt.Errorf("%w: %s is not a time; write an RFC 3339 text or a number since 1970", ErrTime, shown(v))
	}
	return t, false, fmt.Errorf("%w: %s is not from 1970 to 2261", ErrTime, shown(v))
}

// usualTime reads a time in the form in which the hub writes it in JSON, without an allocation.
func usualTime(raw []byte) (t time.Time, ok bool) {
	if raw[0] != '"' || raw[len(raw)-1] != '"' || len(raw) < 2 {
		return t, false
	}
	plain, ok := plainJSON(raw)
	return t, ok && t.UnmarshalText(plain) == nil
}

// shown returns a value for an error, cut where it is long.
func shown(v Value) string {
	text := v.String()
	if len(text) > maxShown {
		return text[:maxShown] + "…"
	}
	return text
}

func timeOfInteger(n int64) time.Time {
	switch {
	case n == 0:
		return time.Time{}
	case n < fromMillis:
		return time.Unix(n, 0)
	case n < fromMicros:
		return time.UnixMilli(n)
	case n < fromNanos:
		return time.UnixMicro(n)
	default:
		return time.Unix(0, n)
	}
}

func timeOfFloat(f float64) time.Time {
	switch {
	case f == 0:
		return time.Time{}
	case f < fromMillis:
		return time.UnixMicro(int64(math.Round(f * 1e6)))
	case f < fromMicros:
		return time.UnixMicro(int64(math.Round(f * 1e3)))
	case f < fromNanos:
		return time.UnixMicro(int64(math.Round(f)))
	case f < math.MaxInt64:
		return time.Unix(0, int64(f))
	default:
		return time.Unix(0, math.MaxInt64)
	}
}

// timeOfSeconds returns the time so many seconds after 1970, which a CBOR float tells.
func timeOfSeconds(f float64) (time.Time, error) {
	if !(math.Abs(f) <= maxSecond) { // nor NaN
		return time.Time{}, fmt.Errorf("%w: %v seconds since 1970 are not in the years 1 to 9999", ErrTime, f)
	}
	whole, part := math.Modf(f)
	return time.Unix(int64(whole), int64(math.Round(part*1e6))*1000), nil
}

// timeOfText reads a text as RFC 3339 has it.
func timeOfText(text string) (time.Time, error) {
	at := text
	if len(at) < len("2006-01-02T15:04:05Z") {
		return time.Time{}, badTimeText(text)
	}
	if at[10] == ' ' || at[10] == 't' {
		at = at[:10] + "T" + at[11:]
	}
	if last := len(at) - 1; at[last] == 'z' {
		at = at[:last] + "Z"
	}
	leap := at[17:19] == "60"
	if leap {
		at = at[:17] + "59" + at[19:]
	}
	t, err := time.Parse(time.RFC3339Nano, at)
	if err != nil {
		if t, err = time.Parse("2006-01-02T15:04:05.999999999Z0700", at); err != nil {
			return time.Time{}, badTimeText(text)
		}
	}
	if leap {
		t = t.Add(time.Second)
		if t.UTC().Truncate(time.Second) != t.UTC().Truncate(24*time.Hour) {
			return time.Time{}, badTimeText(text)
		}
	}
	return t, nil
}

func badTimeText(text string) error {
	if _, err := time.Parse("2006-01-02T15:04:05.999999999", firstT(text)); err == nil {
		return fmt.Errorf("%w: %q does not say its zone: add Z for UTC, or an offset such as +01:00", ErrTime, text)
	}
	return fmt.Errorf("%w: %s is not an RFC 3339 time such as 2026-11-26T10:00:00Z", ErrTime, quoteKey([]byte(text)))
}

func firstT(text string) string {
	if len(text) > 10 && (text[10] == ' ' || text[10] == 't') {
		return text[:10] + "T" + text[11:]
	}
	return text
}

func inRFC3339(t time.Time) bool {
	y := t.UTC().Year()
	return y >= 1 && y <= 9999
}

// A second is that of the latest time that was read or written, as JSON has it. Times that come one after the other are mostly of the same
// second, which then is neither read nor written again.
type second struct {
	text [len(`"2006-01-02T15:04:05`)]byte
	unix int64 // in nanoseconds; 0: there was none yet
}

// time reads a time as timeJSON does.
func (l *second) time(raw []byte) (int64, error) {
	n := len(l.text)
	if len(raw) <= n {
		return timeJSON(raw)
	}
	fraction, usual := fractionJSON(raw[n:])
	if usual && l.unix > 0 && bytes.Equal(raw[:n], l.text[:]) {
		return l.unix + fraction, nil
	}
	at, err := timeJSON(raw)
	if usual && err == nil {
		copy(l.text[:], raw)
		l.unix = at - fraction
	}
	return at, err
}

// fractionJSON reads what follows the second of a time in UTC, in nanoseconds.
func fractionJSON(raw []byte) (ns int64, ok bool) {
	if raw[0] == '.' {
		digits := 0
		for raw = raw[1:]; digits < len(raw) && digits < 9 && isDigit(raw[digits]); digits++ {
			ns = 10*ns + int64(raw[digits]-'0')
		}
		if digits == 0 {
			return 0, false
		}
		ns *= units[digits]
		raw = raw[digits:]
	}
	return ns, string(raw) == `Z"`
}

// units[n] is the value in nanoseconds of the nth digit behind the point of a second.
var units = [10]int64{1: 1e8, 1e7, 1e6, 1e5, 1e4, 1e3, 100, 10, 1}

// append appends a time, in nanoseconds since 1970 and not 0.
func (l *second) append(dst []byte, ns int64) []byte {
	fraction := ns - l.unix
	if l.unix <= 0 || fraction < 0 || fraction >= int64(time.Second) {
		start := len(dst)
		dst = append(dst, '"')
		dst = append(time.Unix(0, ns).UTC().AppendFormat(dst, time.RFC3339Nano), '"')
		copy(l.text[:], dst[start:])
		l.unix = ns - ns%int64(time.Second)
		return dst
	}
	dst = append(dst, l.text[:]...)
	if fraction > 0 {
		point := len(dst)
		dst = strconv.AppendInt(dst, int64(time.Second)+fraction, 10)
		dst[point] = '.' // in the place of the second
		for dst[len(dst)-1] == '0' {
			dst = dst[:len(dst)-1]
		}
	}
	return append(dst, `Z"`...)
}
