//go:build linux && !ppc64 && !ppc64le

package port

import (
	"errors"
	"fmt"
	"unsafe"

	"golang.org/x/sys/unix"
)

// settingBits are the bits of the settings in a terminal's control flags.
const settingBits = unix.CSIZE | unix.PARENB | unix.PARODD | unix.CMSPAR | unix.CSTOPB | unix.CRTSCTS

// settle writes the settings, but for the rate, into those of a raw terminal.
func (s *Settings) settle(t *unix.Termios) {
	t.Cflag &^= settingBits
	t.Iflag &^= unix.IXON | unix.IXOFF | unix.INPCK
	t.Cflag |= map[int]uint32{5: unix.CS5, 6: unix.CS6, 7: unix.CS7}[s.Data]
	if s.Data == 0 || s.Data == 8 {
		t.Cflag |= unix.CS8
	}
	switch s.Parity {
	case EvenParity:
		t.Cflag |= unix.PARENB
	case OddParity:
		t.Cflag |= unix.PARENB | unix.PARODD
	case MarkParity:
		t.Cflag |= unix.PARENB | unix.PARODD | unix.CMSPAR
	case SpaceParity:
		t.Cflag |= unix.PARENB | unix.CMSPAR
	}
	if t.Cflag&unix.PARENB != 0 {
		t.Iflag |= unix.INPCK // a byte whose parity is wrong is read as 0, which is not text
	}
	if s.Stop == OneHalfStop || s.Stop == TwoStop {
		t.Cflag |= unix.CSTOPB
	}
	switch s.Flow {
	case RTSCTS:
		t.Cflag |= unix.CRTSCTS
	case XONXOFF:
		t.Iflag |= unix.IXON | unix.IXOFF
	}
}

// took returns an error if the port has not taken the settings: many drivers ignore what their adapters cannot do. A pseudo terminal has
// none, and is not asked.
func (s *Settings) took(fd int, want *unix.Termios) error {
	if s.Usual() || isPTY(fd) {
		return nil
	}
	have, err := readTermios(fd)
	if err != nil {
		return err
	}
	if differ := (have.Cflag ^ want.Cflag) & settingBits; differ != 0 {
		what := "flow control rtscts"
		switch {
		case differ&unix.CSIZE != 0:
			what = fmt.Sprintf("%d data bits", s.Data)
		case differ&(unix.PARENB|unix.PARODD|unix.CMSPAR) != 0:
			what = string(s.Parity) + " parity"
		case differ&unix.CSTOPB != 0:
			what = string(s.Stop) + " stop bits"
		}
		return fmt.Errorf("%w: the port does not take %s", ErrSettings, what)
	}
	return nil
}

// isPTY reports whether a terminal is a pseudo terminal: Linux gives their ends on this side the major numbers 136 to 143.
func isPTY(fd int) bool {
	var st unix.Stat_t
	if unix.Fstat(fd, &st) != nil {
		return false
	}
	major := unix.Major(uint64(st.Rdev)) //nolint:unconvert // it is 32 bits on some machines
	return major >= 136 && major <= 143
}

// rs485Struct is struct serial_rs485 of linux/serial.h.
type rs485Struct struct {
	flags         uint32
	before, after uint32 // milliseconds
	_             [5]uint32
}

// Flags of linux/serial.h.
const (
	rs485Enabled      = 1 << 0
	rs485RTSOnSend    = 1 << 1
	rs485RTSAfterSend = 1 << 2
	rs485Echo         = 1 << 4
)

// apply has the driver switch the direction.
func (r *RS485) apply(fd int) error {
	s := rs485Struct{flags: rs485Enabled | rs485RTSOnSend, before: uint32(r.Before.Milliseconds()), after: uint32(r.After.Milliseconds())}
	if r.Inverted {
		s.flags = rs485Enabled | rs485RTSAfterSend
	}
	if r.Echo {
		s.flags |= rs485Echo
	}
	_, _, errno := unix.Syscall(unix.SYS_IOCTL, uintptr(fd), unix.TIOCSRS485, uintptr(unsafe.Pointer(&s)))
	switch {
	case errno == 0:
		return nil
	case errors.Is(errno, unix.ENOTTY) || errors.Is(errno, unix.EINVAL) || errors.Is(errno, unix.EOPNOTSUPP):
		return fmt.Errorf("%w: this port's driver cannot switch the direction of RS-485: leave rs485 out if the adapter does it by itself", ErrSettings)
	default:
		return fmt.Errorf("RS-485: %w", errno)
	}
}
