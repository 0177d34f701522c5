package main

import (
	"context"
	"io"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"
)

// TestNotify: a hub that systemd has started says when it serves, reads its configuration again, is alive, and ends.
func TestNotify(t *testing.T) {
	defer goleak.VerifyNone(t)
	dir := t.TempDir()
	manager, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: filepath.Join(dir, "notify"), Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	defer manager.Close()
	t.Setenv("NOTIFY_SOCKET", filepath.Join(dir, "notify"))
	t.Setenv("WATCHDOG_USEC", "300000")
	t.Setenv("STATE_DIRECTORY", dir)
	address := "unix://" + filepath.Join(dir, "hub.sock")

	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	ended := make(chan int, 1)
	go func() {
		ended <- execute(ctx, []string{"run", "--serial", "none", "--listen", address}, &streams{out: io.Discard, err: &lockedWriter{w: io.Discard}})
	}()
	heard := func(line string) []string { // a message that has this line
		t.Helper()
		_ = manager.SetReadDeadline(time.Now().Add(patience))
		buf := make([]byte, 4096)
		for {
			n, err := manager.Read(buf)
			if err != nil {
				t.Fatalf("%s was not heard: %v", line, err)
			}
			if lines := strings.Split(string(buf[:n]), "\n"); slices.Contains(lines, line) {
				return lines
			}
		}
	}
	first := heard("READY=1")
	if !slices.Contains(first, "STATUS=devices: 0, connections: 0") {
		t.Errorf("%q", first)
	}
	if code, out, errs := try(t.Context(), "", "clients", "--hub", address); code != exitDone || !strings.Contains(out, "watchdog") {
		t.Errorf("%d %s%s", code, out, errs)
	}
	heard("WATCHDOG=1")
	if err := syscall.Kill(os.Getpid(), syscall.SIGHUP); err != nil {
		t.Fatal(err)
	}
	if lines := heard("RELOADING=1"); len(lines) != 2 || !strings.HasPrefix(lines[1], "MONOTONIC_USEC=") {
		t.Errorf("%q", lines)
	}
	heard("READY=1")
	heard("WATCHDOG=1")
	cancel()
	heard("STOPPING=1")
	if code := <-ended; code != exitDone {
		t.Errorf("exit code %d", code)
	}
}
