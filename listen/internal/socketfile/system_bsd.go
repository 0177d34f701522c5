//go:build darwin || freebsd || netbsd || openbsd || dragonfly

package socketfile

import (
	"os"
	"syscall"

	"golang.org/x/sys/unix"
)

// makePrivate has nothing to do here: a socket without a file has no mode.
func makePrivate(string, string, syscall.RawConn) error { return nil }

// maskPrivate lets files be made with no more than ownerMode until restore is called. That is for all of the process, but it
// takes no longer than to listen.
func maskPrivate() (restore func()) {
	before := unix.Umask(0o777 &^ ownerMode)
	return func() { unix.Umask(before) }
}

// tryLock locks a folder that was opened, unless somebody else has.
func tryLock(f *os.File) error { return unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB) }
