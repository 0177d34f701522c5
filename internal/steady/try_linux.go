package steady

import (
	"errors"
	"net"
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
	return func(b []byte) (n int, err error) {
		_ = raw.Write(func(fd uintptr) bool {
			n, err = nowait.Write(int(fd), b)
			return true // whatever came of it: no waiting
		})
		if errors.Is(err, unix.EAGAIN) || errors.Is(err, unix.EINTR) {
			err = nil
		}
		return max(n, 0), err
	}
}
