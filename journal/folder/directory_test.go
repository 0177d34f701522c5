package folder

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"testing"
)

// TestDirectory: a directory of the system does what a Folder promises, as far as that shows without a loss of power.
func TestDirectory(t *testing.T) {
	d := Directory(filepath.Join(t.TempDir(), "a", "journal"))
	if err := errors.Join(d.Make(), d.Make()); err != nil {
		t.Fatal(err)
	}
	f, err := d.Create("one")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := d.Create("one"); !errors.Is(err, fs.ErrExist) {
		t.Errorf("a file that is there is made: %v", err)
	}
	_, err = f.WriteAt([]byte("text"), 4096)
	if size, err2 := f.Size(); err != nil || err2 != nil || size != 4100 {
		t.Errorf("%d bytes, %v, %v", size, err, err2)
	}
	if err := errors.Join(f.Sync(), f.Close(), d.Rename("one", "two"), d.Sync()); err != nil {
		t.Error(err)
	}
	if _, err := d.Open("one"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a file that is not there is opened: %v", err)
	}
	if err := os.Mkdir(d.path("folder"), 0o700); err != nil {
		t.Fatal(err)
	}
	if names, err := d.List(); err != nil || !slices.Equal(names, []string{"two"}) {
		t.Errorf("%v, %v", names, err)
	}
	if err := d.Remove("two"); err != nil {
		t.Error(err)
	}
	if err := d.Remove("two"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a file that is not there is removed: %v", err)
	}
	if total, free, err := d.Space(); err != nil || free > total || runtime.GOOS == "linux" && total == 0 {
		t.Errorf("%d of %d bytes are free, %v", free, total, err)
	}
	if err := Directory(filepath.Join(t.TempDir(), "file")).Make(); err != nil {
		t.Error(err)
	}
}

// TestLock: a directory has one owner at a time, and its lock leaves nothing behind.
func TestLock(t *testing.T) {
	if runtime.GOOS == "windows" {
		return // there is no lock
	}
	d := Directory(t.TempDir())
	lock, err := d.Lock()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := d.Lock(); !errors.Is(err, ErrLocked) {
		t.Errorf("the second owner: %v", err)
	}
	if err := lock.Close(); err != nil {
		t.Error(err)
	}
	again, err := d.Lock()
	if err != nil {
		t.Fatal(err)
	}
	_ = again.Close()
	if names, _ := d.List(); len(names) > 0 {
		t.Errorf("files are left: %v", names)
	}
}
