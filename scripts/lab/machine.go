package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"time"
)

// patience is how long the laboratory waits for anything. What the hub does is measured, with far narrower limits.
const patience = 60 * time.Second

// buses is the number of USB controllers of the machine, with four sockets each. The kernel handles one port of a controller at a
// time, but the controllers concurrently.
const buses = 4

// A machine is a computer in QEMU, with the agent running in it.
type machine struct {
	dir    string // of sockets and logs
	cmd    *exec.Cmd
	said   bytes.Buffer // the output of QEMU; read it when QEMU has ended
	exited chan struct{}
	qmp    *monitor
	serial string // the --serial of the hub
	cycles int    // of the scenario cycles
	*agent
}

// A system describes the machine to make.
type system struct {
	arch      string // amd64 or arm64
	kernel    string
	initramfs string
}

// arguments returns those of QEMU, for a machine whose sockets are in dir.
func (s system) arguments(dir string) (string, []string) {
	program, console := "qemu-system-x86_64", "ttyS0"
	board := []string{"-machine", "q35", "-accel", "tcg", "-cpu", "max"}
	if s.arch == "arm64" {
		program, console = "qemu-system-aarch64", "ttyAMA0"
		board = []string{"-machine", "virt", "-accel", "tcg", "-cpu", "cortex-a72"}
	}
	arguments := slices.Concat(board, []string{
		"-smp", "2", "-m", "512", "-nodefaults", "-display", "none", "-no-reboot",
		"-kernel", s.kernel, "-initrd", s.initramfs,
		"-append", "console=" + console + " loglevel=4 panic=-1 printk.devkmsg=on mitigations=off",
		"-serial", "file:" + filepath.Join(dir, "console"),
		"-chardev", "socket,id=monitor,path=" + filepath.Join(dir, "monitor"), "-mon", "chardev=monitor,mode=control",
		"-chardev", "socket,id=agent,path=" + filepath.Join(dir, "agent"),
		"-device", "virtio-serial-pci", "-device", "virtserialport,chardev=agent,name=agent"})
	for bus := range buses {
		arguments = append(arguments, "-device", fmt.Sprintf("qemu-xhci,id=bus%d", bus))
	}
	return program, arguments
}

// bootMachine returns a machine whose agent is ready.
func bootMachine(ctx context.Context, s system, dir string) (_ *machine, err error) {
	monitorAt, err := net.Listen("unix", filepath.Join(dir, "monitor"))
	if err != nil {
		return nil, err
	}
	defer func() { _ = monitorAt.Close() }()
	agentAt, err := net.Listen("unix", filepath.Join(dir, "agent"))
	if err != nil {
		return nil, err
	}
	defer func() { _ = agentAt.Close() }()

	program, arguments := s.arguments(dir)
	m := &machine{dir: dir, cmd: exec.CommandContext(ctx, program, arguments...), exited: make(chan struct{})}
	m.cmd.Stdout, m.cmd.Stderr = &m.said, &m.said
	if err := m.cmd.Start(); err != nil {
		return nil, err
	}
	go func() {
		_ = m.cmd.Wait() // its output says how it ended
		close(m.exited)
		// Nothing waits for a connection from QEMU after its end.
		_ = monitorAt.Close()
		_ = agentAt.Close()
	}()
	defer func() {
		if err != nil {
			m.end()
			err = fmt.Errorf("%w\n%s", errors.Join(err, context.Cause(ctx)), m.story())
		}
	}()
	conn, err := monitorAt.Accept()
	if err != nil {
		return nil, err
	}
	if m.qmp, err = newMonitor(ctx, conn); err != nil {
		return nil, err
	}
	if conn, err = agentAt.Accept(); err != nil {
		return nil, err
	}
	m.agent = newAgent(conn)
	_, err = m.await(ctx, 0, 2*patience, "the machine to boot", isReady)
	return m, err
}

// end switches the machine off.
func (m *machine) end() {
	_ = m.cmd.Process.Kill()
	<-m.exited
	if m.qmp != nil {
		_ = m.qmp.conn.Close()
		<-m.qmp.ended
	}
	if m.agent != nil {
		m.close()
	}
}

// story returns what QEMU and the console have printed, for a machine that has failed.
func (m *machine) story() string {
	console, _ := os.ReadFile(filepath.Join(m.dir, "console"))
	if len(console) > 8192 {
		console = console[len(console)-8192:]
	}
	return fmt.Sprintf("QEMU said: %s\nthe console: %s", m.said.String(), console)
}
