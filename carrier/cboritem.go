package carrier

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"unicode/utf8"
)

var errCBOREnd = errors.New("cbor: unexpected end")

// SkipCBOR checks that data begins with one well-formed item (RFC 8949 section 5.3.1) whose texts are UTF-8 and which is
// nested no deeper than [MaxDepth], and returns what follows it. It allocates nothing.
func SkipCBOR(data []byte) (rest []byte, err error) { return skipCBOR(data, MaxDepth) }

func skipCBOR(data []byte, depth int) ([]byte, error) {
	if len(data) == 0 {
		return nil, errCBOREnd
	}
	first := data[0]
	major, n, data, err := CBORHead(data)
	if err != nil {
		return nil, err
	}
	switch indefinite := first&31 == 31; {
	case indefinite && (major < CBORBytes || major > CBORMap):
		return nil, fmt.Errorf("cbor: %#02x cannot stand here", first)
	case n == CBORIndefinite && !indefinite && CBORBytes <= major && major <= CBORMap:
		return nil, errCBOREnd // a definite length of 2^64-1
	}
	switch major {
	case CBORBytes, CBORString:
		if n == CBORIndefinite {
			return skipChunks(data, major)
		}
		if n > uint64(len(data)) {
			return nil, errCBOREnd
		}
		if major == CBORString && !utf8.Valid(data[:n]) {
			return nil, errors.New("cbor: a text is not UTF-8")
		}
		return data[n:], nil
	case CBORArray, CBORMap, CBORTag:
		if depth == 0 {
			return nil, fmt.Errorf("cbor: nested deeper than %d", MaxDepth)
		}
		return skipInner(data, major, n, depth-1)
	case CBORSimple:
		if first == 0xf8 && n < 32 {
			return nil, fmt.Errorf("cbor: %#02x cannot stand here", first)
		}
	}
	return data, nil
}

// skipInner skips the items of an array, a map or a tag.
func skipInner(data []byte, major byte, n uint64, depth int) ([]byte, error) {
	each := uint64(1)
	switch {
	case major == CBORMap:
		each = 2
	case major == CBORTag:
		n = 1
	}
	indefinite := n == CBORIndefinite
	if !indefinite && n > uint64(len(data)) { // each item has a byte at least
		return nil, errCBOREnd
	}
	var err error
	for ; indefinite || n > 0; n-- {
		if indefinite && len(data) > 0 && data[0] == 0xff {
			return data[1:], nil
		}
		for range each {
			if data, err = skipCBOR(data, depth); err != nil {
				return nil, err
			}
		}
	}
	return data, nil
}

// skipChunks skips the pieces of a string of indefinite length.
func skipChunks(data []byte, major byte) ([]byte, error) {
	for {
		if len(data) == 0 {
			return nil, errCBOREnd
		}
		if data[0] == 0xff {
			return data[1:], nil
		}
		m, n, rest, err := CBORHead(data)
		switch {
		case err != nil:
			return nil, err
		case m != major || n == CBORIndefinite:
			return nil, errors.New("cbor: a piece of a string must be a string of the same type")
		case n > uint64(len(rest)):
			return nil, errCBOREnd
		case major == CBORString && !utf8.Valid(rest[:n]):
			return nil, errors.New("cbor: a text is not UTF-8")
		}
		data = rest[n:]
	}
}

// appendFloat appends a float as a codec of this package writes it; in CBOR, in the fewest bytes that have all of it.
func appendFloat(dst []byte, c Codec, f float64) []byte {
	if c, ok := c.(jsonCodec); ok {
		return c.appendFloat(dst, f)
	}
	single := float32(f)
	switch bits, ok := halfOf(single); {
	case f != f:
		return append(dst, 0xf9, 0x7e, 0)
	case float64(single) != f:
		return binary.BigEndian.AppendUint64(append(dst, 0xfb), math.Float64bits(f))
	case ok:
		return binary.BigEndian.AppendUint16(append(dst, 0xf9), bits)
	default:
		return binary.BigEndian.AppendUint32(append(dst, 0xfa), math.Float32bits(single))
	}
}

// halfOf returns the bits of a float in half precision (IEEE 754 binary16), unless they do not have all of it. It must be a number.
func halfOf(f float32) (bits uint16, ok bool) {
	const (
		fraction = 23 // bits of a float32
		lost     = 13 // of them that a half has not
	)
	all := math.Float32bits(f)
	sign, exponent, rest := uint16(all>>31<<15), int(all>>fraction&0xff)-127, all&(1<<fraction-1)
	switch {
	case f == 0:
		return sign, true
	case exponent == 128 && rest == 0: // infinite
		return sign | 0x7c00, true
	case exponent >= -14 && exponent <= 15:
		return sign | uint16(exponent+15)<<10 | uint16(rest>>lost), rest&(1<<lost-1) == 0
	case exponent >= -24 && exponent < -14: // a multiple of the smallest half, 2^-24, below the smallest normal one
		rest |= 1 << fraction
		shift := -1 - exponent
		return sign | uint16(rest>>shift), rest&(1<<shift-1) == 0
	}
	return 0, false
}
