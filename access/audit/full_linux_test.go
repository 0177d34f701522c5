package audit

import (
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// TestTornLineFull: what a full disk has left of a line does not swallow the next one either. A limit of the size of files stands for
// the disk.
func TestTornLineFull(t *testing.T) {
	name := filepath.Join(t.TempDir(), "audit.jsonl")
	const torn = `{"event":"lo`
	if err := os.WriteFile(name, []byte(torn), 0o600); err != nil {
		t.Fatal(err)
	}
	signal.Ignore(syscall.SIGXFSZ)
	defer signal.Reset(syscall.SIGXFSZ)
	var usual syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_FSIZE, &usual); err != nil {
		t.Fatal(err)
	}
	limit := func(size uint64) {
		r := usual
		r.Cur = min(size, r.Max)
		if err := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &r); err != nil {
			t.Fatal(err)
		}
	}
	limit(uint64(len(torn)))
	defer limit(usual.Cur)
	o, err := openFile(name, 0, 0)
	if err == nil {
		t.Fatal("the disk is not full")
	}
	limit(usual.Cur)
	if _, err := o.Write([]byte("next\n")); err != nil {
		t.Fatal(err)
	}
	if err := o.Close(); err != nil {
		t.Error(err)
	}
	data, _ := os.ReadFile(name)
	if lines := strings.Split(string(data), "\n"); len(lines) != 3 || lines[1] != "next" {
		t.Errorf("%q", data)
	}
}
