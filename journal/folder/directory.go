package folder

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
)

// ErrLocked is the error of a folder that another journal has.
var ErrLocked = errors.New("another journal has the folder")

// A Directory is a Folder of the system, by its path.
type Directory string

func (d Directory) path(name string) string { return filepath.Join(string(d), name) }

// Make makes the directory, if it is not there. Others can read nothing in it.
func (d Directory) Make() error {
	if err := os.MkdirAll(string(d), 0o700); err != nil {
		return fmt.Errorf("the folder cannot be made: %w", err)
	}
	return nil
}

// List implements Folder.
func (d Directory) List() ([]string, error) {
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

// Open implements Folder.
func (d Directory) Open(name string) (File, error) {
	f, err := os.OpenFile(d.path(name), os.O_RDWR, 0)
	if errors.Is(err, fs.ErrPermission) || errors.Is(err, syscall.EROFS) { // it can still be read
		f, err = os.Open(d.path(name))
	}
	if err != nil {
		return nil, err
	}
	return systemFile{f}, nil
}

// Create implements Folder.
func (d Directory) Create(name string) (File, error) {
	f, err := os.OpenFile(d.path(name), os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return nil, err
	}
	return systemFile{f}, nil
}

// Rename implements Folder.
func (d Directory) Rename(from, to string) error { return os.Rename(d.path(from), d.path(to)) }

// Remove implements Folder.
func (d Directory) Remove(name string) error { return os.Remove(d.path(name)) }

// Sync implements Folder.
func (d Directory) Sync() error {
	f, err := os.Open(string(d))
	if err != nil {
		return err
	}
	return errors.Join(syncFolder(f), f.Close())
}

type systemFile struct{ *os.File }

// Size implements File.
func (f systemFile) Size() (int64, error) {
	info, err := f.Stat()
	if err != nil {
		return 0, err
	}
	return info.Size(), nil
}

// Sync implements File.
func (f systemFile) Sync() error { return syncData(f.File) }
