//go:build linux && !ppc64 && !ppc64le

package port

import (
	"errors"
	"fmt"
	"os"
	"sync"
	"sync/atomic"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Open opens the port for the runtime's poller: Close wakes Read and Write, and a hang-up is seen at once.
func Open(path string, baud int) (Port, error) {
	f, err := os.OpenFile(path, os.O_RDWR|unix.O_NOCTTY|unix.O_NONBLOCK, 0)
	if err != nil {
		return nil, err
	}
	p := &nativePort{File: f}
	if err := p.control(func(fd int) error { return setUp(fd, baud) }); err != nil {
		_ = f.Close()
		return nil, &os.PathError{Op: "set up", Path: path, Err: err}
	}
	return p, nil
}

type nativePort struct {
	*os.File
	drained atomic.Bool
	once    sync.Once
	err     error
}

// Drain implements drainer.
func (p *nativePort) Drain() error {
	err := p.control(func(fd int) error {
		return uninterrupted(func() error { return unix.IoctlSetInt(fd, unix.TCSBRK, 1) }) // what tcdrain does
	})
	p.drained.Store(err == nil)
	return err
}

// SetBaud implements RateSetter.
func (p *nativePort) SetBaud(rate int) error {
	return p.control(func(fd int) error {
		t, err := readTermios(fd)
		if err != nil {
			return err
		}
		return applyTermios(fd, t, rate, true)
	})
}

// SetModem implements ModemSetter.
func (p *nativePort) SetModem(dtr, rts bool) error {
	return p.control(func(fd int) error {
		var up, down int
		for bit, raised := range map[int]bool{unix.TIOCM_DTR: dtr, unix.TIOCM_RTS: rts} {
			if raised {
				up |= bit
			} else {
				down |= bit
			}
		}
		if err := unix.IoctlSetPointerInt(fd, unix.TIOCMBIC, down); err != nil {
			return err
		}
		return unix.IoctlSetPointerInt(fd, unix.TIOCMBIS, up)
	})
}

// uninterrupted calls f again for as long as a signal ends it.
func uninterrupted(f func() error) error {
	for {
		if err := f(); !errors.Is(err, unix.EINTR) {
			return err
		}
	}
}

// Close drops what was not sent, so that the kernel does not wait for a line that stands still. On a pseudo terminal
// that would take away even what the other end has not read yet.
func (p *nativePort) Close() error {
	p.once.Do(func() {
		if !p.drained.Load() {
			_ = p.control(func(fd int) error { return unix.IoctlSetInt(fd, unix.TCFLSH, unix.TCIOFLUSH) })
		}
		p.err = p.File.Close()
	})
	return p.err
}

func (p *nativePort) control(f func(fd int) error) error {
	raw, err := p.SyscallConn()
	if err != nil {
		return err
	}
	var inner error
	if err := raw.Control(func(fd uintptr) { inner = f(int(fd)) }); err != nil {
		return err
	}
	return inner
}

func setUp(fd, baud int) error {
	if err := unix.Flock(fd, unix.LOCK_EX|unix.LOCK_NB); errors.Is(err, unix.EWOULDBLOCK) {
		return unix.EBUSY // as the kernel says of a port in exclusive use
	}
	t, err := readTermios(fd)
	if errors.Is(err, unix.ENOTTY) {
		return errNotTerminal
	}
	if err != nil {
		return err
	}
	t.Iflag &^= unix.IGNBRK | unix.BRKINT | unix.PARMRK | unix.ISTRIP | unix.INLCR | unix.IGNCR | unix.ICRNL |
		unix.IXON | unix.IXOFF | unix.IXANY | unix.INPCK
	t.Oflag &^= unix.OPOST
	t.Lflag &^= unix.ECHO | unix.ECHONL | unix.ICANON | unix.ISIG | unix.IEXTEN
	// Without HUPCL closing the port leaves DTR as it is, so that boards whose DTR is their reset go on running.
	t.Cflag &^= unix.CSIZE | unix.PARENB | unix.CSTOPB | unix.CRTSCTS | unix.HUPCL
	t.Cflag |= unix.CS8 | unix.CREAD | unix.CLOCAL
	t.Cc[unix.VMIN], t.Cc[unix.VTIME] = 1, 0
	if err := applyTermios(fd, t, baud, false); err != nil {
		return fmt.Errorf("%d baud: %w", baud, err)
	}
	// Nobody else may open the port: root may all the same, and is kept out by the lock.
	if err := unix.IoctlSetInt(fd, unix.TIOCEXCL, 0); err != nil {
		return fmt.Errorf("exclusive use: %w", err)
	}
	// Pseudo terminals have no modem lines, and some adapters do not either.
	_ = unix.IoctlSetPointerInt(fd, unix.TIOCMBIS, unix.TIOCM_DTR|unix.TIOCM_RTS)
	hasten(fd)
	return nil
}

// hasten asks the driver for low latency, if it knows that: an FTDI adapter else keeps what it receives for up to 16 ms,
// in the hope of more.
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
