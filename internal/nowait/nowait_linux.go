package nowait

import (
	"runtime"
	"sync/atomic"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// watchedEvery is how many calls there are for each that the scheduler is told of. An event that travels alone takes four. Many
// calls in a row, as for an event with many listeners, take less than half a millisecond until they are watched.
const watchedEvery = 64

var (
	calls   atomic.Uint32 // of the process
	several atomic.Bool   // several goroutines may run at a time, as was seen at the latest call that was watched
)

// watched reports whether the scheduler is told of the next call. Where one goroutine runs at a time, it is told of each: what follows
// the call may take long, as to check a password does, and nobody but the watchdog would let others run meanwhile.
func watched() bool {
	if calls.Add(1)%watchedEvery != 0 && several.Load() {
		return false
	}
	several.Store(runtime.GOMAXPROCS(0) > 1)
	return true
}

// Read reads from a socket that does not block. Its errors are those of [unix.Read].
func Read(fd int, b []byte) (n int, err error) {
	if len(b) == 0 || watched() {
		n, err = unix.Read(fd, b)
	} else {
		n, err = result(unix.RawSyscall(unix.SYS_READ, uintptr(fd), uintptr(unsafe.Pointer(&b[0])), uintptr(len(b)))) //nolint:gosec // as the system call wants it
	}
	hasRead(b[:max(n, 0)])
	return n, err
}

// Write writes to a socket that does not block. Its errors are those of [unix.Write].
func Write(fd int, b []byte) (n int, err error) {
	isToWrite(b)
	if len(b) == 0 || watched() {
		return unix.Write(fd, b)
	}
	return result(unix.RawSyscall(unix.SYS_WRITE, uintptr(fd), uintptr(unsafe.Pointer(&b[0])), uintptr(len(b)))) //nolint:gosec // as above
}

func result(n, _ uintptr, errno syscall.Errno) (int, error) {
	switch errno {
	case 0:
		return int(n), nil
	case unix.EAGAIN:
		return -1, errAgain // made once
	default:
		return -1, errno
	}
}

var errAgain error = unix.EAGAIN
