package packet

import (
	"bytes"
	"encoding/binary"
	"unicode/utf8"
)

// A Raw is a packet whose body is not taken apart.
type Raw struct {
	Type  Type
	Flags byte // the lower half of the first byte
	Body  []byte
}

// flags are the flags that each type must have; PUBLISH has others.
var flags = [16]byte{Pubrel: 2, Subscribe: 2, Unsubscribe: 2}

// Next returns the packet with which data begins, and what follows it. If the packet is not there in one piece, ok is false, and size is
// how many bytes it has, or 0 if that is not known yet. A packet of more than most bytes is an error.
func Next(data []byte, most int) (p Raw, rest []byte, size int, ok bool, err error) {
	if len(data) < 2 {
		return p, data, 0, false, nil
	}
	n, head, shift := 0, 1, 0
	for {
		if head >= len(data) {
			return p, data, 0, false, nil
		}
		b := data[head]
		n |= int(b&0x7f) << shift
		head++
		if b < 0x80 {
			if b == 0 && head > 2 {
				return p, nil, 0, false, malformed("the remaining length is longer than it need be")
			}
			break
		}
		if shift += 7; shift > 21 {
			return p, nil, 0, false, malformed("the remaining length has more than four bytes")
		}
	}
	p.Type, p.Flags = Type(data[0]>>4), data[0]&15
	if p.Type == 0 {
		return p, nil, 0, false, malformed("there is no type 0")
	}
	if p.Type != Publish && p.Flags != flags[p.Type] {
		return p, nil, 0, false, malformed("%s cannot have the flags %d", p.Type, p.Flags)
	}
	if size = head + n; size > most {
		return p, nil, size, false, &Error{TooLarge, p.Type.String() + " has more bytes than are taken"}
	}
	if size > len(data) {
		return p, data, size, false, nil
	}
	p.Body = data[head:size:size]
	return p, data[size:], size, true, nil
}

// A reader takes a body apart. After an error it returns zeros.
type reader struct {
	data []byte
	err  error
}

func (r *reader) fail(err error) {
	if r.err == nil {
		r.err = err
	}
	r.data = nil
}

func (r *reader) byte(what string) byte {
	if len(r.data) < 1 {
		r.fail(malformed("it ends before its %s", what))
		return 0
	}
	b := r.data[0]
	r.data = r.data[1:]
	return b
}

func (r *reader) uint16(what string) uint16 {
	if len(r.data) < 2 {
		r.fail(malformed("it ends before its %s", what))
		return 0
	}
	n := binary.BigEndian.Uint16(r.data)
	r.data = r.data[2:]
	return n
}

func (r *reader) uint32() uint32 {
	if len(r.data) < 4 {
		r.fail(malformed("it ends within a property"))
		return 0
	}
	n := binary.BigEndian.Uint32(r.data)
	r.data = r.data[4:]
	return n
}

// varint reads a variable byte integer.
func (r *reader) varint(what string) uint32 {
	n := uint32(0)
	for shift := 0; shift <= 21; shift += 7 {
		b := r.byte(what)
		n |= uint32(b&0x7f) << shift
		if b < 0x80 {
			if b == 0 && shift > 0 {
				r.fail(malformed("its %s is longer than it need be", what))
			}
			return n
		}
	}
	r.fail(malformed("its %s has more than four bytes", what))
	return 0
}

func (r *reader) binary(what string) []byte {
	n := int(r.uint16(what))
	if len(r.data) < n {
		r.fail(malformed("it ends within its %s", what))
		return nil
	}
	b := r.data[:n:n]
	r.data = r.data[n:]
	return b
}

// text reads a text, which must be UTF-8 without U+0000.
func (r *reader) text(what string) []byte {
	b := r.binary(what)
	if !utf8.Valid(b) || bytes.IndexByte(b, 0) >= 0 {
		r.fail(malformed("its %s is not UTF-8, or has U+0000 in it", what))
		return nil
	}
	return b
}

func (r *reader) end() error {
	if r.err == nil && len(r.data) > 0 {
		r.fail(malformed("%d bytes follow its end", len(r.data)))
	}
	return r.err
}

// id reads a packet identifier.
func (r *reader) id() uint16 {
	id := r.uint16("packet identifier")
	if id == 0 && r.err == nil {
		r.fail(protocolError("a packet identifier must not be 0"))
	}
	return id
}
