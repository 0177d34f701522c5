//go:build linux

package main

import "encoding/binary"

// The major types of CBOR (RFC 8949, section 3.1).
const (
	cborInt   = 0
	cborBytes = 2
	cborText  = 3
	cborList  = 4
	cborMap   = 5
	cborTag   = 6
)

// cborStart begins a stream in CBOR: the tag of self-described CBOR.
const cborStart = "\xd9\xd9\xf7"

func cborHead(major byte, n int) []byte {
	switch {
	case n < 24:
		return []byte{major<<5 | byte(n)}
	case n < 1<<8:
		return []byte{major<<5 | 24, byte(n)}
	case n < 1<<16:
		return binary.BigEndian.AppendUint16([]byte{major<<5 | 25}, uint16(n))
	}
	return binary.BigEndian.AppendUint32([]byte{major<<5 | 26}, uint32(n))
}

func cborString(s string) []byte { return append(cborHead(cborText, len(s)), s...) }

// cborObject makes a map of texts to encoded values: key, value, key, value.
func cborObject(pairs ...any) []byte {
	b := cborHead(cborMap, len(pairs)/2)
	for _, p := range pairs {
		switch p := p.(type) {
		case []byte:
			b = append(b, p...)
		case string:
			b = append(b, cborString(p)...)
		case int:
			b = append(b, cborHead(cborInt, p)...)
		default:
			panic("a value of another type")
		}
	}
	return b
}

// cborMessage makes a message, in the byte string in which it travels.
func cborMessage(id int, method string, params []byte) []byte {
	m := cborObject("id", id, "method", method, "params", params)
	return append(cborHead(cborBytes, len(m)), m...)
}

// who adds to the params of hello by which token the hub knows the attackers, if it does.
func (t *target) who(params ...any) []any {
	if t.token != "" {
		params = append(params, "token", t.token)
	}
	return params
}
