//go:build unix && !solaris && !aix

package identities

import (
	"errors"
	"fmt"
	"os"
	"syscall"
)

// takeLock locks a file, which it makes. The lock ends when the file is closed, or the process ends.
func takeLock(file string) (*os.File, error) {
	f, err := os.OpenFile(file, os.O_RDWR|os.O_CREATE|syscall.O_NOFOLLOW|syscall.O_NONBLOCK, 0o600)
	if err != nil {
		return nil, fmt.Errorf("the lock of the identities: %w", err)
	}
	for {
		err = syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
		if !errors.Is(err, syscall.EINTR) {
			break
		}
	}
	switch {
	case err == nil, errors.Is(err, syscall.ENOTSUP), errors.Is(err, syscall.ENOSYS): // some network file systems have none
		return f, nil
	case errors.Is(err, syscall.EWOULDBLOCK):
		err = ErrBusy
	}
	return nil, errors.Join(err, f.Close())
}

func syncFolder(dir string) error {
	f, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}
