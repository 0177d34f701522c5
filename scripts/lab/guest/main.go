//go:build linux && (amd64 || arm64)

// Guest is the first program inside the laboratory's machine, and the only one beside the hub: it mounts what a Linux
// system has, loads modules, and then does what the program outside asks for through a port of the machine, and tells
// what it sees: what the kernel says of devices, what the hub writes, what listeners hear. All times are those of the
// machine.
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
	// The first program must not end. Switching off is how the machine tells that it is of no more use.
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
	return io.EOF // nobody is there any more
}
