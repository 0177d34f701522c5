package wire

import (
	"encoding/binary"
	"fmt"

	"sighub/carrier"
)

// Items reads a CBOR sequence item by item. After the first error every item reads as zero, so that a parser checks Err
// once, at its end. Errors wrap [carrier.ErrMalformed] and begin with what was to be read.
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
	i.fail(fmt.Errorf("%s must be an item of major type %d, not %d", what, want[0], major))
	return 0, 0
}

// Uint reads an unsigned integer of at most limit.
func (i *Items) Uint(what string, limit uint64) uint64 {
	_, n := i.head(what, carrier.CBORUnsigned)
	if n > limit {
		i.fail(fmt.Errorf("%s must be at most %d, not %d", what, limit, n))
		return 0
	}
	return n
}

// Int reads an integer from -1-limit to limit.
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

func (i *Items) str(what string, major byte, limit int) []byte {
	_, n := i.head(what, major)
	switch {
	case n > uint64(len(i.Rest)):
		i.fail(fmt.Errorf("%s ends early", what))
		return nil
	case n > uint64(limit):
		i.fail(fmt.Errorf("%s must have at most %d bytes, not %d", what, limit, n))
		return nil
	}
	s := i.Rest[:n]
	i.Rest = i.Rest[n:]
	return s
}

// Bytes reads a byte string of at most limit bytes, which aliases what is read.
func (i *Items) Bytes(what string, limit int) []byte { return i.str(what, carrier.CBORBytes, limit) }

// null reports whether the next item is null or undefined, and reads it if so.
func (i *Items) null() bool {
	if i.more() && (i.Rest[0] == 0xf6 || i.Rest[0] == 0xf7) {
		i.Rest = i.Rest[1:]
		return true
	}
	return false
}

// raw reads one item of any type, and returns its bytes.
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

// value reads one item of any type, whose content is not checked, and returns its bytes.
func (i *Items) value(what string) []byte {
	if i.Err != nil {
		return nil
	}
	rest, err := skipItem(i.Rest)
	if err != nil {
		i.fail(fmt.Errorf("%s: %w", what, err))
		return nil
	}
	item := i.Rest[:len(i.Rest)-len(rest)]
	i.Rest = rest
	return item
}

// AppendUint appends an unsigned integer.
func AppendUint(dst []byte, n uint64) []byte {
	return carrier.AppendCBORHead(dst, carrier.CBORUnsigned, n)
}

// appendUint16 appends an unsigned integer in two bytes, however small it is.
func appendUint16(dst []byte, n uint16) []byte {
	return binary.BigEndian.AppendUint16(append(dst, cborUint16), n)
}

// AppendInt appends an integer.
func AppendInt(dst []byte, n int64) []byte {
	if n < 0 {
		return carrier.AppendCBORHead(dst, carrier.CBORNegative, uint64(-1-n))
	}
	return AppendUint(dst, uint64(n))
}

func appendText(dst []byte, s string) []byte {
	return append(carrier.AppendCBORHead(dst, carrier.CBORString, uint64(len(s))), s...)
}

// AppendBytes appends a byte string.
func AppendBytes(dst, b []byte) []byte {
	return append(carrier.AppendCBORHead(dst, carrier.CBORBytes, uint64(len(b))), b...)
}

// The heads of unsigned integers of one, two and four bytes.
const (
	cborUint8  = 0x18
	cborUint16 = 0x19
	cborUint32 = 0x1a
)
