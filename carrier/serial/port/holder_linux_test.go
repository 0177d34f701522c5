package port

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// TestLockFiles: a lock file of a program that runs counts, whatever its form; others do not.
func TestLockFiles(t *testing.T) {
	folder, dev := t.TempDir(), t.TempDir()
	must(t, os.WriteFile(dev+"/ttyUSB0", nil, 0o600))
	must(t, os.Symlink("ttyUSB0", dev+"/by-id"))
	pid := os.Getpid()
	binary := string([]byte{byte(pid), byte(pid >> 8), byte(pid >> 16), byte(pid >> 24)})
	for text, want := range map[string]int{
		fmt.Sprintf("%10d\n", pid): pid, fmt.Sprint(pid): pid, binary: pid,
		"4194303\n": 0, "": 0, "x": 0, "-1\n": 0, "0": 0, strings.Repeat("1", 1000): 0,
	} {
		must(t, os.WriteFile(folder+"/LCK..ttyUSB0", []byte(text), 0o600))
		for _, path := range []string{dev + "/ttyUSB0", dev + "/by-id"} {
			if got := lockFileOwner(folder, path); got != want {
				t.Errorf("%q: %d, want %d", text, got, want)
			}
		}
	}
	if got := lockFileOwner(folder, dev+"/ttyUSB1"); got != 0 {
		t.Error(got)
	}
}

// FuzzLockFile: no lock file does any harm.
func FuzzLockFile(f *testing.F) {
	f.Add([]byte("       812\n"))
	f.Add([]byte{1, 2, 3, 4})
	folder := f.TempDir()
	f.Fuzz(func(t *testing.T, text []byte) {
		must(t, os.WriteFile(folder+"/LCK..ttyX", text, 0o600))
		if lockFileOwner(folder, "/nowhere/ttyX") < 0 {
			t.Error("a process with a negative number")
		}
	})
}

// TestFlockOwner: who has locked a file is known without opening it.
func TestFlockOwner(t *testing.T) {
	path := filepath.Join(t.TempDir(), "tty")
	f, err := os.Create(path)
	must(t, err)
	defer f.Close()
	if err := checkFree(path); err != nil {
		t.Error(err)
	}
	must(t, unix.Flock(int(f.Fd()), unix.LOCK_EX))
	err = checkFree(path)
	if !errors.Is(err, unix.EBUSY) || !strings.Contains(err.Error(), fmt.Sprintf("process %d, has it", os.Getpid())) {
		t.Error(err)
	}
	if got := flockOwner("/nowhere", path); got != 0 {
		t.Error(got)
	}
}
