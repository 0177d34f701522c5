//go:build linux

// Guest is the first program of the machine: it loads the modules for the disk, and becomes Debian's own init there.
package main

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"syscall"
	"time"

	"sighub/scripts/internal/module"
)

// patience is how long the disk may take to be there.
const patience = time.Minute

func main() {
	err := begin()
	fmt.Fprintf(os.Stderr, "guest: %v\n", err)
	_ = syscall.Reboot(syscall.LINUX_REBOOT_CMD_POWER_OFF)
}

// begin returns only if it fails.
func begin() error {
	for _, m := range []struct{ kind, on string }{{"devtmpfs", "/dev"}, {"proc", "/proc"}, {"sysfs", "/sys"}} {
		if err := syscall.Mount(m.kind, m.on, m.kind, 0, ""); err != nil && err != syscall.EBUSY { // some kernels mount devtmpfs themselves
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
	if err := os.Mkdir("/debian", 0o755); err != nil {
		return err
	}
	for begun := time.Now(); ; time.Sleep(10 * time.Millisecond) {
		if err = syscall.Mount("/dev/vda", "/debian", "ext4", 0, ""); err == nil {
			break
		}
		if time.Since(begun) > patience {
			return fmt.Errorf("mount the disk: %w", err)
		}
	}
	for _, dir := range []string{"/dev", "/proc", "/sys"} {
		if err := syscall.Mount(dir, "/debian"+dir, "", syscall.MS_MOVE, ""); err != nil {
			return fmt.Errorf("move %s: %w", dir, err)
		}
	}
	if err := os.Chdir("/debian"); err != nil {
		return err
	}
	if err := syscall.Mount(".", "/", "", syscall.MS_MOVE, ""); err != nil {
		return fmt.Errorf("move the disk: %w", err)
	}
	if err := syscall.Chroot("."); err != nil {
		return err
	}
	return syscall.Exec("/sbin/init", []string{"/sbin/init"}, []string{"TERM=dumb"})
}
