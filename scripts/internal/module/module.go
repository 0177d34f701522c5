//go:build linux

// Package module loads modules of the kernel, for the first programs of the machines in the laboratories.
package module

import (
	"errors"
	"os"

	"golang.org/x/sys/unix"
)

// Load loads the module in a file, unless the kernel has it already. What it needs must have been loaded before.
func Load(path string) error {
	image, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	if err := unix.InitModule(image, ""); err != nil && !errors.Is(err, unix.EEXIST) {
		return os.NewSyscallError("init_module", err)
	}
	return nil
}
