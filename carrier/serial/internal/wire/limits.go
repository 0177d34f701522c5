package wire

import "fmt"

const (
	FrameNumbers = 32 // sequence numbers count modulo this
	MaxWindow    = 8  // frames; at most a quarter of the sequence numbers, so that old and new are told apart

	// A frame's size is what it takes on the line with the zero that ends it.
	MinFrame      = 60   // largest until HELLO is answered: the receive buffer of a small board holds 63 bytes
	DefaultFrame  = 254  // largest by default
	MaxFrame      = 4096 // largest that may be agreed upon
	frameOverhead = 5    // of a frame of up to 256 bytes: code, control byte, CRC, zero

	// DefaultBaud is the rate in bits per second at which lines run that are not told otherwise.
	DefaultBaud = 115200
)

// CheckLimits refuses a largest frame or a window that no session can have.
func CheckLimits(maxFrame, window int) error {
	if maxFrame < MinFrame || maxFrame > MaxFrame {
		return fmt.Errorf("the largest frame must have %d to %d bytes, not %d", MinFrame, MaxFrame, maxFrame)
	}
	if window < 1 || window > MaxWindow {
		return fmt.Errorf("the window must be 1 to %d frames, not %d", MaxWindow, window)
	}
	return nil
}
