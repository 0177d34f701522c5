package serial

import "fmt"

const (
	numbers   = 32 // sequence numbers count modulo this
	maxWindow = 8  // frames; at most a quarter of the sequence numbers, so that old and new are told apart

	// A frame's size is what it takes on the line with the zero that ends it.
	helloFrame    = 60   // largest until HELLO is answered: the receive buffer of a small board holds 63 bytes
	defaultFrame  = 254  // largest by default
	limitFrame    = 4096 // largest that may be agreed upon
	frameOverhead = 5    // of a frame of up to 256 bytes: code, control byte, CRC, zero

	// usualBaud is the rate in bits per second at which lines run that are not told otherwise.
	usualBaud = 115200
)

// checkLimits refuses a largest frame or a window that no session can have.
func checkLimits(maxFrame, window int) error {
	if maxFrame < helloFrame || maxFrame > limitFrame {
		return fmt.Errorf("the largest frame must have %d to %d bytes, not %d", helloFrame, limitFrame, maxFrame)
	}
	if window < 1 || window > maxWindow {
		return fmt.Errorf("the window must be 1 to %d frames, not %d", maxWindow, window)
	}
	return nil
}
