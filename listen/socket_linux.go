package listen

import (
	"encoding/binary"
	"net"
	"os"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

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

// unacknowledged reports whether some of what was written is not acknowledged (tcp(7), SIOCOUTQ).
func unacknowledged(nc net.Conn) (waits bool) {
	control(nc, func(fd int) {
		n, err := unix.IoctlGetInt(fd, unix.SIOCOUTQ)
		waits = err == nil && n > 0
	})
	return waits
}

// credentials returns the user whose program is at the other end of a Unix socket, and the groups of that program when it
// connected (unix(7), SO_PEERCRED; socket(7), SO_PEERGROUPS). ok is false if the system does not tell: the user that stands for
// all whom this container does not know is nobody.
func credentials(nc net.Conn) (uid int, groups []int, ok bool) {
	control(nc, func(fd int) {
		cred, err := unix.GetsockoptUcred(fd, unix.SOL_SOCKET, unix.SO_PEERCRED)
		if err != nil || cred.Uid == overflow("/proc/sys/kernel/overflowuid") {
			return
		}
		uid, ok = int(cred.Uid), true
		groups = knownGroups(append(peerGroups(fd), cred.Gid))
	})
	return uid, groups, ok
}

// knownGroups returns each group once, without the one that stands for all that are not known.
func knownGroups(list []uint32) (groups []int) {
	unknown := overflow("/proc/sys/kernel/overflowgid")
	for _, g := range list {
		if g != unknown {
			groups = append(groups, int(g))
		}
	}
	slices.Sort(groups)
	return slices.Compact(groups)
}

// maxGroups is how many groups a program may be a member of (NGROUPS_MAX, limits.h).
const maxGroups = 65536

// peerGroups returns the supplementary groups of the program at the other end; none if the kernel is older than 4.13. Package
// unix has no function for that: a list of numbers is no string.
func peerGroups(fd int) (groups []uint32) {
	for size := 64; size <= maxGroups; size *= 16 {
		buf := make([]byte, 4*size)
		length := uint32(len(buf))
		_, _, errno := unix.Syscall6(unix.SYS_GETSOCKOPT, uintptr(fd), unix.SOL_SOCKET, unix.SO_PEERGROUPS,
			uintptr(unsafe.Pointer(&buf[0])), uintptr(unsafe.Pointer(&length)), 0) //nolint:gosec // as the system call wants it
		if errno == unix.ERANGE {
			continue
		}
		if errno != 0 {
			return nil
		}
		for b := buf[:min(int(length), len(buf))]; len(b) >= 4; b = b[4:] {
			groups = append(groups, binary.NativeEndian.Uint32(b))
		}
		return groups
	}
	return nil
}

// usualOverflow stands for all users or groups that are not known, unless the system was told otherwise.
const usualOverflow = 65534

// overflow returns the number in a file of the kernel.
func overflow(file string) uint32 {
	text, err := os.ReadFile(file)
	if err != nil {
		return usualOverflow
	}
	id, err := strconv.ParseUint(strings.TrimSpace(string(text)), 10, 32)
	if err != nil {
		return usualOverflow
	}
	return uint32(id)
}

func control(nc net.Conn, f func(fd int)) {
	if sc, ok := nc.(syscall.Conn); ok {
		if raw, err := sc.SyscallConn(); err == nil {
			_ = raw.Control(func(fd uintptr) { f(int(fd)) }) // fails only when the connection is closed
		}
	}
}
