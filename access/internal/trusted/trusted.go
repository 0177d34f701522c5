// Package trusted reads files that decide who may do what. It takes a file only if nobody but root and the user of this process could
// have written it.
//
// A link is followed: what counts is who can change what is read. So that is asked of the file, of each link on the way to it, and of
// each folder that one of them is in. A folder in which everybody may write is taken if it is sticky, as /tmp is, because nobody can
// replace another one's file there.
package trusted

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
)

// Read reads a file of at most most bytes. It also takes what belongs to the users also. The error names the path and says what to do. It
// wraps fs.ErrNotExist if there is no such file, and fs.ErrPermission if the file may not be read, or others could have written it.
func Read(path string, most int64, also ...int) ([]byte, fs.FileInfo, error) {
	place, info, err := follow(path, also)
	if err != nil {
		return nil, nil, explain(path, err)
	}
	f, err := open(place)
	if err != nil {
		return nil, nil, explain(path, err)
	}
	defer func() { _ = f.Close() }() // nothing was written
	now, err := f.Stat()
	switch {
	case err != nil:
		return nil, nil, explain(path, err)
	case !os.SameFile(info, now):
		return nil, nil, fmt.Errorf("%s: the file was replaced while it was opened: try again", path)
	}
	if err := check(place, now, also); err != nil {
		return nil, nil, explain(path, err)
	}
	data, err := io.ReadAll(io.LimitReader(f, most+1))
	if err != nil {
		return nil, nil, explain(path, err)
	}
	if int64(len(data)) > most {
		return nil, nil, fmt.Errorf("%s: the file has more than %d bytes: check that this is the right one", path, most)
	}
	return data, now, nil
}

// A refusal says why a file is not trusted.
type refusal struct {
	text string
	kind error // nil: it is not a file of the kind that is wanted
}

func (r *refusal) Error() string { return r.text }
func (r *refusal) Unwrap() error { return r.kind }

func refuse(format string, args ...any) error { return &refusal{text: fmt.Sprintf(format, args...)} }

// untrusted is refuse for a file that may be right, and belongs to the wrong user, or may be written by others.
func untrusted(format string, args ...any) error {
	return &refusal{fmt.Sprintf(format, args...), fs.ErrPermission}
}

func explain(path string, err error) error {
	if r, ok := errors.AsType[*refusal](err); ok {
		return r
	}
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return fmt.Errorf("%s: no such file: make one, or check the path (%w)", path, fs.ErrNotExist)
	case errors.Is(err, fs.ErrPermission):
		return fmt.Errorf("%s: permission denied: make the file readable for this user (%w)", path, fs.ErrPermission)
	}
	return fmt.Errorf("%s cannot be read: %w", path, err)
}

// regular returns an error unless this is a regular file.
func regular(path string, mode fs.FileMode) error {
	what := "no regular file"
	switch {
	case mode.IsRegular():
		return nil
	case mode.IsDir():
		what = "a folder"
	case mode&fs.ModeNamedPipe != 0:
		what = "a pipe"
	case mode&fs.ModeDevice != 0:
		what = "a device"
	case mode&fs.ModeSocket != 0:
		what = "a socket"
	}
	return refuse("%s: this is %s: name a regular file", path, what)
}
