package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// File systems that forget when the power goes: see statfs(2).
const (
	tmpfs = 0x01021994
	ramfs = 0x858458f6
)

// checkDisk makes the folder in which peers keep what they must not forget, and returns an error if it is not on a disk.
func checkDisk(folder string) error {
	if err := os.MkdirAll(folder, 0o755); err != nil {
		return err
	}
	var fs syscall.Statfs_t
	if err := syscall.Statfs(folder, &fs); err != nil {
		return os.NewSyscallError("statfs "+folder, err)
	}
	if kind := uint32(fs.Type); kind == tmpfs || kind == ramfs {
		return fmt.Errorf("%s is in memory: choose a folder on a disk with --disk", folder)
	}
	return nil
}

// describeDisk says where a folder is, and how long the disk takes to sync a page.
func describeDisk(folder string) (string, error) {
	s, err := newSyncer(folder)
	if err != nil {
		return "", err
	}
	defer s.close()
	var took []time.Duration
	for range 200 {
		d, err := s.sync()
		if err != nil {
			return "", err
		}
		took = append(took, d)
	}
	return fmt.Sprintf("%s, a page synced in %s (median), %s (p99)",
		mounted(folder), percentile(took, 0.5).Round(time.Microsecond), percentile(took, 0.99).Round(time.Microsecond)), nil
}

// mounted returns the device and the kind of the file system of a folder, as the kernel calls them.
func mounted(folder string) string {
	found, length := "an unknown disk", -1
	path, err := filepath.Abs(folder)
	if err == nil {
		path, err = filepath.EvalSymlinks(path)
	}
	list, err2 := os.ReadFile("/proc/self/mounts")
	if err != nil || err2 != nil {
		return found
	}
	for line := range strings.Lines(string(list)) {
		f := strings.Fields(line)
		if len(f) < 3 || len(f[1]) < length {
			continue
		}
		if rest, ok := strings.CutPrefix(path, strings.TrimSuffix(f[1], "/")); ok && (rest == "" || rest[0] == '/') {
			found, length = f[2]+" on "+f[0], len(f[1])
		}
	}
	return found
}

const pageSize = 4096

// A syncer measures how long a disk takes to sync one page of a file that has its size already: the least that an acknowledgement
// after a sync can take.
type syncer struct {
	f    *os.File
	page []byte
	next int64
}

// syncerPages is the number of pages of its file, which it writes in turn.
const syncerPages = 2048

func newSyncer(folder string) (*syncer, error) {
	f, err := os.CreateTemp(folder, "sync")
	if err != nil {
		return nil, err
	}
	s := &syncer{f: f, page: make([]byte, pageSize)}
	if _, err = f.Write(make([]byte, syncerPages*pageSize)); err == nil {
		err = f.Sync()
	}
	if err != nil {
		s.close()
		return nil, err
	}
	return s, nil
}

// sync writes and syncs a page.
func (s *syncer) sync() (time.Duration, error) {
	s.page[0]++
	start := time.Now()
	if _, err := s.f.WriteAt(s.page, s.next%syncerPages*pageSize); err != nil {
		return 0, err
	}
	err := syscall.Fdatasync(int(s.f.Fd()))
	s.next++
	return time.Since(start), os.NewSyscallError("fdatasync", err)
}

func (s *syncer) close() {
	_ = s.f.Close()
	_ = os.Remove(s.f.Name())
}
