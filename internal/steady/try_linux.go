package steady

import (
	"errors"
	"net"
	"sync"
	"syscall"

	"golang.org/x/sys/unix"

	"sighub/internal/nowait"
)

// Try returns a function that writes what the system takes without waiting; nil where that cannot be had. The function returns only
// errors of the system, which tells each of them once. Others are met again by whoever writes next.
func Try(socket net.Conn) func([]byte) (int, error) {
	sc, ok := socket.(syscall.Conn)
	if !ok {
		return nil
	}
	raw, err := sc.SyscallConn()
	if err != nil {
		return nil
	}
	return func(b []byte) (int, error) {
		t := attempts.Get().(*attempt) //nolint:forcetypeassert // nothing else is put there
		t.b, t.n, t.err = b, 0, nil
		_ = raw.Write(t.call) // fails only if the socket is closed, before anything is called
		n, err := t.n, t.err
		t.b, t.err = nil, nil
		attempts.Put(t)
		if errors.Is(err, unix.EAGAIN) || errors.Is(err, unix.EINTR) {
			err = nil
		}
		return max(n, 0), err
	}
}

// An attempt is one call of a function that Try has returned. They are used again: most writes are small, and to make a closure for each
// takes three allocations.
type attempt struct {
	b    []byte
	n    int
	err  error
	call func(fd uintptr) bool // write
}

var attempts = sync.Pool{New: func() any {
	t := new(attempt)
	t.call = t.write
	return t
}}

func (t *attempt) write(fd uintptr) bool {
	t.n, t.err = nowait.Write(int(fd), t.b)
	return true // whatever came of it: no waiting
}
