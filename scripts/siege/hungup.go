//go:build linux

package main

import "syscall"

// tcpEstablished is TCP_ESTABLISHED of the kernel's include/net/tcp_states.h, the first byte of its tcp_info.
const tcpEstablished = 1

// hungUp reports whether the other end has closed a TCP connection. It reads nothing from it.
func hungUp(raw syscall.RawConn) bool {
	established := false
	err := raw.Control(func(fd uintptr) {
		info, err := syscall.GetsockoptInt(int(fd), syscall.IPPROTO_TCP, syscall.TCP_INFO)
		established = err == nil && info&0xff == tcpEstablished
	})
	return err != nil || !established
}
