//go:build linux

package main

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"time"

	"sighub/scripts/powercut/disk"
)

// newFilesystem returns the content of a disk with an empty ext4 file system.
func newFilesystem(dir string, size int64) (*disk.Image, error) {
	name := filepath.Join(dir, "new")
	defer func() { _ = os.Remove(name) }()
	if err := os.WriteFile(name, nil, 0o600); err != nil {
		return nil, err
	}
	if err := os.Truncate(name, size); err != nil {
		return nil, err
	}
	out, err := exec.Command("mkfs.ext4", "-q", "-F", "-b", "4096", "-I", "256", "-J", "size=4", "-m", "0", "-N", "1024", "-E", "lazy_itable_init=0,lazy_journal_init=0", name).CombinedOutput()
	if err != nil {
		return nil, fmt.Errorf("mkfs.ext4: %w: %s", err, out)
	}
	return disk.ReadImage(name)
}

// A loopMount is a file system in a file, mounted.
type loopMount struct{ dir string }

// mountFile mounts the file system in a file at dir. The kernel does what it does after a loss of power.
func mountFile(file, dir string) (*loopMount, error) {
	loop, err := attach(file)
	if err != nil {
		return nil, err
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, errors.Join(err, detach(loop))
	}
	if err := syscall.Mount(loop, dir, "ext4", syscall.MS_NOATIME, ""); err != nil {
		return nil, errors.Join(fmt.Errorf("the file system cannot be mounted after a cut: %w", err), detach(loop))
	}
	// The loop device is in use, so it is detached when the file system is unmounted.
	m := &loopMount{dir: dir}
	if err := detach(loop); err != nil {
		return nil, errors.Join(err, m.unmount())
	}
	return m, nil
}

func (m *loopMount) unmount() error {
	err := syscall.Unmount(m.dir, 0)
	for end := time.Now().Add(20 * time.Second); errors.Is(err, syscall.EBUSY) && time.Now().Before(end); { // a process is just ending
		time.Sleep(5 * time.Millisecond)
		err = syscall.Unmount(m.dir, 0)
	}
	if err != nil {
		_ = syscall.Unmount(m.dir, syscall.MNT_DETACH) // so that it goes when its user does
		return fmt.Errorf("unmount %s: %w", m.dir, err)
	}
	return nil
}

// Of linux/loop.h.
const (
	loopSetFD   = 0x4c00
	loopClearFD = 0x4c01
	loopGetFree = 0x4c82
	loopMajor   = 7
)

// attach returns a loop device for a file.
func attach(file string) (string, error) {
	f, err := os.OpenFile(file, os.O_RDWR, 0)
	if err != nil {
		return "", err
	}
	defer func() { _ = f.Close() }()
	control, err := os.OpenFile("/dev/loop-control", os.O_RDWR, 0)
	if err != nil {
		return "", fmt.Errorf("loop devices are needed: %w", err)
	}
	defer func() { _ = control.Close() }()
	for {
		n, _, errno := syscall.Syscall(syscall.SYS_IOCTL, control.Fd(), loopGetFree, 0)
		if errno != 0 {
			return "", fmt.Errorf("there is no free loop device: %w", errno)
		}
		name := fmt.Sprintf("/dev/loop%d", n)
		if _, err := os.Stat(name); errors.Is(err, fs.ErrNotExist) {
			_ = syscall.Mknod(name, syscall.S_IFBLK|0o600, int(loopMajor<<8|n)) // else opening it tells
		}
		loop, err := os.OpenFile(name, os.O_RDWR, 0)
		if err != nil {
			return "", err
		}
		_, _, errno = syscall.Syscall(syscall.SYS_IOCTL, loop.Fd(), loopSetFD, f.Fd())
		_ = loop.Close()
		switch errno {
		case 0:
			return name, nil
		case syscall.EBUSY: // another took it first
		default:
			return "", fmt.Errorf("%s: %w", name, errno)
		}
	}
}

func detach(loop string) error {
	f, err := os.Open(loop)
	if err != nil {
		return err
	}
	defer func() { _ = f.Close() }()
	if _, _, errno := syscall.Syscall(syscall.SYS_IOCTL, f.Fd(), loopClearFD, 0); errno != 0 {
		return fmt.Errorf("detach %s: %w", loop, errno)
	}
	return nil
}

// A liveMount is a disk whose power can be cut, mounted on this machine: the kernel's ext4, a loop device, a file that QEMU's
// storage daemon makes of the disk, which it knows by the NBD protocol.
type liveMount struct {
	*loopMount
	disk   *disk.Disk
	file   string // that it is shown as
	listen net.Listener
	daemon *exec.Cmd
	said   bytes.Buffer
	ended  chan struct{}
}

func mountDisk(d *disk.Disk, dir, at string) (_ *liveMount, err error) {
	socket, file := filepath.Join(dir, "nbd"), filepath.Join(dir, "disk")
	m := &liveMount{disk: d, file: file, ended: make(chan struct{})}
	if m.listen, err = net.Listen("unix", socket); err != nil {
		return nil, err
	}
	go d.Serve(m.listen)
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		return nil, errors.Join(err, m.listen.Close())
	}
	m.daemon = exec.Command("qemu-storage-daemon",
		"--blockdev", "driver=nbd,node-name=d,server.type=unix,server.path="+socket,
		"--export", "type=fuse,id=e,node-name=d,mountpoint="+file+",writable=on")
	m.daemon.Stdout, m.daemon.Stderr = &m.said, &m.said
	m.daemon.SysProcAttr = alone()
	if err := m.daemon.Start(); err != nil {
		return nil, errors.Join(err, m.listen.Close())
	}
	go func() {
		_ = m.daemon.Wait() // its output says how it ended
		close(m.ended)
	}()
	defer func() {
		if err != nil {
			err = errors.Join(err, m.endDaemon())
		}
	}()
	for info, end := os.FileInfo(nil), time.Now().Add(20*time.Second); info == nil || info.Size() != d.Size(); {
		select {
		case <-m.ended:
			return nil, fmt.Errorf("qemu-storage-daemon has ended: %s", m.said.String())
		case <-time.After(2 * time.Millisecond):
		}
		if info, err = os.Stat(file); err != nil {
			return nil, err
		}
		if time.Now().After(end) {
			return nil, errors.New("qemu-storage-daemon shows no disk")
		}
	}
	m.loopMount, err = mountFile(file, at)
	return m, err
}

// remove cuts the power, if it is not cut yet, and takes the disk out. Whatever used it must have ended.
func (m *liveMount) remove() error {
	m.disk.Freeze()
	m.disk.Release()
	return errors.Join(m.unmount(), m.endDaemon())
}

// alone has a program not get the signals of a terminal, so that it can be ended in the right order.
func alone() *syscall.SysProcAttr { return &syscall.SysProcAttr{Setpgid: true} }

func (m *liveMount) endDaemon() error {
	_ = m.daemon.Process.Signal(syscall.SIGTERM)
	select {
	case <-m.ended:
	case <-time.After(20 * time.Second):
		_ = m.daemon.Process.Kill()
		<-m.ended
		_ = syscall.Unmount(m.file, syscall.MNT_DETACH) // which it has not done then
	}
	return m.listen.Close()
}
