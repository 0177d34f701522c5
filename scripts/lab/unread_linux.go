package main

import (
	"net"
	"syscall"
	"unsafe"
)

// unread reports whether there are bytes that the other end of a Unix socket has not read yet.
func unread(conn net.Conn) bool {
	c, ok := conn.(syscall.Conn)
	if !ok {
		return false
	}
	raw, err := c.SyscallConn()
	if err != nil {
		return false
	}
	var queued int32
	// SIOCOUTQ has the number of TIOCOUTQ. That of a closed socket is 0.
	_ = raw.Control(func(fd uintptr) {
		_, _, _ = syscall.Syscall(syscall.SYS_IOCTL, fd, syscall.TIOCOUTQ, uintptr(unsafe.Pointer(&queued)))
	})
	return queued > 0
}
