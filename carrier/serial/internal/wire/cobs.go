package wire

import "errors"

// Consistent Overhead Byte Stuffing (Cheshire and Baker, 1997) replaces each zero by the distance to the next one, so that
// zero is free to end frames. Whatever is damaged, reading resumes after the next zero.

var errStuffing = errors.New("serial: the byte stuffing is damaged")

// A stuffer appends stuffed bytes to dst.
type stuffer struct {
	dst  []byte
	code int // where the current block's code stands in dst
}

func newStuffer(dst []byte) stuffer {
	return stuffer{dst: append(dst, 1), code: len(dst)}
}

func (s *stuffer) put(b byte) {
	if s.dst[s.code] == 0xff { // a full block of 254 bytes, and something follows it
		s.code = len(s.dst)
		s.dst = append(s.dst, 1)
	}
	if b == 0 {
		s.code = len(s.dst)
		s.dst = append(s.dst, 1)
		return
	}
	s.dst = append(s.dst, b)
	s.dst[s.code]++
}

func (s *stuffer) write(data []byte) {
	for _, b := range data {
		s.put(b)
	}
}

// unstuff appends the bytes that data stands for to dst, which may be data[:0].
func unstuff(dst, data []byte) ([]byte, error) {
	for len(data) > 0 {
		code := int(data[0])
		if code == 0 || code > len(data) {
			return nil, errStuffing
		}
		dst = append(dst, data[1:code]...)
		data = data[code:]
		if code < 0xff && len(data) > 0 {
			dst = append(dst, 0)
		}
	}
	return dst, nil
}
