package serial

import (
	"errors"
	"fmt"
)

// A frameType is the upper three bits of a frame's first byte.
type frameType byte

const (
	frameHello   frameType = iota // begins a session, or is the answer to that
	frameEvent                    // readings; reliable
	frameAck                      // this frame and those before it are done
	frameMessage                  // a message; reliable
	frameReply                    // the reply to one reliable frame
	framePing                     // are you there, and what is your time?
	frameBaud                     // a rate to try
	frameAgain                    // something was damaged: send again what is unanswered
)

func (t frameType) String() string {
	return [...]string{"HELLO", "EVT", "ACK", "MSG", "REP", "PING", "BAUD", "AGAIN"}[t&7]
}

// A frame is what stands between two zeros on the line.
type frame struct {
	kind    frameType
	number  uint8 // 0 to 31
	payload []byte
}

var (
	errShort = errors.New("serial: frame too short")
	errCRC   = errors.New("serial: wrong CRC")
)

// payloadLimit returns the largest payload that fits into a frame of size bytes, whatever its bytes are.
func payloadLimit(size int) int {
	stuffed := size - 2 // without the first code and the zero at the end
	return stuffed - stuffed/254 - 3
}

// frameSize returns the most that a frame with a payload of n bytes takes on the line.
func frameSize(n int) int { return n + frameOverhead + (n+3)/254 }

// appendFrame appends the frame as it goes over the line, with the zero that ends it.
func appendFrame(dst []byte, session uint16, f frame) []byte {
	ctrl := [1]byte{byte(f.kind)<<5 | f.number%numbers}
	start := session
	if f.kind == frameHello {
		start = crcStart
	}
	crc := crc16(crc16(start, ctrl[:]), f.payload)
	s := newStuffer(dst)
	s.put(ctrl[0])
	s.write(f.payload)
	s.put(byte(crc >> 8))
	s.put(byte(crc))
	return append(s.dst, 0)
}

// parseFrame reads what stood between two zeros; it changes chunk, and the frame's payload lies in it. A frame
// that is not HELLO must be of this session.
func parseFrame(chunk []byte, session uint16) (frame, error) {
	raw, err := unstuff(chunk[:0], chunk)
	if err != nil {
		return frame{}, err
	}
	if len(raw) < 3 {
		return frame{}, errShort
	}
	f := frame{kind: frameType(raw[0] >> 5), number: raw[0] & 31, payload: raw[1 : len(raw)-2]}
	if f.kind == frameHello {
		session = crcStart
	}
	if got, want := uint16(raw[len(raw)-2])<<8|uint16(raw[len(raw)-1]), crc16(session, raw[:len(raw)-2]); got != want {
		return frame{}, fmt.Errorf("%w in %v frame %d", errCRC, f.kind, f.number)
	}
	return f, nil
}
