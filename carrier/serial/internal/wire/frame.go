package wire

import (
	"errors"
	"fmt"
)

// A FrameType is the upper three bits of a frame's first byte.
type FrameType byte

const (
	FrameHello   FrameType = iota // begins a session, or is the answer to that
	FrameEvent                    // readings; reliable
	FrameAck                      // this frame and those before it are done
	FrameMessage                  // a message; reliable
	FrameReply                    // the reply to one reliable frame
	FramePing                     // are you there, and what is your time?
	FrameBaud                     // a rate to try
	FrameAgain                    // something was damaged: send again what is unanswered
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
	errShort = errors.New("serial: frame too short")
	errCRC   = errors.New("serial: wrong CRC")
)

// PayloadLimit returns the largest payload that fits into a frame of size bytes, whatever its bytes are.
func PayloadLimit(size int) int {
	stuffed := size - 2 // without the first code and the zero at the end
	return stuffed - stuffed/254 - 3
}

// FrameSize returns the most that a frame with a payload of n bytes takes on the line.
func FrameSize(n int) int { return n + frameOverhead + (n+3)/254 }

// AppendFrame appends the frame as it goes over the line, with the zero that ends it.
func AppendFrame(dst []byte, session uint16, f Frame) []byte {
	ctrl := [1]byte{byte(f.Kind)<<5 | f.Number%FrameNumbers}
	start := session
	if f.Kind == FrameHello {
		start = CRCStart
	}
	crc := crc16(crc16(start, ctrl[:]), f.Payload)
	s := newStuffer(dst)
	s.put(ctrl[0])
	s.write(f.Payload)
	s.put(byte(crc >> 8))
	s.put(byte(crc))
	return append(s.dst, 0)
}

// ParseFrame reads what stood between two zeros; it changes chunk, and the frame's payload lies in it. A frame
// that is not HELLO must be of this session.
func ParseFrame(chunk []byte, session uint16) (Frame, error) {
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
	if got, want := uint16(raw[len(raw)-2])<<8|uint16(raw[len(raw)-1]), crc16(session, raw[:len(raw)-2]); got != want {
		return Frame{}, fmt.Errorf("%w in %v frame %d", errCRC, f.Kind, f.Number)
	}
	return f, nil
}
