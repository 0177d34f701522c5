//go:build linux && (amd64 || arm64)

// Guest is the first program in the laboratory's machine, and the only one beside the hub. It mounts file systems and loads
// modules. Then it carries out calls of the program outside, which arrive through a port of the machine, and reports what it sees:
// the kernel's messages about devices, the output of the hub, and what listeners hear. All times are those of the machine.
package main

import (
	"fmt"
	"io"
	"os"
	"syscall"
)

func main() {
	err := run()
	fmt.Fprintf(os.Stderr, "guest: %v\n", err)
	// The first program must not end. Switching off says that the machine is no longer usable.
	syscall.Sync()
	_ = syscall.Reboot(syscall.LINUX_REBOOT_CMD_POWER_OFF)
	os.Exit(1)
}

func run() error {
	if err := boot(); err != nil {
		return fmt.Errorf("boot: %w", err)
	}
	port, err := openPort()
	if err != nil {
		return err
	}
	a := newAgent(port)
	if err := a.watchKernel(); err != nil {
		return fmt.Errorf("watch the kernel: %w", err)
	}
	if err := a.watchDevices(); err != nil {
		return fmt.Errorf("watch /dev: %w", err)
	}
	a.ready()
	if err := a.serve(port); err != nil {
		return err
	}
	return io.EOF // the program outside has ended
}
