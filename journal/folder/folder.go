// Package folder is what a journal needs of a file system.
package folder

import "io"

// A Folder has files, and no folders. It is safe for concurrent use.
type Folder interface {
	// List returns the names of the files.
	List() ([]string, error)
	// Open opens a file that is there.
	Open(name string) (File, error)
	// Create makes a file, which must not be there.
	Create(name string) (File, error)
	// Rename gives a file another name; a file that had that name is gone.
	Rename(from, to string) error
	Remove(name string) error
	// Sync returns when the names of all files are on disk.
	Sync() error
	// Lock keeps others from the folder until the Closer is closed or the process ends. The error is [ErrLocked] if another has it.
	Lock() (io.Closer, error)
	// Space returns the size of the disk in bytes, and how much of it is free; zeros if that is not known.
	Space() (total, free int64, err error)
}

// A File is one of a folder. It is safe for concurrent use.
type File interface {
	io.ReaderAt
	io.WriterAt
	io.Closer
	// Size returns the number of bytes.
	Size() (int64, error)
	// Sync returns when the content is on disk.
	Sync() error
}
