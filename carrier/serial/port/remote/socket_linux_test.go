package remote

import (
	"net"
	"testing"

	"golang.org/x/sys/unix"
)

// TestHalfOpen: the kernel looks after a connection whose other end may vanish, whether it is idle or not.
func TestHalfOpen(t *testing.T) {
	hold := make(chan struct{})
	path := rawServer(t, "tcp4", func(net.Conn) { <-hold })
	defer close(hold)
	p, err := Opener{}.Open(path, 9600)
	must(t, err)
	defer p.Close()
	raw, err := p.(*rawPort).Conn.(*net.TCPConn).SyscallConn()
	must(t, err)
	must(t, raw.Control(func(fd uintptr) {
		for _, o := range []struct {
			level, option, want int
		}{
			{unix.SOL_SOCKET, unix.SO_KEEPALIVE, 1}, {unix.IPPROTO_TCP, unix.TCP_KEEPIDLE, 10}, {unix.IPPROTO_TCP, unix.TCP_KEEPINTVL, 5},
			{unix.IPPROTO_TCP, unix.TCP_KEEPCNT, 3}, {unix.IPPROTO_TCP, unix.TCP_USER_TIMEOUT, 30_000},
		} {
			if got, err := unix.GetsockoptInt(int(fd), o.level, o.option); err != nil || got != o.want {
				t.Errorf("option %d is %d, %v; want %d", o.option, got, err, o.want)
			}
		}
	}))
}
