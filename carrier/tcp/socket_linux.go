package tcp

import (
	"errors"
	"io"
	"os"
	"syscall"

	"golang.org/x/sys/unix"

	"sighub/internal/nowait"
	"sighub/listen"
)

// rawConn returns the socket of a connection that has one of its own; otherwise nil.
func rawConn(nc listen.Conn) syscall.RawConn {
	if sc := nc.Raw(); sc != nil {
		if raw, err := sc.SyscallConn(); err == nil {
			return raw
		}
	}
	return nil
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
func newRawReader(nc listen.Conn) *rawReader {
	raw := rawConn(nc)
	if raw == nil {
		return nil
	}
	r := &rawReader{raw: raw}
	r.try = func(fd uintptr) bool {
		for {
			r.n, r.err = nowait.Read(int(fd), r.r.lend())
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
