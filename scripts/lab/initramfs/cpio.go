package initramfs

import (
	"fmt"
	"io"
)

// An archive is a cpio archive in the format newc, which the kernel unpacks into its first file system: see the kernel's
// Documentation/driver-api/early-userspace/buffer-format.rst.
type archive struct {
	to    io.Writer
	inode int
	err   error // the first error; nothing is written after it
}

// Types of files, in the upper bits of a mode.
const (
	modeDir     = 0o040000
	modeRegular = 0o100000
	modeDevice  = 0o020000 // of characters
)

// add writes an entry. major and minor are for a device.
func (a *archive) add(name string, mode int, data []byte, major, minor int) {
	a.inode++
	links := 1
	if mode&modeDir != 0 {
		links = 2
	}
	// Magic, inode, mode, uid, gid, links, time, size, the device it is on, the device it is, the length of the name,
	// a checksum, which this format does not have.
	head := fmt.Sprintf("070701%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x%s\x00",
		a.inode, mode, 0, 0, links, 0, len(data), 0, 0, major, minor, len(name)+1, 0, name)
	a.padded([]byte(head))
	a.padded(data)
}

func (a *archive) dir(name string)                  { a.add(name, modeDir|0o755, nil, 0, 0) }
func (a *archive) program(name string, data []byte) { a.add(name, modeRegular|0o755, data, 0, 0) }

// close ends the archive and returns the first error.
func (a *archive) close() error {
	a.add("TRAILER!!!", 0, nil, 0, 0)
	return a.err
}

// padded writes data up to the next multiple of four.
func (a *archive) padded(data []byte) {
	a.write(data)
	a.write(make([]byte, -len(data)&3))
}

func (a *archive) write(data []byte) {
	if a.err == nil {
		_, a.err = a.to.Write(data)
	}
}
