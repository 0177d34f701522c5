package wire

import "fmt"

// Limits of the protocol. A frame's size includes the zero that ends it.
const (
	FrameNumbers = 32 // sequence numbers count modulo this
	MaxWindow    = 8  // unanswered frames; at most a quarter of the sequence numbers, so that old and new differ

	MinFrame      = 60   // bytes; the largest frame until HELLO is answered: a small board's receive buffer holds 63
	DefaultFrame  = 254  // the largest frame by default
	MaxFrame      = 4096 // the largest frame that two ends may agree on
	frameOverhead = 5    // of a frame of up to 256 bytes: code, control byte, CRC, zero

	DefaultBaud = 115200 // bits per second
)

// CheckLimits returns an error if no session can have these limits.
func CheckLimits(maxFrame, window int) error {
	if maxFrame < MinFrame || maxFrame > MaxFrame {
		return fmt.Errorf("the largest frame must have %d to %d bytes, not %d", MinFrame, MaxFrame, maxFrame)
	}
	if window < 1 || window > MaxWindow {
		return fmt.Errorf("the window must be 1 to %d frames, not %d", MaxWindow, window)
	}
	return nil
}
