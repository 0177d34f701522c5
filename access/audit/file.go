package audit

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
)

// The defaults of a file, and what it may be.
const (
	defaultSize  = 10 << 20
	defaultFiles = 5
	leastSize    = 4 << 10
	mostFiles    = 100
)

// mode lets the hub's user write and its group read.
const mode fs.FileMode = 0o640

// A file is one that is replaced when it is large: name is the newest, name.1 the one before it, and so on.
type file struct {
	name  string
	most  int64
	files int

	f    *os.File // nil: it could not be opened; the next line tries again
	size int64
}

func openFile(name string, size int64, files int) (*file, error) {
	if size == 0 {
		size = defaultSize
	}
	if files == 0 {
		files = defaultFiles
	}
	if size < leastSize || files < 1 || files > mostFiles {
		return nil, fmt.Errorf("the audit would have %d files of %d bytes: write 1 to %d files of %d bytes or more", files, size, mostFiles, leastSize)
	}
	o := &file{name: name, most: size, files: files}
	return o, o.open()
}

// open opens the file to append to it. What a crash has left of a line gets an end.
func (o *file) open() error {
	if info, err := os.Lstat(o.name); err == nil && !info.Mode().IsRegular() {
		return fmt.Errorf("%s: the audit writes to regular files only: name another one, or remove what is there", o.name)
	}
	f, err := os.OpenFile(o.name, os.O_RDWR|os.O_APPEND|os.O_CREATE, mode)
	if err != nil {
		return fmt.Errorf("the audit: %w", err)
	}
	info, err := f.Stat()
	if err != nil {
		return errors.Join(err, f.Close())
	}
	o.f, o.size = f, info.Size()
	last := []byte{'\n'}
	if o.size > 0 {
		if _, err := f.ReadAt(last, o.size-1); err != nil {
			return errors.Join(err, o.Close())
		}
	}
	if last[0] != '\n' {
		n, err := f.Write([]byte{'\n'})
		if o.size += int64(n); err != nil { // else the next line would be behind what is left of this one
			return errors.Join(err, o.Close())
		}
	}
	return nil
}

// Write implements sink.
func (o *file) Write(line []byte) (int, error) {
	if o.f == nil {
		if err := o.open(); err != nil {
			return 0, err
		}
	}
	if o.size > 0 && o.size+int64(len(line)) > o.most {
		if err := o.turn(); err != nil {
			return 0, err
		}
		if err := o.open(); err != nil {
			return 0, err
		}
	}
	n, err := o.f.Write(line)
	o.size += int64(n)
	if err != nil {
		err = errors.Join(err, o.Close()) // it is opened again, which mends a line that was written in part
	}
	return n, err
}

// turn gives each file the next number, and removes the oldest. If one cannot be renamed, the newer ones stay where they are: else
// the one before it would be lost.
func (o *file) turn() error {
	err := errors.Join(o.f.Sync(), o.Close())
	for i := o.files - 1; i >= 1; i-- {
		from := o.name
		if i > 1 {
			from = fmt.Sprintf("%s.%d", o.name, i-1)
		}
		if renamed := os.Rename(from, fmt.Sprintf("%s.%d", o.name, i)); renamed != nil && !errors.Is(renamed, fs.ErrNotExist) {
			return errors.Join(err, renamed)
		}
	}
	if o.files == 1 {
		err = errors.Join(err, os.Remove(o.name))
	}
	return err
}

// Close implements sink.
func (o *file) Close() error {
	if o.f == nil {
		return nil
	}
	err := o.f.Close()
	o.f = nil
	return err
}
