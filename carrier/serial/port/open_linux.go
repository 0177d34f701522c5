//go:build linux && !ppc64 && !ppc64le

package port

import (
	"errors"
	"fmt"
	"os"
	"sync"
	"sync/atomic"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// openNative opens a port with Linux's own calls. The runtime's poller waits for the port, so Close wakes Read and Write, and
// Read notices a hang-up at once.
func openNative(path string, settings Settings) (Port, error) {
	if err := checkFree(path); err != nil {
		return nil, err
	}
	f, err := os.OpenFile(path, os.O_RDWR|unix.O_NOCTTY|unix.O_NONBLOCK, 0)
	if err != nil {
		return nil, err
	}
	if err := control(f, func(fd int) error { return setUp(fd, settings, setModemBits) }); err != nil {
		_ = f.Close()
		return nil, &os.PathError{Op: "set up", Path: path, Err: err}
	}
	return &nativePort{File: f}, nil
}

type nativePort struct {
	*os.File
	drained atomic.Bool
	once    sync.Once
	err     error
}

// Drain implements [Drainer].
func (p *nativePort) Drain() error {
	err := control(p.File, func(fd int) error {
		return uninterrupted(func() error { return unix.IoctlSetInt(fd, unix.TCSBRK, 1) }) // as tcdrain does
	})
	p.drained.Store(err == nil)
	return err
}

// SetBaud implements [RateSetter].
func (p *nativePort) SetBaud(rate int) error {
	return control(p.File, func(fd int) error {
		t, err := readTermios(fd)
		if err != nil {
			return err
		}
		return applyTermios(fd, t, rate, true)
	})
}

// SetModem implements [ModemSetter].
func (p *nativePort) SetModem(dtr, rts bool) error {
	return control(p.File, func(fd int) error {
		up, down := modemBits(dtr, rts)
		if err := setModemBits(fd, unix.TIOCMBIC, down); err != nil {
			return err
		}
		return setModemBits(fd, unix.TIOCMBIS, up)
	})
}

// modemBits returns the bits of the lines that are to be asserted, and of those that are not.
func modemBits(dtr, rts bool) (up, down int) {
	for _, l := range []struct {
		bit    int
		raised bool
	}{{unix.TIOCM_DTR, dtr}, {unix.TIOCM_RTS, rts}} {
		if l.raised {
			up |= l.bit
		} else {
			down |= l.bit
		}
	}
	return up, down
}

// setModemBits asserts or deasserts modem lines: the request is TIOCMBIS or TIOCMBIC.
func setModemBits(fd int, request uint, bits int) error {
	if bits == 0 {
		return nil
	}
	return unix.IoctlSetPointerInt(fd, request, bits)
}

// uninterrupted calls f again while it is ended by a signal.
func uninterrupted(f func() error) error {
	for {
		if err := f(); !errors.Is(err, unix.EINTR) {
			return err
		}
	}
}

// Close implements [Port]. Unless the port was drained, it drops what was not sent, so that the kernel does not wait for a
// line that stands still. On a pseudo terminal it would even drop what the other end has not read yet.
func (p *nativePort) Close() error {
	p.once.Do(func() {
		if !p.drained.Load() {
			_ = control(p.File, func(fd int) error { return unix.IoctlSetInt(fd, unix.TCFLSH, unix.TCIOFLUSH) })
		}
		_ = control(p.File, func(fd int) error { return unix.IoctlSetInt(fd, unix.TIOCNXCL, 0) }) // others may have it now
		p.err = p.File.Close()
	})
	return p.err
}

func setUp(fd int, settings Settings, set func(fd int, request uint, bits int) error) error {
	if err := unix.Flock(fd, unix.LOCK_EX|unix.LOCK_NB); errors.Is(err, unix.EWOULDBLOCK) {
		return unix.EBUSY // the kernel's error for a port in exclusive use
	}
	// Root may open such a port, too. A pseudo terminal stays as it is when a program is killed that had it.
	if exclusive, err := unix.IoctlGetInt(fd, unix.TIOCGEXCL); err == nil && exclusive != 0 && !isPTY(fd) {
		return unix.EBUSY
	}
	// The kernel asserts both lines when it opens a port, whatever a program does. So those that are to stay down come first,
	// once it is sure that no other program has the port.
	up, down := modemBits(!settings.DTROff, !settings.RTSOff)
	cannot := set(fd, unix.TIOCMBIC, down)
	t, err := readTermios(fd)
	if errors.Is(err, unix.ENOTTY) {
		return errNotTerminal
	}
	if err != nil {
		return err
	}
	if cannot != nil {
		return fmt.Errorf("%w: %w", ErrNoModem, cannot)
	}
	setRaw(t)
	// Without HUPCL, closing the port leaves DTR asserted, so that boards whose reset is DTR keep running.
	t.Cflag = t.Cflag&^unix.HUPCL | unix.CLOCAL
	t.Cc[unix.VMIN], t.Cc[unix.VTIME] = 1, 0
	settings.settle(t)
	if err := applyTermios(fd, t, settings.Baud, false); err != nil {
		return fmt.Errorf("%d baud: %w", settings.Baud, err)
	}
	if err := settings.took(fd, t); err != nil {
		return err
	}
	// Nobody else can open the port. Root can in any case, and is kept out by the lock.
	if err := unix.IoctlSetInt(fd, unix.TIOCEXCL, 0); err != nil {
		return fmt.Errorf("exclusive use: %w", err)
	}
	if settings.Flow == RTSCTS {
		up &^= unix.TIOCM_RTS // the driver raises it while there is room
	}
	// Pseudo terminals and some adapters have no modem lines.
	_ = set(fd, unix.TIOCMBIS, up)
	hasten(fd)
	if settings.Fresh {
		_ = unix.IoctlSetInt(fd, unix.TCFLSH, unix.TCIFLUSH)
	}
	if settings.RS485 != nil {
		if err := settings.RS485.apply(fd); err != nil {
			return err
		}
	}
	return breakLine(fd, settings.Break)
}

// breakLine holds the line in a break. A driver that cannot do that is not told apart by the kernel from one that can.
func breakLine(fd int, d time.Duration) error {
	if d == 0 {
		return nil
	}
	if err := unix.IoctlSetInt(fd, unix.TIOCSBRK, 0); err != nil {
		return fmt.Errorf("%w: this port cannot send a break: %w", ErrSettings, err)
	}
	time.Sleep(d)
	if err := unix.IoctlSetInt(fd, unix.TIOCCBRK, 0); err != nil {
		return fmt.Errorf("the end of a break: %w", err)
	}
	return nil
}

// hasten asks the driver for low latency, if it can do that: otherwise, an FTDI adapter holds back what it receives for up to
// 16 ms.
func hasten(fd int) {
	var s serialStruct
	if ioctl(fd, unix.TIOCGSERIAL, &s) == nil && s.flags&asyncLowLatency == 0 {
		s.flags |= asyncLowLatency
		_ = ioctl(fd, unix.TIOCSSERIAL, &s)
	}
}

const asyncLowLatency = 1 << 13 // linux/tty_flags.h

// serialStruct is struct serial_struct of linux/serial.h.
type serialStruct struct {
	kind, line                int32
	port                      uint32
	irq, flags                int32
	fifo, divisor, baudBase   int32
	closeDelay                uint16
	ioType, reserved          uint8
	hub6                      int32
	closingWait, closingWait2 uint16
	memory                    uintptr
	shift                     uint16
	portHigh                  uint32
	ioMap                     uintptr
}

func ioctl(fd int, request uintptr, s *serialStruct) error {
	_, _, errno := unix.Syscall(unix.SYS_IOCTL, uintptr(fd), request, uintptr(unsafe.Pointer(s)))
	if errno != 0 {
		return errno
	}
	return nil
}
