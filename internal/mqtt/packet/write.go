package packet

import (
	"bytes"
	"encoding/binary"
	"slices"
	"unicode/utf8"
)

func validText(b []byte) bool { return utf8.Valid(b) && bytes.IndexByte(b, 0) < 0 }

// AppendVarint appends a variable byte integer.
func AppendVarint(dst []byte, n int) []byte {
	for n >= 0x80 {
		dst = append(dst, byte(n)|0x80)
		n >>= 7
	}
	return append(dst, byte(n))
}

// VarintSize returns how many bytes AppendVarint appends.
func VarintSize(n int) int {
	size := 1
	for ; n >= 0x80; n >>= 7 {
		size++
	}
	return size
}

// AppendText appends a text or binary data with its length. What has more than 65,535 bytes is cut.
func AppendText[T string | []byte](dst []byte, text T) []byte {
	text = text[:min(len(text), 0xffff)]
	return append(binary.BigEndian.AppendUint16(dst, uint16(len(text))), text...)
}

// AppendUser appends a user property.
func AppendUser(dst []byte, name, value string) []byte {
	return AppendText(AppendText(append(dst, PropUser), name), value)
}

// AppendUint16 appends a property of two bytes, and AppendUint32 one of four.
func AppendUint16(dst []byte, id byte, n uint16) []byte {
	return binary.BigEndian.AppendUint16(append(dst, id), n)
}

// AppendUint32 appends a property of four bytes.
func AppendUint32(dst []byte, id byte, n uint32) []byte {
	return binary.BigEndian.AppendUint32(append(dst, id), n)
}

// ReasonSize returns how many bytes of a reason in words are told: a client may take little.
func ReasonSize(text string) int { return min(len(text), 512) }

// AppendReasonText appends the property Reason String, unless the text is empty.
func AppendReasonText(dst []byte, text string) []byte {
	if text == "" {
		return dst
	}
	text = text[:ReasonSize(text)]
	return AppendText(append(dst, PropReasonText), bytes.ToValidUTF8([]byte(text), nil))
}

// appendPacket appends a packet of these parts. Version 3.1.1 has no properties; in MQTT 5, they may be empty.
func appendPacket(dst []byte, t Type, head, properties, tail []byte, version byte) []byte {
	size := len(head) + len(tail)
	if version == V5 {
		size += VarintSize(len(properties)) + len(properties)
	}
	dst = AppendVarint(append(dst, byte(t)<<4|flags[t]), size)
	dst = append(dst, head...)
	if version == V5 {
		dst = append(AppendVarint(dst, len(properties)), properties...)
	}
	return append(dst, tail...)
}

// AppendConnack appends a CONNACK. A refusal that MQTT 3.1.1 has no code for is "server unavailable" there.
func AppendConnack(dst []byte, version byte, present bool, reason Reason, properties []byte) []byte {
	head := []byte{0, byte(reason)}
	if present {
		head[0] = 1
	}
	if version != V5 {
		code := slices.Index(oldReasons[:], reason)
		if code < 0 {
			code = slices.Index(oldReasons[:], Unavailable)
		}
		head[1] = byte(code)
	}
	return appendPacket(dst, Connack, head, properties, nil, version)
}

// AppendAck appends a PUBACK. The text is for MQTT 5, and left out if it is empty.
func AppendAck(dst []byte, version byte, id uint16, reason Reason, text string) []byte {
	if version != V5 || reason == Success {
		return append(dst, byte(Puback)<<4, 2, byte(id>>8), byte(id))
	}
	return appendPacket(dst, Puback, []byte{byte(id >> 8), byte(id), byte(reason)}, AppendReasonText(nil, text), nil, version)
}

// AppendSuback appends a SUBACK or an UNSUBACK, with a reason for each filter. MQTT 3.1.1 knows of a failure alone, and of no reasons
// for an UNSUBACK.
func AppendSuback(dst []byte, t Type, version byte, id uint16, reasons []Reason, text string) []byte {
	var tail []byte
	for _, r := range reasons {
		if version != V5 && r >= 0x80 {
			r = Unspecified
		}
		tail = append(tail, byte(r))
	}
	if version != V5 && t == Unsuback {
		tail = nil
	}
	return appendPacket(dst, t, []byte{byte(id >> 8), byte(id)}, AppendReasonText(nil, text), tail, version)
}

// AppendPingresp appends a PINGRESP.
func AppendPingresp(dst []byte) []byte { return append(dst, byte(Pingresp)<<4, 0) }

// AppendDisconnect appends a DISCONNECT, which a server has in MQTT 5 only.
func AppendDisconnect(dst []byte, reason Reason, text string) []byte {
	return appendPacket(dst, Disconnect, []byte{byte(reason)}, AppendReasonText(nil, text), nil, V5)
}

// A Head is what begins a PUBLISH: what comes before its payload.
type Head struct {
	Version byte
	QoS     byte
	Retain  bool
	Dup     bool
	ID      uint16
	Topic   []byte
	// Properties of MQTT 5, in two parts.
	Properties, More []byte
}

// Size returns how many bytes a PUBLISH with this head has.
func (h *Head) Size(payload int) int {
	n := h.body(payload)
	return 1 + VarintSize(n) + n
}

func (h *Head) body(payload int) int {
	n := 2 + len(h.Topic) + payload
	if h.QoS > 0 {
		n += 2
	}
	if h.Version == V5 {
		p := len(h.Properties) + len(h.More)
		n += VarintSize(p) + p
	}
	return n
}

// Append appends a PUBLISH.
func (h *Head) Append(dst, payload []byte) []byte {
	first := byte(Publish)<<4 | h.QoS<<1
	if h.Retain {
		first |= 1
	}
	if h.Dup {
		first |= 8
	}
	dst = AppendVarint(append(dst, first), h.body(len(payload)))
	dst = append(dst, byte(len(h.Topic)>>8), byte(len(h.Topic)))
	dst = append(dst, h.Topic...)
	if h.QoS > 0 {
		dst = append(dst, byte(h.ID>>8), byte(h.ID))
	}
	if h.Version == V5 {
		dst = AppendVarint(dst, len(h.Properties)+len(h.More))
		dst = append(append(dst, h.Properties...), h.More...)
	}
	return append(dst, payload...)
}
