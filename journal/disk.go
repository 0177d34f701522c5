package journal

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
)

// A folder is what a journal needs of a file system. Tests have one that loses power.
type folder interface {
	// List returns the names of the files.
	List() ([]string, error)
	// Open opens a file that is there.
	Open(name string) (file, error)
	// Create makes a file, which must not be there.
	Create(name string) (file, error)
	Rename(from, to string) error
	Remove(name string) error
	// Sync returns when the names of all files are on disk.
	Sync() error
}

// A file is one of a folder.
type file interface {
	io.ReaderAt
	io.WriterAt
	io.Closer
	// Size returns the number of bytes.
	Size() (int64, error)
	// Sync returns when the content is on disk.
	Sync() error
}

// A directory is a folder of the system.
type directory string

func (d directory) path(name string) string { return filepath.Join(string(d), name) }

// List implements folder.
func (d directory) List() ([]string, error) {
	entries, err := os.ReadDir(string(d))
	if err != nil {
		return nil, err
	}
	var names []string
	for _, e := range entries {
		if e.Type().IsRegular() {
			names = append(names, e.Name())
		}
	}
	return names, nil
}

// Open implements folder.
func (d directory) Open(name string) (file, error) {
	f, err := os.OpenFile(d.path(name), os.O_RDWR, 0)
	if errors.Is(err, fs.ErrPermission) || errors.Is(err, syscall.EROFS) { // it can still be read
		f, err = os.Open(d.path(name))
	}
	if err != nil {
		return nil, err
	}
	return systemFile{f}, nil
}

// Create implements folder.
func (d directory) Create(name string) (file, error) {
	f, err := os.OpenFile(d.path(name), os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return nil, err
	}
	return systemFile{f}, nil
}

// Rename implements folder.
func (d directory) Rename(from, to string) error { return os.Rename(d.path(from), d.path(to)) }

// Remove implements folder.
func (d directory) Remove(name string) error { return os.Remove(d.path(name)) }

// Sync implements folder.
func (d directory) Sync() error {
	f, err := os.Open(string(d))
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}

type systemFile struct{ *os.File }

// Size implements file.
func (f systemFile) Size() (int64, error) {
	info, err := f.Stat()
	if err != nil {
		return 0, err
	}
	return info.Size(), nil
}

// Sync implements file.
func (f systemFile) Sync() error { return syncData(f.File) }
