package frame

import (
	"encoding/binary"
	"errors"
	"fmt"
)

// HeaderSize is the size of what comes before a message on a connection: number, protocol, length and unit.
const HeaderSize = 7

// ErrStream says that a connection cannot be read any further.
var ErrStream = errors.New("modbus: this is not Modbus TCP")

// AppendTCP appends a message to or from a unit as it lies on a connection. The answer has the number of its request.
func AppendTCP(b []byte, number uint16, unit byte, pdu []byte) []byte {
	b = binary.BigEndian.AppendUint16(b, number)
	b = append(b, 0, 0)
	b = binary.BigEndian.AppendUint16(b, uint16(len(pdu)+1))
	b = append(b, unit)
	return append(b, pdu...)
}

// A Message is one that has arrived on a connection.
type Message struct {
	Number uint16
	Unit   byte
	PDU    []byte
}

// NextTCP returns the message that b begins with and its size, which is 0 if it has not arrived whole. The error wraps [ErrStream].
func NextTCP(b []byte) (m Message, size int, err error) {
	if len(b) < HeaderSize {
		return m, 0, nil
	}
	length := int(binary.BigEndian.Uint16(b[4:]))
	switch {
	case b[2] != 0 || b[3] != 0:
		return m, 0, fmt.Errorf("%w: protocol %d", ErrStream, binary.BigEndian.Uint16(b[2:]))
	case length < 2 || length > MaxPDU+1:
		return m, 0, fmt.Errorf("%w: a length of %d", ErrStream, length)
	case len(b) < 6+length:
		return m, 0, nil
	}
	return Message{binary.BigEndian.Uint16(b), b[6], b[HeaderSize : 6+length]}, 6 + length, nil
}
