package port

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

// lockFolder has the lock files of programs such as minicom, as the Filesystem Hierarchy Standard has it: LCK..ttyUSB0 holds the number
// of the process.
const lockFolder = "/run/lock"

// mostPID is the largest number that Linux gives a process.
const mostPID = 1 << 22

// checkFree returns an error if another program is known to have the port. It does not open the port: that alone would raise its modem
// lines, also those that the other program keeps down.
func checkFree(path string) error {
	pid := lockFileOwner(lockFolder, path)
	if pid == 0 {
		pid = flockOwner("/proc/locks", path)
	}
	if pid == 0 {
		return nil
	}
	return &os.PathError{Op: "open", Path: path, Err: held(pid)}
}

// held says which process has a port.
func held(pid int) error {
	name, err := os.ReadFile(fmt.Sprintf("/proc/%d/comm", pid))
	if err != nil {
		return fmt.Errorf("%w: process %d has it", syscall.EBUSY, pid)
	}
	return fmt.Errorf("%w: %q, process %d, has it", syscall.EBUSY, bytes.TrimSpace(name), pid)
}

// lockFileOwner returns the process that has locked the port at a path with a lock file; 0 if none has, or if it has ended.
func lockFileOwner(folder, path string) int {
	if bare, err := filepath.EvalSymlinks(path); err == nil {
		path = bare
	}
	text, err := os.ReadFile(filepath.Join(folder, "LCK.."+filepath.Base(path)))
	if err != nil {
		return 0
	}
	const longest = 64 // bytes
	pid, err := strconv.Atoi(strings.TrimSpace(string(text[:min(len(text), longest)])))
	if err != nil {
		if pid = 0; len(text) == 4 { // some write the number in binary
			pid = int(int32(text[0]) | int32(text[1])<<8 | int32(text[2])<<16 | int32(text[3])<<24)
		}
	}
	if pid <= 0 || pid > mostPID || errors.Is(unix.Kill(pid, 0), unix.ESRCH) {
		return 0
	}
	return pid
}

// flockOwner returns the process that has locked the port's file with flock; 0 if none has. Each line of the list is such as
// "3: FLOCK  ADVISORY  WRITE 812 00:06:412 0 EOF".
func flockOwner(list, path string) int {
	var st unix.Stat_t
	if unix.Stat(path, &st) != nil {
		return 0
	}
	dev := uint64(st.Dev) //nolint:unconvert // it is 32 bits on some machines
	want := fmt.Sprintf("%02x:%02x:%d", unix.Major(dev), unix.Minor(dev), st.Ino)
	f, err := os.Open(list)
	if err != nil {
		return 0
	}
	defer f.Close() //nolint:errcheck // it is only read
	for lines := bufio.NewScanner(f); lines.Scan(); {
		words := strings.Fields(lines.Text())
		if len(words) < 6 || words[1] != "FLOCK" || words[5] != want { // one that waits has an arrow there
			continue
		}
		if pid, err := strconv.Atoi(words[4]); err == nil && pid > 0 {
			return pid
		}
	}
	return 0
}
