package wire

import (
	"encoding/binary"
	"fmt"
	"unicode/utf8"

	"sighub/carrier"
)

// Items reads a CBOR sequence item by item. The first error ends it: everything after it reads as zero, so that
// a parser checks once, at its end.
type Items struct {
	Rest []byte
	Err  error
}

func (i *Items) more() bool { return i.Err == nil && len(i.Rest) > 0 }

func (i *Items) fail(err error) {
	if i.Err == nil {
		i.Err = fmt.Errorf("%w: %w", carrier.ErrMalformed, err)
	}
	i.Rest = nil
}

func (i *Items) head(what string, want ...byte) (major byte, arg uint64) {
	if i.Err != nil {
		return 0, 0
	}
	major, arg, rest, err := carrier.CBORHead(i.Rest)
	if err != nil {
		i.fail(fmt.Errorf("%s: %w", what, err))
		return 0, 0
	}
	for _, w := range want {
		if major == w && arg != carrier.CBORIndefinite {
			i.Rest = rest
			return major, arg
		}
	}
	i.fail(fmt.Errorf("%s: an item of major type %d stands where %d belongs", what, major, want[0]))
	return 0, 0
}

// Uint reads an unsigned integer of at most limit.
func (i *Items) Uint(what string, limit uint64) uint64 {
	_, n := i.head(what, carrier.CBORUnsigned)
	if n > limit {
		i.fail(fmt.Errorf("%s is %d, more than %d", what, n, limit))
		return 0
	}
	return n
}

// Int reads an integer whose size is at most limit.
func (i *Items) Int(what string, limit uint64) int64 {
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

func (i *Items) bytes(what string, limit int) []byte { return i.str(what, carrier.CBORBytes, limit) }

// text reads a text; a null stands for the empty one.
func (i *Items) text(what string, limit int) string {
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

func (i *Items) str(what string, major byte, limit int) []byte {
	_, n := i.head(what, major)
	switch {
	case n > uint64(len(i.Rest)):
		i.fail(fmt.Errorf("%s: it ends in the middle of an item", what))
		return nil
	case n > uint64(limit):
		i.fail(fmt.Errorf("%s has %d bytes, more than %d", what, n, limit))
		return nil
	}
	s := i.Rest[:n]
	i.Rest = i.Rest[n:]
	return s
}

// null reads a null or undefined, if that is what comes next.
func (i *Items) null() bool {
	if i.more() && (i.Rest[0] == 0xf6 || i.Rest[0] == 0xf7) {
		i.Rest = i.Rest[1:]
		return true
	}
	return false
}

// raw reads any one item, which [carrier.SkipCBOR] must find well-formed, and returns its bytes.
func (i *Items) raw(what string) []byte {
	if i.Err != nil {
		return nil
	}
	rest, err := carrier.SkipCBOR(i.Rest)
	if err != nil {
		i.fail(fmt.Errorf("%s: %w", what, err))
		return nil
	}
	item := i.Rest[:len(i.Rest)-len(rest)]
	i.Rest = rest
	return item
}

func AppendUint(dst []byte, n uint64) []byte {
	return carrier.AppendCBORHead(dst, carrier.CBORUnsigned, n)
}

// appendUint16 appends a number in two bytes, however small it is.
func appendUint16(dst []byte, n uint16) []byte {
	return binary.BigEndian.AppendUint16(append(dst, cborUint16), n)
}

func AppendInt(dst []byte, n int64) []byte {
	if n < 0 {
		return carrier.AppendCBORHead(dst, carrier.CBORNegative, uint64(-1-n))
	}
	return AppendUint(dst, uint64(n))
}

func appendText(dst []byte, s string) []byte {
	return append(carrier.AppendCBORHead(dst, carrier.CBORString, uint64(len(s))), s...)
}

func AppendBytes(dst, b []byte) []byte {
	return append(carrier.AppendCBORHead(dst, carrier.CBORBytes, uint64(len(b))), b...)
}

// Heads of unsigned integers of a certain width.
const (
	cborUint8  = 0x18
	cborUint16 = 0x19
	cborUint32 = 0x1a
)
