package remote

import (
	"syscall"

	"golang.org/x/sys/unix"
)

// limitPatience has the kernel give a connection up whose other end takes nothing, as it otherwise does after a quarter of an hour.
func limitPatience(_, _ string, c syscall.RawConn) error {
	return c.Control(func(fd uintptr) {
		_ = unix.SetsockoptInt(int(fd), unix.IPPROTO_TCP, unix.TCP_USER_TIMEOUT, int(userTimeout.Milliseconds())) // old kernels lack it
	})
}
