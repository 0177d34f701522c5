//go:build unix && !solaris && !aix

package identities

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"syscall"
)

// takeLock locks a file, which it makes. The lock ends when the file is closed, or the process ends.
func takeLock(file string) (*os.File, error) {
	f, err := os.OpenFile(file, os.O_RDWR|os.O_CREATE|syscall.O_NOFOLLOW|syscall.O_NONBLOCK, 0o600)
	if err != nil {
		return nil, fmt.Errorf("the lock of the identities: %w", err)
	}
	if err := give(f, filepath.Dir(file)); err != nil {
		return nil, errors.Join(fmt.Errorf("the lock of the identities: %w", err), f.Close())
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

// ownersOf returns who may own the identities beside root and this process: for root, the owner of the folder, who is the user of a hub.
func ownersOf(dir string) []int {
	if os.Geteuid() != 0 {
		return nil
	}
	info, err := os.Stat(dir)
	if err != nil {
		return nil
	}
	return []int{int(info.Sys().(*syscall.Stat_t).Uid)}
}

// give gives a file that root has made to the owner of its folder: the hub, which is not root, could not read it otherwise.
func give(f *os.File, dir string) error {
	for _, uid := range ownersOf(dir) {
		info, err := f.Stat()
		if err != nil {
			return err
		}
		st := info.Sys().(*syscall.Stat_t)
		if st.Nlink > 1 {
			return errors.New("it has another name elsewhere: remove it")
		}
		if int(st.Uid) != uid {
			return f.Chown(uid, -1)
		}
	}
	return nil
}
