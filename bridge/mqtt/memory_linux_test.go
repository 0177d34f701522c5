package mqtt

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"sighub/hub"
)

// smallDisk returns a folder that is a disk of its own, of so many bytes.
func smallDisk(t *testing.T, size int) (folder string) {
	t.Helper()
	dir := t.TempDir()
	holder := exec.Command("unshare", "--user", "--map-root-user", "--mount", "sh", "-c", //nolint:noctx // it ends with its input
		fmt.Sprintf("mount -t tmpfs -o size=%d tmpfs %q && echo ready && exec cat", size, dir))
	holder.Stderr = os.Stderr
	in, err := holder.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := holder.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := holder.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = in.Close()
		_ = holder.Wait()
	})
	if text, err := bufio.NewReader(out).ReadString('\n'); text != "ready\n" {
		t.Fatalf("a disk cannot be had (%v): this needs util-linux, and namespaces of users or root", err)
	}
	return fmt.Sprintf("/proc/%d/root%s", holder.Process.Pid, dir)
}

// fill fills a disk, and returns what makes room again.
func fill(t *testing.T, disk string) (empty func()) {
	t.Helper()
	name := filepath.Join(disk, "other")
	f, err := os.Create(name)
	if err != nil {
		t.Fatal(err)
	}
	for size := 1 << 20; size > 0; size /= 2 {
		for piece := make([]byte, size); err == nil; {
			_, err = f.Write(piece)
		}
		err = nil
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	return func() {
		if err := os.Remove(name); err != nil {
			t.Fatal(err)
		}
	}
}

// TestMemoryNotWritten: while it cannot be written what is announced to Home Assistant, nothing new is, and the bridge says so. What is
// announced already goes on, and the rest comes by itself when there is room.
func TestMemoryNotWritten(t *testing.T) {
	broker, state := startBroker(t), smallDisk(t, 1<<20)
	l := listen(t, broker.addr, "sighub/#", "homeassistant/#")
	o := homeAssistant(state)
	o.Addr = broker.addr
	h := newHouse(t, t.TempDir())
	b := h.bridge(o)
	h.serve(b)
	report := func(name string, value int) {
		h.report(h.sender(name, hub.SenderOptions{Events: []string{"temp"}}), "temp", value)
	}
	s := h.sender("attic", hub.SenderOptions{Events: []string{"temp"}})
	h.report(s, "temp", 1)
	l.wait("sighub/attic/temp 1", 1)
	empty := fill(t, state)
	report("barn", 1)
	eventually(t, "the bridge says that it cannot remember", func() bool {
		st := b.Status()
		return st.Connected && strings.Contains(st.Error, "cannot be remembered") && strings.Contains(st.Remedy, "make room")
	})
	h.report(s, "temp", 2)
	l.wait("sighub/attic/temp 2", 1)
	if list := l.heard("sighub/barn/"); len(list) > 0 {
		t.Errorf("%q is said", list)
	}
	empty()
	l.wait("sighub/barn/temp 1", 1)
	eventually(t, "the error is over", func() bool { return b.Status().Error == "" })
	for _, text := range l.heard("sighub/_bridge/sighub/up/_state ") {
		if strings.Contains(text, "false") {
			t.Errorf("the hub was away: %s", text)
		}
	}
}
