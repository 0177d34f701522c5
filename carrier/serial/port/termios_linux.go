//go:build linux && !ppc64 && !ppc64le

package port

import (
	"errors"
	"fmt"

	"golang.org/x/sys/unix"
)

// Linux has two kinds of requests for a terminal's settings: newer ones take any rate as a number, older ones only take rates
// that have a name. Linux has had both since 2006, but imitations of Linux, such as qemu's user mode, may lack the newer ones.

func readTermios(fd int) (*unix.Termios, error) {
	t, err := unix.IoctlGetTermios(fd, unix.TCGETS2)
	if errors.Is(err, unix.ENOSYS) {
		return unix.IoctlGetTermios(fd, unix.TCGETS)
	}
	return t, err
}

// applyTermios sets the rate and the other settings: at once, or after all is sent.
func applyTermios(fd int, t *unix.Termios, baud int, sent bool) error {
	request, old := uint(unix.TCSETS2), uint(unix.TCSETS)
	if sent {
		request, old = unix.TCSETSW2, unix.TCSETSW
	}
	t.Cflag &^= unix.CBAUD | unix.CBAUD<<16
	t.Ispeed, t.Ospeed = uint32(baud), uint32(baud)
	t.Cflag |= unix.BOTHER
	err := uninterrupted(func() error { return unix.IoctlSetTermios(fd, request, t) })
	if !errors.Is(err, unix.ENOSYS) {
		return err
	}
	return applyNamed(fd, old, t, baud)
}

func applyNamed(fd int, request uint, t *unix.Termios, baud int) error {
	rate := namedRates[baud]
	if rate == 0 {
		return fmt.Errorf("this system only has the usual rates: %w", unix.ENOTSUP)
	}
	t.Cflag = t.Cflag&^unix.CBAUD | rate
	return uninterrupted(func() error { return unix.IoctlSetTermios(fd, request, t) })
}

// namedRates are the rates that have a name.
var namedRates = map[int]uint32{
	9600: unix.B9600, 19200: unix.B19200, 38400: unix.B38400, 57600: unix.B57600, 115200: unix.B115200, 230400: unix.B230400,
	460800: unix.B460800, 500000: unix.B500000, 921600: unix.B921600, 1000000: unix.B1000000, 2000000: unix.B2000000,
}
