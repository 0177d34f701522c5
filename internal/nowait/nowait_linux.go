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

// long is from how many bytes on the scheduler is told of each call: it takes tens of microseconds, during which it would hold up a stop of
// the world, and what is done with so much may take longer.
const long = 16 << 10

// Read reads from a socket that does not block. Its errors are those of [unix.Read].
func Read(fd int, b []byte) (n int, err error) {
	if len(b) == 0 || len(b) >= long || watched() {
		n, err = unix.Read(fd, b)
	} else {
		n, err = call(unix.SYS_RECVFROM, fd, b, unix.MSG_DONTWAIT)
	}
	hasRead(b[:max(n, 0)])
	return n, err
}

// Write writes to a socket that does not block. Its errors are those of [unix.Write].
func Write(fd int, b []byte) (n int, err error) {
	isToWrite(b)
	if len(b) == 0 || len(b) >= long || watched() {
		return unix.Write(fd, b)
	}
	return call(unix.SYS_SENDTO, fd, b, unix.MSG_DONTWAIT|unix.MSG_NOSIGNAL)
}

// Tell tells the scheduler that the caller may run for long without a system call. Until the watchdog is awake, nobody interrupts
// goroutines, and nobody looks for what the network has brought while as many run as may.
func Tell() { _, _, _ = unix.Syscall(unix.SYS_GETPID, 0, 0, 0) }

// call makes a system call that the scheduler is not told of. It says for itself that it must not wait: another program that has the
// same socket, or a library, may have made it one that does, and such a call would hold up all goroutines.
func call(number uintptr, fd int, b []byte, flags uintptr) (int, error) {
	return result(unix.RawSyscall6(number, uintptr(fd), uintptr(unsafe.Pointer(&b[0])), uintptr(len(b)), flags, 0, 0)) //nolint:gosec // as the system call wants it
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
