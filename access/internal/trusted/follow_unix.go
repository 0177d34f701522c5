//go:build unix

package trusted

import (
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
)

// maxLinks is how many links there may be on the way to a file; Linux has the same bound.
const maxLinks = 40

// follow walks to a file, one name after the other, and returns where it is. It returns an error if somebody else could lead the way
// elsewhere, or write to the file.
func follow(path string, also []int) (place string, info fs.FileInfo, err error) {
	whole, err := filepath.Abs(path)
	if err != nil {
		return "", nil, err
	}
	at, rest, links := "/", whole, 0
	if info, err = os.Lstat(at); err == nil {
		err = check(at, info, also)
	}
	if err != nil {
		return "", nil, err
	}
	for rest != "" {
		var name string
		name, rest, _ = strings.Cut(rest, "/")
		switch name {
		case "", ".":
			continue
		case "..":
			at = filepath.Dir(at)
		default:
			at = filepath.Join(at, name)
		}
		if info, err = os.Lstat(at); err != nil {
			return "", nil, err
		}
		isLink := info.Mode()&fs.ModeSymlink != 0
		if !isLink && !info.IsDir() {
			if strings.Trim(rest, "/") != "" {
				return "", nil, &fs.PathError{Op: "open", Path: at, Err: syscall.ENOTDIR}
			}
			break
		}
		if err := check(at, info, also); err != nil {
			return "", nil, err
		}
		if isLink {
			if links++; links > maxLinks {
				return "", nil, refuse("%s: there are more than %d links on the way: remove the one that leads back", path, maxLinks)
			}
			target, err := os.Readlink(at)
			if err != nil {
				return "", nil, err
			}
			if at, rest = filepath.Dir(at), target+"/"+rest; filepath.IsAbs(target) {
				at = "/"
			}
		}
	}
	return at, info, regular(path, info.Mode()) // whoever opens it checks it
}

// check returns an error if somebody else could have written a file, made a link, or put something into a folder.
func check(path string, info fs.FileInfo, also []int) error {
	owner := info.Sys().(*syscall.Stat_t).Uid
	what := "the file"
	switch {
	case info.IsDir():
		what = "the folder"
	case info.Mode()&fs.ModeSymlink != 0:
		what = "the link"
	}
	if self := uint32(os.Geteuid()); owner != 0 && owner != self && !slices.Contains(also, int(owner)) {
		return untrusted("%s: %s belongs to uid %d, who could change who may do what: chown it to root, or to the user of the hub (uid %d)", path, what, owner, self)
	}
	if info.Mode()&fs.ModeSymlink != 0 {
		return nil // its mode has no meaning
	}
	if info.Mode().Perm()&0o022 != 0 && (!info.IsDir() || info.Mode()&fs.ModeSticky == 0) {
		return untrusted("%s: others may write to %s (mode %04o), and so change who may do what: chmod go-w it", path, what, info.Mode().Perm())
	}
	return nil
}

// open opens a file that may have become something else meanwhile: it neither follows a link nor waits for a pipe.
func open(path string) (*os.File, error) {
	return os.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK|syscall.O_NOFOLLOW, 0)
}
