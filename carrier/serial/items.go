package serial

import (
	"encoding/binary"
	"fmt"
	"unicode/utf8"

	"sighub/carrier"
)

// items reads a CBOR sequence item by item. The first error ends it: everything after it reads as zero, so that
// a parser checks once, at its end.
type items struct {
	rest []byte
	err  error
}

func (i *items) more() bool { return i.err == nil && len(i.rest) > 0 }

func (i *items) fail(err error) {
	if i.err == nil {
		i.err = fmt.Errorf("%w: %w", carrier.ErrMalformed, err)
	}
	i.rest = nil
}

func (i *items) head(what string, want ...byte) (major byte, arg uint64) {
	if i.err != nil {
		return 0, 0
	}
	major, arg, rest, err := carrier.CBORHead(i.rest)
	if err != nil {
		i.fail(fmt.Errorf("%s: %w", what, err))
		return 0, 0
	}
	for _, w := range want {
		if major == w && arg != carrier.CBORIndefinite {
			i.rest = rest
			return major, arg
		}
	}
	i.fail(fmt.Errorf("%s: an item of major type %d stands where %d belongs", what, major, want[0]))
	return 0, 0
}

// uint reads an unsigned integer of at most limit.
func (i *items) uint(what string, limit uint64) uint64 {
	_, n := i.head(what, carrier.CBORUnsigned)
	if n > limit {
		i.fail(fmt.Errorf("%s is %d, more than %d", what, n, limit))
		return 0
	}
	return n
}

// int reads an integer whose size is at most limit.
func (i *items) int(what string, limit uint64) int64 {
	major, n := i.head(what, carrier.CBORUnsigned, carrier.CBORNegative)
	if n > limit {
		i.fail(fmt.Errorf("%s is out of range", what))
		return 0
	}
	if major == carrier.CBORNegative {
		return -1 - int64(n)
	}
	return int64(n)
}

func (i *items) bytes(what string, limit int) []byte { return i.str(what, carrier.CBORBytes, limit) }

// text reads a text; a null stands for the empty one.
func (i *items) text(what string, limit int) string {
	if i.null() {
		return ""
	}
	s := i.str(what, carrier.CBORString, limit)
	if !utf8.Valid(s) {
		i.fail(fmt.Errorf("%s is not UTF-8", what))
		return ""
	}
	return string(s)
}

func (i *items) str(what string, major byte, limit int) []byte {
	_, n := i.head(what, major)
	switch {
	case n > uint64(len(i.rest)):
		i.fail(fmt.Errorf("%s: it ends in the middle of an item", what))
		return nil
	case n > uint64(limit):
		i.fail(fmt.Errorf("%s has %d bytes, more than %d", what, n, limit))
		return nil
	}
	s := i.rest[:n]
	i.rest = i.rest[n:]
	return s
}

// null reads a null or undefined, if that is what comes next.
func (i *items) null() bool {
	if i.more() && (i.rest[0] == 0xf6 || i.rest[0] == 0xf7) {
		i.rest = i.rest[1:]
		return true
	}
	return false
}

// raw reads any one item, which [carrier.SkipCBOR] must find well-formed, and returns its bytes.
func (i *items) raw(what string) []byte {
	if i.err != nil {
		return nil
	}
	rest, err := carrier.SkipCBOR(i.rest)
	if err != nil {
		i.fail(fmt.Errorf("%s: %w", what, err))
		return nil
	}
	item := i.rest[:len(i.rest)-len(rest)]
	i.rest = rest
	return item
}

func appendUint(dst []byte, n uint64) []byte {
	return carrier.AppendCBORHead(dst, carrier.CBORUnsigned, n)
}

// appendUint16 appends a number in two bytes, however small it is.
func appendUint16(dst []byte, n uint16) []byte {
	return binary.BigEndian.AppendUint16(append(dst, cborUint16), n)
}

func appendInt(dst []byte, n int64) []byte {
	if n < 0 {
		return carrier.AppendCBORHead(dst, carrier.CBORNegative, uint64(-1-n))
	}
	return appendUint(dst, uint64(n))
}

func appendText(dst []byte, s string) []byte {
	return append(carrier.AppendCBORHead(dst, carrier.CBORString, uint64(len(s))), s...)
}

func appendBytes(dst, b []byte) []byte {
	return append(carrier.AppendCBORHead(dst, carrier.CBORBytes, uint64(len(b))), b...)
}

// Heads of unsigned integers of a certain width.
const (
	cborUint8  = 0x18
	cborUint16 = 0x19
	cborUint32 = 0x1a
)
