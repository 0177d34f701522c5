package peers

import (
	"encoding/binary"
	"slices"

	"sighub/scripts/bench/message"
)

// The part of CBOR (RFC 8949) that the bare clients need. What they send is short, and of known form.

// The major types.
const (
	cborUintType  = 0
	cborBytesType = 2
	cborTextType  = 3
	cborArrayType = 4
	cborMapType   = 5
	cborTagType   = 6
)

// The numbers that stand for the keys of messages: their places in carrier.Keys.
const (
	keyID, keyMethod, keyParams, keyStatus, keyResponse = 0, 1, 2, 3, 4
	keySender, keyEvent, keyEvents, keyRequests         = 9, 10, 14, 15
	keyProtocol, keyName, keyWindow, keySignals         = 20, 21, 22, 25
)

// cborMark is what a connection begins with.
const cborMark = "\xd9\xd9\xf7"

// payloadHead returns what a payload begins with, which is a byte string.
func payloadHead() string { return string(cborAppend(nil, cborBytesType, uint64(message.Size))) }

var cborNull = []byte{0xf6}

// cborAppend appends the head of an item.
func cborAppend(b []byte, kind byte, n uint64) []byte {
	switch {
	case n < 24:
		return append(b, kind<<5|byte(n))
	case n < 1<<8:
		return append(b, kind<<5|24, byte(n))
	case n < 1<<16:
		return binary.BigEndian.AppendUint16(append(b, kind<<5|25), uint16(n))
	case n < 1<<32:
		return binary.BigEndian.AppendUint32(append(b, kind<<5|26), uint32(n))
	default:
		return binary.BigEndian.AppendUint64(append(b, kind<<5|27), n)
	}
}

func cborUint(n uint64) []byte { return cborAppend(nil, cborUintType, n) }
func cborText(s string) []byte { return append(cborAppend(nil, cborTextType, uint64(len(s))), s...) }
func cborBytes(item []byte) []byte {
	return append(cborAppend(nil, cborBytesType, uint64(len(item))), item...)
}

func cborArray(items ...[]byte) []byte {
	return append(cborAppend(nil, cborArrayType, uint64(len(items))), slices.Concat(items...)...)
}

// cborMap returns a map of numbers to items, which take turns.
func cborMap(entries ...any) []byte {
	b := cborAppend(nil, cborMapType, uint64(len(entries)/2))
	for i := 0; i < len(entries); i += 2 {
		b = append(cborAppend(b, cborUintType, uint64(entries[i].(int))), entries[i+1].([]byte)...)
	}
	return b
}

// cborHeadSize returns how many bytes the head of an item has that begins with this byte.
func cborHeadSize(first byte) int {
	if low := first & 31; low >= 24 && low <= 27 {
		return 1 + 1<<(low-24)
	}
	return 1
}

// cborHead reads the head of an item: its type, its number, and what follows.
func cborHead(b []byte) (kind byte, n uint64, rest []byte, ok bool) {
	if len(b) == 0 || len(b) < cborHeadSize(b[0]) || b[0]&31 > 27 {
		return 0, 0, nil, false
	}
	kind, rest = b[0]>>5, b[cborHeadSize(b[0]):]
	switch len(b) - len(rest) {
	case 1:
		n = uint64(b[0] & 31)
	case 2:
		n = uint64(b[1])
	case 3:
		n = uint64(binary.BigEndian.Uint16(b[1:]))
	case 5:
		n = uint64(binary.BigEndian.Uint32(b[1:]))
	default:
		n = binary.BigEndian.Uint64(b[1:])
	}
	return kind, n, rest, true
}

// cborRest returns what follows the item with which b begins.
func cborRest(b []byte) (rest []byte, ok bool) {
	for left := uint64(1); left > 0; left-- {
		kind, n, after, ok := cborHead(b)
		if !ok {
			return nil, false
		}
		switch kind {
		case cborBytesType, cborTextType:
			if n > uint64(len(after)) {
				return nil, false
			}
			after = after[n:]
		case cborMapType:
			n *= 2
			fallthrough
		case cborArrayType:
			if n > uint64(len(after)) {
				return nil, false
			}
			left += n
		case cborTagType:
			left++
		}
		b = after
	}
	return b, true
}

// cborItem returns the item with which b begins, and what follows.
func cborItem(b []byte) (item, rest []byte, ok bool) {
	rest, ok = cborRest(b)
	return b[:len(b)-len(rest)], rest, ok
}

// cborField returns the item of a number in a map.
func cborField(b []byte, key uint64) (item []byte, ok bool) {
	kind, n, rest, ok := cborHead(b)
	if !ok || kind != cborMapType {
		return nil, false
	}
	for ; n > 0; n-- {
		name, after, ok := cborItem(rest)
		if !ok {
			return nil, false
		}
		if item, rest, ok = cborItem(after); !ok {
			return nil, false
		}
		if _, k, _, _ := cborHead(name); name[0]>>5 == cborUintType && k == key {
			return item, true
		}
	}
	return nil, false
}
