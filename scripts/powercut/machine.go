//go:build linux

package main

import (
	"bytes"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"sighub/scripts/lab/initramfs"
	"sighub/scripts/powercut/disk"
)

// A system is what virtual machines are made of.
type system struct {
	kernel  string
	modules string // the folder of the kernel's modules
	guest   string // the program of ./guest
	hub     string

	initramfs string
}

// prepare writes the first file system of the machines.
func (s *system) prepare(dir string) error {
	modules, err := initramfs.FindModules(s.modules, []string{"virtio_pci", "virtio_blk", "virtio_net", "crc32c_generic", "ext4"}, "ext4")
	if err != nil {
		return err
	}
	s.initramfs = filepath.Join(dir, "initramfs")
	return initramfs.Write(s.initramfs, modules, initramfs.Program{Name: "init", From: s.guest}, initramfs.Program{Name: "bin/sighub", From: s.hub})
}

// A machine is a computer in QEMU, in which a hub starts.
type machine struct {
	dir    string
	disk   *disk.Disk
	listen net.Listener
	cmd    *exec.Cmd
	said   bytes.Buffer // the output of QEMU; read it when QEMU has ended
	exited chan struct{}
}

// The ports of a hub in a machine.
const guestPort = 3000

// boot switches a machine on. Its hub has these arguments, port is that of this machine where it is reached, line a socket where
// what writes to the hub's serial port is waiting.
func (s *system) boot(d *disk.Disk, dir string, port int, line string, arguments ...string) (*machine, error) {
	socket := filepath.Join(dir, "nbd")
	listen, err := net.Listen("unix", socket)
	if err != nil {
		return nil, err
	}
	go d.Serve(listen)
	m := &machine{dir: dir, disk: d, listen: listen, exited: make(chan struct{})}
	options := []string{
		"-machine", "q35", "-accel", "tcg", "-cpu", "max", "-m", "256", "-nodefaults", "-display", "none", "-no-reboot",
		"-kernel", s.kernel, "-initrd", s.initramfs,
		"-append", "console=ttyS0 quiet loglevel=3 panic=-1 mitigations=off tsc=reliable -- " + strings.Join(arguments, " "),
		"-serial", "file:" + filepath.Join(dir, "console"),
		"-netdev", fmt.Sprintf("user,id=n,restrict=on,hostfwd=tcp:127.0.0.1:%d-:%d", port, guestPort),
		"-device", "virtio-net-pci,netdev=n,romfile=",
		"-blockdev", "driver=nbd,node-name=d,server.type=unix,server.path=" + socket,
		"-device", "virtio-blk-pci,drive=d,write-cache=on",
	}
	if line != "" {
		options = append(options, "-chardev", "socket,id=line,path="+line, "-serial", "chardev:line")
	}
	m.cmd = exec.Command("qemu-system-x86_64", options...)
	m.cmd.Stdout, m.cmd.Stderr = &m.said, &m.said
	m.cmd.SysProcAttr = alone()
	if err := m.cmd.Start(); err != nil {
		return nil, errors.Join(err, listen.Close())
	}
	go func() {
		_ = m.cmd.Wait() // its output says how it ended
		close(m.exited)
	}()
	return m, nil
}

// cut cuts the power.
func (m *machine) cut() error {
	m.disk.Freeze()
	_ = m.cmd.Process.Kill()
	<-m.exited
	m.disk.Release()
	return m.listen.Close()
}

// story returns what QEMU and the console have printed, for a machine that has failed.
func (m *machine) story() string {
	console, _ := os.ReadFile(filepath.Join(m.dir, "console"))
	if len(console) > 8192 {
		console = console[len(console)-8192:]
	}
	said := "it is running"
	select {
	case <-m.exited:
		said = m.said.String()
	default:
	}
	return fmt.Sprintf("QEMU said: %s\nthe console: %s", said, console)
}
