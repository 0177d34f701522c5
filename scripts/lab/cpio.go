package main

import (
	"fmt"
	"io"
)

// An archive is written as the kernel unpacks it into its first file system: cpio in the format newc, as the kernel's
// Documentation/driver-api/early-userspace/buffer-format.rst has it.
type archive struct {
	to    io.Writer
	inode int
	err   error // the first; nothing is written after it
}

// Types of files, in the upper bits of a mode.
const (
	modeDir     = 0o040000
	modeRegular = 0o100000
	modeDevice  = 0o020000 // of characters
)

// add writes an entry. Major and minor are a device's.
func (a *archive) add(name string, mode int, data []byte, major, minor int) {
	a.inode++
	links := 1
	if mode&modeDir != 0 {
		links = 2
	}
	// Magic, inode, mode, uid, gid, links, time, size, the device it is on, the device it is, the length of the name,
	// a checksum that this format has not.
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
