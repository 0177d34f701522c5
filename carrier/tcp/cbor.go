package tcp

import (
	"fmt"

	"github.com/fxamacker/cbor/v2"

	"sighub/carrier"
)

// selfDescribed is the number of the tag that says "this is CBOR" (RFC 8949 section 3.4.6), and cborMark the
// bytes it is written as.
const (
	selfDescribed = 55799
	cborMark      = "\xd9\xd9\xf7"
)

// A cborSplitter reads a CBOR sequence of byte strings. It allocates nothing for a length before the bytes have come.
type cborSplitter struct {
	body
	head [9]byte // of the item that begins
	n    int     // how many bytes of it have come
	left uint64  // how many bytes of the byte string are to come, if n is 0
	open bool    // in a byte string
}

func newCBORSplitter(limit int) *cborSplitter { return &cborSplitter{body: body{limit: limit}} }

func (s *cborSplitter) partial() bool { return s.open || s.n > 0 }

func (s *cborSplitter) takeSignals() {}

func (s *cborSplitter) sound([]byte) bool { return true }

func (s *cborSplitter) next(data []byte) (rest []byte, f frame, ok bool) {
	for !s.open {
		if len(data) == 0 {
			return nil, frame{}, false
		}
		s.head[s.n] = data[0]
		s.n++
		data = data[1:]
		if s.n < cborHeadSize(s.head[0]) {
			continue
		}
		major, arg, _, err := carrier.CBORHead(s.head[:s.n])
		s.n = 0
		switch {
		case err == nil && major == carrier.CBORTag && arg == selfDescribed:
		case err == nil && major == carrier.CBORBytes && arg != carrier.CBORIndefinite:
			s.open, s.left = true, arg
			if arg > uint64(s.limit) {
				s.skip(tooLarge(arg, s.limit))
			}
		default:
			return nil, frame{lost: true, err: fmt.Errorf(
				"%w: a CBOR item must be a byte string of definite length, but this one begins with %#02x", carrier.ErrMalformed, s.head[0],
			)}, true
		}
	}
	part := data[:min(uint64(len(data)), s.left)]
	s.add(part)
	s.left -= uint64(len(part))
	if s.left > 0 {
		return nil, frame{}, false
	}
	s.open = false
	return data[len(part):], s.end(), true
}

func (s *cborSplitter) salvage(head []byte) (g salvage) {
	major, n, rest, err := carrier.CBORHead(head)
	if err != nil || major != carrier.CBORMap {
		return g
	}
	for ; n > 0; n-- {
		var key any
		var raw cbor.RawMessage
		if rest, err = cbor.UnmarshalFirst(rest, &key); err != nil {
			return g
		}
		rest, err = cbor.UnmarshalFirst(rest, &raw) // its error: the value goes on behind the head
		name, _ := key.(string)
		if i, ok := key.(uint64); ok && i < uint64(len(carrier.Keys())) {
			name = carrier.Keys()[i]
		}
		g.add(name, carrier.RawValue(carrier.CBOR, raw))
		if err != nil {
			return g
		}
	}
	return g
}

// cborHeadSize returns how many bytes the head of an item has that begins with b.
func cborHeadSize(b byte) int {
	if low := b & 31; low >= 24 && low <= 27 {
		return 1 + 1<<(low-24)
	}
	return 1
}

// keyStyle returns the codec that writes keys as the packed map does.
func keyStyle(packed []byte) carrier.Codec {
	if _, _, rest, err := carrier.CBORHead(packed); err == nil && len(rest) > 0 && rest[0]>>5 == carrier.CBORUnsigned {
		return carrier.CBOR
	}
	return carrier.CBORText
}
