//go:build linux && (amd64 || arm64)

package main

import (
	"bytes"
	"fmt"
	"os"
	"strconv"
	"strings"
	"syscall"

	"sighub/scripts/lab/wire"
)

// watchKernel reports terminal devices when the kernel announces them, and the lines of its log.
func (a *agent) watchKernel() error {
	fd, err := syscall.Socket(syscall.AF_NETLINK, syscall.SOCK_DGRAM|syscall.SOCK_CLOEXEC, syscall.NETLINK_KOBJECT_UEVENT)
	if err != nil {
		return err
	}
	const kernelGroup = 1
	if err := syscall.Bind(fd, &syscall.SockaddrNetlink{Family: syscall.AF_NETLINK, Groups: kernelGroup}); err != nil {
		return err
	}
	go a.readUevents(fd)

	log, err := os.OpenFile("/dev/kmsg", os.O_RDWR, 0)
	if err != nil {
		return err
	}
	return a.readLog(log)
}

// readUevents reports devices of the subsystem tty.
func (a *agent) readUevents(fd int) {
	buf := make([]byte, 8192)
	for {
		n, err := syscall.Read(fd, buf)
		at := monotonic()
		switch {
		case err == syscall.EINTR:
			continue
		case err != nil: // ENOBUFS: some were lost
			a.tell(wire.Sight{Kind: wire.Kernel, Text: "the agent: uevents: " + err.Error()})
			if err != syscall.ENOBUFS {
				return
			}
			continue
		}
		fields := make(map[string]string)
		for part := range bytes.SplitSeq(buf[:n], []byte{0}) {
			if key, value, ok := strings.Cut(string(part), "="); ok {
				fields[key] = value
			}
		}
		if fields["SUBSYSTEM"] == "tty" {
			a.tell(wire.Sight{At: at, Kind: wire.Uevent, Name: fields["DEVNAME"], Text: fields["ACTION"]})
		}
	}
}

// calibration is a line that the agent writes into the kernel's log to find the offset of its clock.
const calibration = "laboratory: calibration"

// readLog reports the lines of the kernel's log with the times at which they were written, not read. The clock of the log has an
// offset to CLOCK_MONOTONIC. To find it, the agent writes a line between begin and end, and assumes that its time is begin: then
// times of the log are early rather than late, by less than a millisecond.
func (a *agent) readLog(log *os.File) error {
	begin := monotonic()
	if _, err := log.WriteString(calibration + "\n"); err != nil {
		return err
	}
	record := make([]byte, 8192)
	var offset int64
	for {
		at, text, err := readRecord(log, record)
		if err != nil {
			return err
		}
		if text == calibration {
			offset = begin - at
			break
		}
	}
	go func() {
		for {
			at, text, err := readRecord(log, record)
			if err != nil {
				a.tell(wire.Sight{Kind: wire.Kernel, Text: "the agent: the kernel's log: " + err.Error()})
				return
			}
			a.tell(wire.Sight{At: at + offset, Kind: wire.Kernel, Text: text})
		}
	}()
	return nil
}

// readRecord reads one record of /dev/kmsg, "priority,sequence,microseconds,flags;text", as nanoseconds and text.
func readRecord(log *os.File, buf []byte) (int64, string, error) {
	n, err := log.Read(buf)
	if err != nil {
		return 0, "", err
	}
	head, text, _ := strings.Cut(string(buf[:n]), ";")
	text, _, _ = strings.Cut(text, "\n")
	fields := strings.Split(head, ",")
	if len(fields) < 3 {
		return 0, "", fmt.Errorf("not a record: %q", head)
	}
	us, err := strconv.ParseInt(fields[2], 10, 64)
	return us * 1000, text, err
}
