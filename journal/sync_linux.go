package journal

import (
	"errors"
	"os"

	"golang.org/x/sys/unix"
)

// syncData writes a file's content to disk, and of what the file system knows about it only what is needed to read it.
func syncData(f *os.File) error {
	for {
		err := unix.Fdatasync(int(f.Fd()))
		if !errors.Is(err, unix.EINTR) {
			return os.NewSyscallError("fdatasync "+f.Name(), err)
		}
	}
}
