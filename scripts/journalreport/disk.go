//go:build linux

package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// File systems that forget when the power goes: see statfs(2).
const (
	tmpfs = 0x01021994
	ramfs = 0x858458f6
)

// checkDisk returns an error if a folder is not on a disk.
func checkDisk(folder string) error {
	var fs syscall.Statfs_t
	if err := syscall.Statfs(folder, &fs); err != nil {
		return os.NewSyscallError("statfs "+folder, err)
	}
	if kind := uint32(fs.Type); kind == tmpfs || kind == ramfs {
		return fmt.Errorf("%s is in memory: choose a folder on a disk with --folder", folder)
	}
	return nil
}

// A disk is a block device with an ext4 file system of its own: a loop device on a file. Its counters count what is written to it by
// whatever is kept there, and by the file system itself.
type disk struct {
	dir    string // where it is mounted
	device string
	image  string
	before int64 // what its counter showed at first: it counts on when a loop device is used again
}

// diskSize is that of a disk of which a journal of 1 GiB is less than a tenth. The file has holes.
const diskSize = 12 << 30

// newDisk makes a disk and mounts it as it is usual: with what the system's mount does by default.
func newDisk(ctx context.Context, folder string) (*disk, error) {
	d := &disk{dir: filepath.Join(folder, "mnt"), image: filepath.Join(folder, "image")}
	if err := os.Mkdir(d.dir, 0o755); err != nil {
		return nil, err
	}
	f, err := os.Create(d.image)
	if err == nil {
		err = errors.Join(f.Truncate(diskSize), f.Close())
	}
	if err != nil {
		return nil, err
	}
	// What mkfs leaves to the kernel to do later would be counted. Few inodes are needed.
	if _, err := tool(ctx, "mkfs.ext4", "-q", "-F", "-T", "largefile", "-E", "lazy_itable_init=0,lazy_journal_init=0", d.image); err != nil {
		return nil, err
	}
	out, err := tool(ctx, "losetup", "--find", "--show", d.image)
	if err != nil {
		return nil, fmt.Errorf("a disk of its own cannot be made; run this as root on a machine that has loop devices: %w", err)
	}
	d.device = strings.TrimSpace(out)
	if _, err := tool(ctx, "mount", "-t", "ext4", d.device, d.dir); err != nil {
		_, detach := tool(ctx, "losetup", "--detach", d.device)
		return nil, errors.Join(fmt.Errorf("the disk cannot be mounted; run this as root: %w", err), detach)
	}
	if d.before, err = d.written(ctx); err != nil {
		return nil, errors.Join(err, d.close())
	}
	return d, nil
}

// close unmounts the disk and removes its file.
func (d *disk) close() error {
	ctx := context.Background()
	_, err := tool(ctx, "umount", d.dir)
	_, detach := tool(ctx, "losetup", "--detach", d.device)
	return errors.Join(err, detach, os.Remove(d.image))
}

// written returns how many bytes were written to the device since it was mounted, after what the file system still holds back.
func (d *disk) written(ctx context.Context) (int64, error) {
	if _, err := tool(ctx, "sync", "-f", d.dir); err != nil {
		return 0, err
	}
	b, err := os.ReadFile("/sys/block/" + filepath.Base(d.device) + "/stat")
	if err != nil {
		return 0, err
	}
	fields := strings.Fields(string(b)) // Documentation/block/stat.rst: the seventh are sectors of 512 bytes that were written
	if len(fields) < 7 {
		return 0, fmt.Errorf("the counters of %s are not understood: %q", d.device, b)
	}
	sectors, err := strconv.ParseInt(fields[6], 10, 64)
	return sectors*512 - d.before, err
}

// tool runs a program of the system and returns what it prints.
func tool(ctx context.Context, name string, args ...string) (string, error) {
	out, err := exec.CommandContext(ctx, name, args...).CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("%s: %w: %s", name, err, strings.TrimSpace(string(out)))
	}
	return string(out), nil
}

// A syncer measures how long the disk takes to sync one page of a file that has its size already.
type syncer struct {
	f    *os.File
	next int64
}

const (
	page        = 4096
	syncerPages = 1024
)

func newSyncer(folder string) (*syncer, error) {
	f, err := os.CreateTemp(folder, "sync")
	if err != nil {
		return nil, err
	}
	if _, err = f.Write(make([]byte, syncerPages*page)); err == nil {
		err = f.Sync()
	}
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return &syncer{f: f}, nil
}

// sync writes and syncs a page.
func (s *syncer) sync() (time.Duration, error) {
	content := make([]byte, page)
	content[0] = byte(s.next)
	start := time.Now()
	if _, err := s.f.WriteAt(content, s.next%syncerPages*page); err != nil {
		return 0, err
	}
	err := syscall.Fdatasync(int(s.f.Fd()))
	s.next++
	return time.Since(start), os.NewSyscallError("fdatasync", err)
}

func (s *syncer) close() error { return errors.Join(s.f.Close(), os.Remove(s.f.Name())) }
