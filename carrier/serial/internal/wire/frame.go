package wire

import (
	"errors"
	"fmt"
)

// A FrameType is the upper three bits of a frame's control byte.
type FrameType byte

// The frame types. EVT and MSG frames are reliable: numbered, answered, and sent again until they are answered.
const (
	FrameHello   FrameType = iota // begins a session, or answers that; empty: the hub asks for HELLO
	FrameEvent                    // EVT: readings
	FrameAck                      // ACK: the reliable frame of this number and those before it are done
	FrameMessage                  // MSG: a message
	FrameReply                    // REP: the reply to the reliable frame of this number
	FramePing                     // PING: asks for the other end's clock, or gives it
	FrameBaud                     // BAUD: offers a rate, or answers the offer
	FrameAgain                    // AGAIN: a frame was damaged; send the unanswered ones again
)

func (t FrameType) String() string {
	return [...]string{"HELLO", "EVT", "ACK", "MSG", "REP", "PING", "BAUD", "AGAIN"}[t&7]
}

// A Frame is what stands between two zeros on the line.
type Frame struct {
	Kind    FrameType
	Number  uint8 // 0 to 31
	Payload []byte
}

var (
	errShort = errors.New("serial: the frame is too short")
	errCRC   = errors.New("serial: the CRC is wrong")
)

// ErrEcho says that a frame is one of this end's own: the line returns what is sent.
var ErrEcho = errors.New("serial: the line echoes what is sent on it")

// PayloadLimit returns the largest payload that fits into a frame of size bytes, whatever its bytes are.
func PayloadLimit(size int) int {
	stuffed := size - 2 // without the first code and the zero at the end
	return stuffed - stuffed/254 - 3
}

// FrameSize returns the most that a frame with a payload of n bytes takes on the line.
func FrameSize(n int) int { return n + frameOverhead + (n+3)/254 }

// AppendFrame appends a frame of one end and this session as it goes over the line, with the zero that ends it.
func AppendFrame(dst []byte, from End, session uint16, f Frame) []byte {
	ctrl := [1]byte{byte(f.Kind)<<5 | f.Number%FrameNumbers}
	start := session
	if f.Kind == FrameHello {
		start = CRCStart
	}
	crc := crc16(crc16(start, ctrl[:]), f.Payload) ^ crcXOR[from]
	s := newStuffer(dst)
	s.put(ctrl[0])
	s.write(f.Payload)
	s.put(byte(crc >> 8))
	s.put(byte(crc))
	return append(s.dst, 0)
}

// ParseFrame reads what stood between two zeros. It overwrites chunk, and the frame's payload aliases it. The frame must come
// from this end of the line, or else the error may be [ErrEcho]. Every frame but HELLO must belong to this session.
func ParseFrame(chunk []byte, from End, session uint16) (Frame, error) {
	raw, err := unstuff(chunk[:0], chunk)
	if err != nil {
		return Frame{}, err
	}
	if len(raw) < 3 {
		return Frame{}, errShort
	}
	f := Frame{Kind: FrameType(raw[0] >> 5), Number: raw[0] & 31, Payload: raw[1 : len(raw)-2]}
	if f.Kind == FrameHello {
		session = CRCStart
	}
	switch crc16(session, raw) {
	case crcResidue[from]:
		return f, nil
	case crcResidue[Hub+Device-from]:
		return Frame{}, ErrEcho
	}
	return Frame{}, fmt.Errorf("%w in %v frame %d", errCRC, f.Kind, f.Number)
}
