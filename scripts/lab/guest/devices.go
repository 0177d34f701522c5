//go:build linux && (amd64 || arm64)

package main

import (
	"bytes"
	"encoding/binary"
	"strings"
	"syscall"

	"sighub/scripts/lab/wire"
)

// watchDevices reports each time that a program opens or closes a terminal.
func (a *agent) watchDevices() error {
	fd, err := syscall.InotifyInit1(syscall.IN_CLOEXEC)
	if err != nil {
		return err
	}
	if _, err := syscall.InotifyAddWatch(fd, "/dev", syscall.IN_OPEN|syscall.IN_CLOSE); err != nil {
		return err
	}
	go func() {
		buf := make([]byte, 64<<10)
		for {
			n, err := syscall.Read(fd, buf)
			if err != nil {
				continue // EINTR; there is nothing else
			}
			at := monotonic()
			for rest := buf[:n]; len(rest) >= syscall.SizeofInotifyEvent; {
				mask := binary.NativeEndian.Uint32(rest[4:])
				size := syscall.SizeofInotifyEvent + int(binary.NativeEndian.Uint32(rest[12:]))
				name := string(bytes.TrimRight(rest[syscall.SizeofInotifyEvent:size], "\x00"))
				rest = rest[size:]
				if !strings.HasPrefix(name, "tty") {
					continue
				}
				s := wire.Sight{At: at, Kind: wire.Closed, Name: name}
				if mask&syscall.IN_OPEN != 0 {
					s.Kind = wire.Opened
				}
				a.tell(s)
			}
		}
	}()
	return nil
}
