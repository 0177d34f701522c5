package main

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// switches returns how often the kernel has switched from a thread of a process that had nothing to do.
func switches(t *testing.T, pid int) (sum int) {
	t.Helper()
	threads, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/status", pid))
	if err != nil || len(threads) == 0 {
		t.Fatalf("no threads: %v", err)
	}
	for _, file := range threads {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		_, rest, _ := strings.Cut(string(text), "\nvoluntary_ctxt_switches:")
		var n int
		if _, err := fmt.Sscan(rest, &n); err != nil {
			t.Fatalf("%s: %v", file, err)
		}
		sum += n
	}
	return sum
}

// TestIdle: a hub with a journal and a listener that waits for ports, and to which nothing happens, sleeps. Whatever looked around once
// in that time would be seen.
func TestIdle(t *testing.T) {
	const nap = 1500 * time.Millisecond
	dir := t.TempDir()
	file := filepath.Join(dir, "hub.sock")
	h := exec.Command("sighub", "run", "--serial", "auto", "--listen", "unix://"+file, "--state", dir)
	log := new(strings.Builder)
	h.Stderr = log
	if err := h.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := h.Process.Signal(syscall.SIGTERM); err != nil {
			t.Error(err)
		}
		if err := h.Wait(); err != nil || t.Failed() {
			t.Errorf("%v\n%s", err, log)
		}
	}()
	deadline := time.Now().Add(patience)
	var c net.Conn
	for c == nil {
		if time.Now().After(deadline) {
			t.Fatal("nobody listens")
		}
		c, _ = net.Dial("unix", file)
	}
	defer c.Close()
	_ = c.SetReadDeadline(deadline)
	answers := bufio.NewReader(c)
	for _, message := range []string{
		`{"id":1,"method":"hello","params":{"protocol":1,"signals":100}}`,
		`{"id":2,"method":"add_listener","params":{"sender":"s","event":"n"}}`,
	} {
		if _, err := io.WriteString(c, message+"\n"); err != nil {
			t.Fatal(err)
		}
		if answer, err := answers.ReadString('\n'); err != nil || !strings.Contains(answer, `"status":0`) {
			t.Fatalf("%s: %v", answer, err)
		}
	}
	for before := switches(t, h.Process.Pid); ; {
		time.Sleep(nap)
		now := switches(t, h.Process.Pid)
		if now == before {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("it still wakes up %d times in %v", now-before, nap)
		}
		before = now
	}
}
