package journal

import (
	"errors"
	"fmt"
	"io/fs"
	"slices"

	"sighub/journal/folder"
)

// spareName is the name of a file of zeros that becomes the next segment.
const spareName = "spare"

// claim returns a file for a segment, under its name: one to which nothing could be committed, that of the oldest segment if there
// are as many as there may be or no room for another one, else the spare file.
func (l *log) claim(name string) (folder.File, error) {
	if f, err := l.sized(name); f != nil || err != nil { // from an attempt that failed later
		return f, err
	}
	if l.failed != "" {
		err := l.dir.Rename(l.failed, name)
		if err == nil {
			return l.dir.Open(name)
		}
		if !errors.Is(err, fs.ErrNotExist) {
			return nil, err
		}
		l.failed = ""
	}
	for len(l.kept)+len(l.unread) > l.most { // there may have been more
		if err := l.drop(); err != nil {
			return nil, err
		}
	}
	if len(l.kept)+len(l.unread) == l.most {
		if f, err := l.reuse(name); f != nil || err != nil {
			return f, err
		}
	}
	l.spare.Lock()
	defer l.spare.Unlock()
	err := l.dir.Rename(spareName, name)
	if errors.Is(err, fs.ErrNotExist) {
		if err = l.prepare(); err == nil {
			err = l.dir.Rename(spareName, name)
		} else if len(l.kept) > 1 {
			if f, again := l.reuse(name); f != nil && again == nil {
				return f, nil
			}
		}
	}
	if err != nil {
		return nil, err
	}
	return l.dir.Open(name)
}

// sized opens a file that has the size of a segment. One of another size is removed; then, and if there is none, it returns nil.
func (l *log) sized(name string) (folder.File, error) {
	f, err := l.dir.Open(name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	size, err := f.Size()
	if err == nil && size == l.size {
		return f, nil
	}
	if err = errors.Join(err, f.Close()); err == nil {
		err = l.dir.Remove(name)
	}
	return nil, err
}

// oldest returns the name of the file that is needed least, and how to forget it.
func (l *log) oldest() (name string, forget func()) {
	if len(l.unread) > 0 {
		return l.unread[0], func() { l.unread = l.unread[1:] }
	}
	return segmentName(l.kept[0].number), func() { l.kept = slices.Clone(l.kept[1:]) }
}

// reuse gives the oldest file another name. It returns nil if that file cannot be used.
func (l *log) reuse(name string) (folder.File, error) {
	from, forget := l.oldest()
	switch err := l.dir.Rename(from, name); {
	case errors.Is(err, fs.ErrNotExist):
		forget()
		return nil, nil
	case err != nil:
		return nil, err
	}
	forget()
	return l.sized(name)
}

// drop removes the oldest file.
func (l *log) drop() error {
	name, forget := l.oldest()
	if err := l.dir.Remove(name); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	forget()
	return nil
}

// spareStep is how much of a spare file is written at a time: a commit on a slow card that comes meanwhile does not wait for more.
const spareStep = 512 << 10

// prepareNext makes the spare file, if it is not there. It may be called by another goroutine.
func (l *log) prepareNext() error {
	l.spare.Lock()
	defer l.spare.Unlock()
	f, err := l.dir.Open(spareName)
	if errors.Is(err, fs.ErrNotExist) {
		return l.prepare()
	}
	if err != nil {
		return err
	}
	return f.Close()
}

// prepare makes the spare file, which must not be there: zeros on disk, so that a commit needs no room and changes nothing of the
// file but its content. A disk that is full is told then, and not in the middle of a commit.
func (l *log) prepare() (err error) {
	const unfinished = spareName + ".new"
	if err := l.dir.Remove(unfinished); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if _, free, err := l.dir.Space(); err == nil && free > 0 && free < 2*l.size {
		return fmt.Errorf("journal: a segment of %d bytes leaves others no room: %d are free", l.size, free)
	}
	f, err := l.dir.Create(unfinished)
	if err != nil {
		return err
	}
	zeros := make([]byte, min(l.size, spareStep))
	for at := int64(0); at < l.size && err == nil; at += int64(len(zeros)) {
		if _, err = f.WriteAt(zeros[:min(int64(len(zeros)), l.size-at)], at); err == nil {
			err = f.Sync()
		}
	}
	if err = errors.Join(err, f.Close()); err == nil {
		err = l.dir.Rename(unfinished, spareName)
	}
	if err != nil {
		return errors.Join(err, l.dir.Remove(unfinished)) // so that it takes no room of others
	}
	return nil
}
