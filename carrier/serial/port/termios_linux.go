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
	rate := namedRate(baud)
	if rate == 0 {
		return fmt.Errorf("this system only has the usual rates: %w", unix.ENOTSUP)
	}
	t.Cflag = t.Cflag&^unix.CBAUD | rate
	return uninterrupted(func() error { return unix.IoctlSetTermios(fd, request, t) })
}

// namedRate returns the name of a rate, or 0 if it has none.
func namedRate(baud int) uint32 {
	switch baud {
	case 9600:
		return unix.B9600
	case 19200:
		return unix.B19200
	case 38400:
		return unix.B38400
	case 57600:
		return unix.B57600
	case 115200:
		return unix.B115200
	case 230400:
		return unix.B230400
	case 460800:
		return unix.B460800
	case 500000:
		return unix.B500000
	case 921600:
		return unix.B921600
	case 1000000:
		return unix.B1000000
	case 2000000:
		return unix.B2000000
	}
	return 0
}
