//go:build unix && !solaris && !aix

package folder

import (
	"errors"
	"fmt"
	"io"
	"os"
	"syscall"
)

// Lock implements Folder. The directory itself is locked, so nothing is written, and a process that dies leaves no lock behind.
func (d Directory) Lock() (io.Closer, error) {
	f, err := os.Open(string(d))
	if err != nil {
		return nil, err
	}
	for {
		err = syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
		if !errors.Is(err, syscall.EINTR) {
			break
		}
	}
	switch {
	case err == nil:
		return f, nil
	case errors.Is(err, syscall.EWOULDBLOCK):
		err = fmt.Errorf("%w: is a hub running already?", ErrLocked)
	case errors.Is(err, syscall.ENOTSUP), errors.Is(err, syscall.ENOSYS): // some network file systems
		return f, nil
	}
	return nil, errors.Join(err, f.Close())
}

func syncFolder(f *os.File) error { return f.Sync() }
