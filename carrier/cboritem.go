package carrier

import (
	"errors"
	"fmt"
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
	if n == CBORIndefinite && first&31 != 31 && CBORBytes <= major && major <= CBORMap {
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
		if first == 0xff || first == 0xf8 && n < 32 {
			return nil, fmt.Errorf("cbor: %#02x cannot stand here", first)
		}
	default:
		if n == CBORIndefinite && first&31 == 31 {
			return nil, fmt.Errorf("cbor: reserved head %#02x", first)
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
		if n == CBORIndefinite {
			return nil, errors.New("cbor: a tag must have a number")
		}
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
