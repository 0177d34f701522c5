//go:build linux && (amd64 || arm64)

package main

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"syscall"
	"unsafe"

	"sighub/scripts/lab/wire"
)

// terminal returns the settings of a port that a program has open. It uses the descriptor of that program, because opening the
// port again would raise DTR and RTS.
func (a *agent) terminal(target wire.Target) (t wire.Terminal, err error) {
	fd, err := a.descriptor(target)
	if err != nil {
		return t, err
	}
	defer func() { _ = syscall.Close(fd) }()
	// struct termios2 of the kernel, the same on amd64 and arm64.
	var ios struct {
		iflag, oflag, cflag, lflag uint32
		line                       uint8
		cc                         [19]uint8
		ispeed, ospeed             uint32
	}
	const tcgets2 = 0x802c542a
	if err := ioctl(fd, tcgets2, unsafe.Pointer(&ios)); err != nil {
		return t, fmt.Errorf("TCGETS2: %w", err)
	}
	var lines int32
	if err := ioctl(fd, syscall.TIOCMGET, unsafe.Pointer(&lines)); err != nil {
		return t, fmt.Errorf("TIOCMGET: %w", err)
	}
	return wire.Terminal{
		HangUp: ios.cflag&syscall.HUPCL != 0,
		Raw:    ios.lflag&(syscall.ECHO|syscall.ICANON|syscall.ISIG) == 0 && ios.oflag&syscall.OPOST == 0,
		Baud:   ios.ospeed,
		Format: format(ios.cflag),
		XON:    ios.iflag&syscall.IXON != 0 && ios.iflag&syscall.IXOFF != 0,
		DTR:    lines&syscall.TIOCM_DTR != 0,
		RTS:    lines&syscall.TIOCM_RTS != 0,
	}, nil
}

// format returns the data bits, the parity and the stop bits that c_cflag has: 8N1.
func format(cflag uint32) string {
	parity, stop := "N", 1
	switch {
	case cflag&syscall.PARENB == 0:
	case cflag&syscall.PARODD == 0:
		parity = "E"
	default:
		parity = "O"
	}
	if cflag&syscall.CSTOPB != 0 {
		stop = 2
	}
	return fmt.Sprint(5+cflag&syscall.CSIZE/syscall.CS6, parity, stop)
}

// descriptor returns our own descriptor for a path that a program has open.
func (a *agent) descriptor(t wire.Target) (int, error) {
	p, err := a.programs.get(t.Name)
	if err != nil {
		return 0, err
	}
	links, err := filepath.Glob(fmt.Sprintf("/proc/%d/fd/*", p.Process.Pid))
	if err != nil {
		return 0, err
	}
	for _, link := range links {
		if to, err := os.Readlink(link); err != nil || to != t.Path {
			continue
		}
		theirs, err := strconv.Atoi(filepath.Base(link))
		if err != nil {
			return 0, err
		}
		return share(p.Process.Pid, theirs)
	}
	return 0, fmt.Errorf("%s has no descriptor of %s: %w", t.Name, t.Path, fs.ErrNotExist)
}

// share returns our own copy of another program's descriptor.
func share(pid, theirs int) (int, error) {
	const pidfdOpen, pidfdGetfd = 434, 438 // the same on all architectures
	process, _, errno := syscall.Syscall(pidfdOpen, uintptr(pid), 0, 0)
	if errno != 0 {
		return 0, fmt.Errorf("pidfd_open: %w", errno)
	}
	defer func() { _ = syscall.Close(int(process)) }()
	ours, _, errno := syscall.Syscall(pidfdGetfd, process, uintptr(theirs), 0)
	if errno != 0 {
		return 0, fmt.Errorf("pidfd_getfd: %w", errno)
	}
	return int(ours), nil
}
