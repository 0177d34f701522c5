package tcp

import (
	"errors"
	"io"
	"net"
	"os"
	"strconv"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// unacknowledged returns how many bytes were written that the other end's system has not acknowledged (on a
// Unix socket: that the other end has not read).
func unacknowledged(nc net.Conn) (n int) {
	control(nc, func(fd int) {
		if got, err := unix.IoctlGetInt(fd, unix.SIOCOUTQ); err == nil {
			n = got
		}
	})
	return n
}

// setUserTimeout bounds how long written bytes may stay unacknowledged: keep-alive does not work while there
// are any (tcp(7), TCP_USER_TIMEOUT).
func setUserTimeout(nc net.Conn, d time.Duration) {
	if _, ok := nc.(*net.TCPConn); !ok {
		return
	}
	control(nc, func(fd int) {
		// A system that refuses it keeps its own, longer timeout.
		_ = unix.SetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_USER_TIMEOUT, int(d.Milliseconds()))
	})
}

// peerUser returns the number of the user whose program is at the other end of a Unix socket; empty if that is not known.
func peerUser(nc net.Conn) (user string) {
	if _, ok := nc.(*net.UnixConn); !ok {
		return ""
	}
	control(nc, func(fd int) {
		if cred, err := unix.GetsockoptUcred(fd, unix.SOL_SOCKET, unix.SO_PEERCRED); err == nil {
			user = strconv.FormatUint(uint64(cred.Uid), 10)
		}
	})
	return user
}

func control(nc net.Conn, f func(fd int)) {
	if raw := rawConn(nc); raw != nil {
		_ = raw.Control(func(fd uintptr) { f(int(fd)) }) // fails only when the connection is closed
	}
}

// rawConn returns the connection's socket, or nil if it is not one.
func rawConn(nc net.Conn) syscall.RawConn {
	if sc, ok := nc.(syscall.Conn); ok {
		if raw, err := sc.SyscallConn(); err == nil {
			return raw
		}
	}
	return nil
}

// tryWriter returns a function that writes what the system takes without waiting; nil where that cannot be had. The function
// returns only errors of the system, which tells each of them once. Others are met again by whoever writes next.
func tryWriter(nc net.Conn) func([]byte) (int, error) {
	raw := rawConn(nc)
	if raw == nil {
		return nil
	}
	return func(b []byte) (n int, err error) {
		_ = raw.Write(func(fd uintptr) bool {
			n, err = unix.Write(int(fd), b)
			return true // whatever came of it: no waiting
		})
		if errors.Is(err, unix.EAGAIN) || errors.Is(err, unix.EINTR) {
			err = nil
		}
		return max(n, 0), err
	}
}

// A rawReader waits until something can be read, and only then borrows a buffer for it.
type rawReader struct {
	raw syscall.RawConn
	try func(fd uintptr) bool // made once
	r   *reader
	n   int
	err error
}

// newRawReader returns nil where there is no socket.
func newRawReader(nc net.Conn) *rawReader {
	raw := rawConn(nc)
	if raw == nil {
		return nil
	}
	r := &rawReader{raw: raw}
	r.try = func(fd uintptr) bool {
		for {
			r.n, r.err = unix.Read(int(fd), r.r.lend())
			if !errors.Is(r.err, unix.EINTR) {
				break
			}
		}
		if errors.Is(r.err, unix.EAGAIN) {
			r.r.release()
			return false
		}
		return true
	}
	return r
}

func (r *rawReader) read(to *reader) (n int, err error) {
	r.r = to
	if err := r.raw.Read(r.try); err != nil {
		return 0, err
	}
	switch {
	case r.err != nil:
		return 0, os.NewSyscallError("read", r.err)
	case r.n == 0:
		return 0, io.EOF
	}
	return r.n, nil
}
