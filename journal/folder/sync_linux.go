package folder

import (
	"errors"
	"os"
	"syscall"
)

// syncData writes a file's content to disk, and of what the file system knows about it only what is needed to read it.
func syncData(f *os.File) error {
	for {
		switch err := syscall.Fdatasync(int(f.Fd())); {
		case err == nil:
			return nil
		case !errors.Is(err, syscall.EINTR):
			return &os.PathError{Op: "fdatasync", Path: f.Name(), Err: err}
		}
	}
}
