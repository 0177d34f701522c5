//go:build linux && (amd64 || arm64)

package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"syscall"
	"time"
	"unsafe"

	"sighub/scripts/internal/module"
)

// boot sets up a Linux system on the bare kernel.
func boot() error {
	for _, m := range []struct{ kind, on string }{{"devtmpfs", "/dev"}, {"proc", "/proc"}, {"sysfs", "/sys"}, {"tmpfs", "/tmp"}} {
		if err := os.MkdirAll(m.on, 0o755); err != nil {
			return err
		}
		// Some kernels mount devtmpfs themselves.
		if err := syscall.Mount(m.kind, m.on, m.kind, 0, ""); err != nil && !errors.Is(err, syscall.EBUSY) {
			return fmt.Errorf("mount %s: %w", m.on, err)
		}
	}
	if err := os.Chmod("/tmp", 0o777|os.ModeSticky); err != nil {
		return err
	}
	modules, err := filepath.Glob("/modules/*.ko") // their names begin with numbers, in the order to load them
	if err != nil {
		return err
	}
	slices.Sort(modules)
	for _, path := range modules {
		if err := module.Load(path); err != nil {
			return fmt.Errorf("load %s: %w", path, err)
		}
	}
	return loopbackUp()
}

// loopbackUp switches the loopback interface on.
func loopbackUp() error {
	fd, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_DGRAM|syscall.SOCK_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer func() { _ = syscall.Close(fd) }()
	// struct ifreq: the interface's name, then its flags.
	var request struct {
		name  [16]byte
		flags uint16
		_     [22]byte
	}
	copy(request.name[:], "lo")
	request.flags = syscall.IFF_UP | syscall.IFF_RUNNING
	if err := ioctl(fd, syscall.SIOCSIFFLAGS, unsafe.Pointer(&request)); err != nil {
		return fmt.Errorf("the loopback interface: %w", err)
	}
	return nil
}

func ioctl(fd int, request uint, argument unsafe.Pointer) error {
	if _, _, errno := syscall.Syscall(syscall.SYS_IOCTL, uintptr(fd), uintptr(request), uintptr(argument)); errno != 0 {
		return errno
	}
	return nil
}

// openPort opens the port to the program outside. Its driver makes the port a moment after it is loaded.
func openPort() (*os.File, error) {
	for deadline := time.Now().Add(30 * time.Second); ; time.Sleep(10 * time.Millisecond) {
		ports, _ := filepath.Glob("/dev/vport*p*")
		if len(ports) > 0 {
			return os.OpenFile(ports[0], os.O_RDWR, 0)
		}
		if time.Now().After(deadline) {
			return nil, fmt.Errorf("there is no port to the outside, /dev/vport0p1: %w", fs.ErrNotExist)
		}
	}
}

// monotonic returns CLOCK_MONOTONIC, which the time package does not export.
func monotonic() int64 {
	const clockMonotonic = 1
	var t syscall.Timespec
	// It cannot fail: the clock exists, and the address is good.
	_, _, _ = syscall.Syscall(syscall.SYS_CLOCK_GETTIME, clockMonotonic, uintptr(unsafe.Pointer(&t)), 0)
	return t.Nano()
}
