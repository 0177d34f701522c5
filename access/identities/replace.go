package identities

import (
	"errors"
	"os"
	"path/filepath"
)

// replace writes a file so that whoever reads it finds all of it or the one before it, also after a loss of power.
func replace(file string, data []byte) (err error) {
	dir := filepath.Dir(file)
	next := file + ".new" // one writer, so one name: what a crash left behind is used up by the next change
	if err := os.Remove(next); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	f, err := os.OpenFile(next, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(data)
	if err = errors.Join(err, give(f, dir), f.Sync(), f.Close()); err == nil {
		err = os.Rename(next, file)
	}
	if err != nil {
		return errors.Join(err, os.Remove(next))
	}
	return syncFolder(dir)
}
