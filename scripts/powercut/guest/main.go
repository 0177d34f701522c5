//go:build linux && (amd64 || arm64)

// Guest is the first program of the machine whose power is cut. It mounts the disk, starts the network, and becomes the program
// that its arguments name.
package main

import (
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"slices"
	"syscall"
	"time"
	"unsafe"

	"sighub/scripts/internal/module"
)

// The machine's addresses, as QEMU's network has them.
const (
	address = "10.0.2.15"
	mask    = "255.255.255.0"
)

const diskAt = "/data"

func main() {
	err := run()
	fmt.Fprintf(os.Stderr, "guest: %v\n", err)
	_ = syscall.Reboot(syscall.LINUX_REBOOT_CMD_POWER_OFF)
	os.Exit(1)
}

func run() error {
	for _, m := range []struct{ kind, on string }{{"devtmpfs", "/dev"}, {"proc", "/proc"}, {"sysfs", "/sys"}, {"tmpfs", "/tmp"}} {
		if err := syscall.Mount(m.kind, m.on, m.kind, 0, ""); err != nil && !errors.Is(err, syscall.EBUSY) {
			return fmt.Errorf("mount %s: %w", m.on, err)
		}
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
	if err := mountDisk(); err != nil {
		return err
	}
	for _, name := range []string{"lo", "eth0"} {
		if err := up(name); err != nil {
			return fmt.Errorf("the interface %s: %w", name, err)
		}
	}
	fmt.Fprintln(os.Stderr, "guest: becomes", os.Args[1:])
	return syscall.Exec("/bin/sighub", append([]string{"sighub"}, os.Args[1:]...), []string{"HOME=/tmp", "PATH=/bin"})
}

// mountDisk mounts the disk, which its driver finds a moment after it is loaded.
func mountDisk() error {
	if err := os.MkdirAll(diskAt, 0o755); err != nil {
		return err
	}
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(5 * time.Millisecond) {
		err := syscall.Mount("/dev/vda", diskAt, "ext4", syscall.MS_NOATIME, "")
		if !errors.Is(err, fs.ErrNotExist) || time.Now().After(deadline) {
			if err != nil {
				err = fmt.Errorf("the file system cannot be mounted after a cut: %w", err)
			}
			return err
		}
	}
}

// up switches an interface on.
func up(name string) error {
	fd, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_DGRAM|syscall.SOCK_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer func() { _ = syscall.Close(fd) }()
	// struct ifreq: the interface's name, then a struct sockaddr_in or the interface's flags.
	type request struct {
		name   [16]byte
		family uint16 // or flags
		port   uint16
		ip     [4]byte
		_      [16]byte
	}
	do := func(what uintptr, r request) error {
		copy(r.name[:], name)
		for deadline := time.Now().Add(10 * time.Second); ; time.Sleep(5 * time.Millisecond) {
			_, _, errno := syscall.Syscall(syscall.SYS_IOCTL, uintptr(fd), what, uintptr(unsafe.Pointer(&r)))
			switch {
			case errno == 0:
				return nil
			case errno != syscall.ENODEV || time.Now().After(deadline): // its driver may need a moment
				return errno
			}
		}
	}
	if name != "lo" {
		for _, a := range []struct {
			what uintptr
			text string
		}{{syscall.SIOCSIFADDR, address}, {syscall.SIOCSIFNETMASK, mask}} {
			if err := do(a.what, request{family: syscall.AF_INET, ip: [4]byte(net.ParseIP(a.text).To4())}); err != nil {
				return err
			}
		}
	}
	return do(syscall.SIOCSIFFLAGS, request{family: syscall.IFF_UP | syscall.IFF_RUNNING})
}
