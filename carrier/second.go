package carrier

import (
	"bytes"
	"time"
)

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
		scale := int64(time.Second)
		for raw = raw[1:]; len(raw) > 0 && isDigit(raw[0]) && scale > 1; raw = raw[1:] {
			scale /= 10
			ns += int64(raw[0]-'0') * scale
		}
		if scale == int64(time.Second) {
			return 0, false
		}
	}
	return ns, string(raw) == `Z"`
}

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
		point := [10]byte{'.'}
		for i := 9; i > 0; i-- {
			point[i] = byte('0' + fraction%10)
			fraction /= 10
		}
		dst = append(dst, bytes.TrimRight(point[:], "0")...)
	}
	return append(dst, `Z"`...)
}
