package socketfile

import (
	"os"
	"syscall"

	"golang.org/x/sys/unix"
)

// makePrivate gives a socket its mode before it has a file: the file that bind makes takes it over (net/unix/af_unix.c).
func makePrivate(_, _ string, raw syscall.RawConn) error {
	var err error
	if ctlErr := raw.Control(func(fd uintptr) { err = unix.Fchmod(int(fd), ownerMode) }); ctlErr != nil {
		return ctlErr
	}
	return err
}

// maskPrivate has nothing to do here.
func maskPrivate() (restore func()) { return func() {} }

// tryLock locks a folder that was opened, unless somebody else has.
func tryLock(f *os.File) error { return unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB) }
