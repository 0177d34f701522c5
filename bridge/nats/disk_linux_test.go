package nats_test

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"sighub/bridge/nats"
	"sighub/hub"
)

// smallDisk gives the server a disk of its own of so many bytes, before it is started, and returns where this process finds it.
func (b *broker) smallDisk(size int) (folder string) {
	b.t.Helper()
	store := filepath.Join(b.folder, "store")
	if err := os.Mkdir(store, 0o700); err != nil {
		b.t.Fatal(err)
	}
	pid := hold(b, "unshare", "--user", "--map-root-user", "--mount", "sh", "-c",
		fmt.Sprintf("mount -t tmpfs -o size=%d tmpfs %q && echo ready && exec cat", size, store))
	b.around = []string{"nsenter", "--target", fmt.Sprint(pid), "--user", "--preserve-credentials", "--mount", "--"}
	return fmt.Sprintf("/proc/%d/root%s", pid, store)
}

// hold has a process hold namespaces until the test ends. The process says that it is ready. The server ends before it.
func hold(b *broker, command ...string) (pid int) {
	b.t.Helper()
	holder := exec.Command(command[0], command[1:]...)
	holder.Stderr = os.Stderr
	in, err := holder.StdinPipe()
	if err != nil {
		b.t.Fatal(err)
	}
	out, err := holder.StdoutPipe()
	if err != nil {
		b.t.Fatal(err)
	}
	if err := holder.Start(); err != nil {
		b.t.Fatal(err)
	}
	b.t.Cleanup(func() {
		b.kill()
		in.Close()
		_ = holder.Wait()
	})
	if text, err := bufio.NewReader(out).ReadString('\n'); text != "ready\n" {
		b.t.Fatalf("%v cannot be had (%v): this needs util-linux, iproute2, and namespaces of users or root", command[1:4], err)
	}
	return holder.Process.Pid
}

// TestDiskFull: while the server's disk is full, nothing is lost and the bridge says what to do; when there is room, and the server has
// been started again, as it must be, everything goes up.
func TestDiskFull(t *testing.T) {
	b := brokerToStart(t)
	b.limit = "max_file_store: 1GB" // else the server takes no more than the disk has when it starts
	disk := b.smallDisk(12 << 20)
	if err := os.WriteFile(filepath.Join(disk, "other"), make([]byte, 9<<20), 0o600); err != nil {
		t.Fatal(err)
	}
	b.start()
	h := openHouse(t, t.TempDir(), nats.Options{URL: b.url(), Hub: "kitchen", Stream: nats.Stream{MaxBytes: -1}, Timeout: time.Second})
	s := h.sender("s0", hub.SenderOptions{Events: []string{"n"}})
	const n = 20_000
	h.report(s, "n", 1, n)
	until(t, "the bridge says that there is no room", func() bool {
		st := h.bridge.Status()
		return st.Lag > 0 && strings.Contains(st.Remedy, "disk may be full")
	})
	t.Logf("%+v", h.bridge.Status())
	if err := os.Remove(filepath.Join(disk, "other")); err != nil {
		t.Fatal(err)
	}
	b.kill()
	b.start()
	h.drained()
	complete(t, b.read(""), 1, n)
}
