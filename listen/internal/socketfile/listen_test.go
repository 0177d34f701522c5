//go:build linux || darwin || freebsd || netbsd || openbsd || dragonfly

package socketfile

import (
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"

	"go.uber.org/goleak"
	"golang.org/x/sys/unix"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func mustListen(t *testing.T, path string) net.Listener {
	t.Helper()
	l, err := Listen(path, 0, "")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	return l
}

func modeOf(t *testing.T, path string) fs.FileMode {
	t.Helper()
	info, err := os.Lstat(path)
	if err != nil {
		t.Fatal(err)
	}
	return info.Mode()
}

// TestMode: a socket has the mode that is asked for, whatever the umask, and only its owner may connect by default.
func TestMode(t *testing.T) {
	group := fmt.Sprint(os.Getgid())
	for i, c := range []struct {
		umask int
		mode  fs.FileMode
		group string
		want  fs.FileMode
	}{
		{0o022, 0, "", 0o600},
		{0o000, 0, "", 0o600},
		{0o777, 0, "", 0o600},
		{0o077, 0o666, "", 0o666},
		{0o022, 0o660, group, 0o660},
		{0o022, 0, group, 0o660},
	} {
		path := filepath.Join(t.TempDir(), "hub")
		before := unix.Umask(c.umask)
		l, err := Listen(path, c.mode, c.group)
		unix.Umask(before)
		if err != nil {
			t.Fatal(err)
		}
		if got := modeOf(t, path); got != fs.ModeSocket|c.want {
			t.Errorf("%d: the mode is %v, not %v", i, got, c.want)
		}
		_ = l.Close()
	}
}

// TestPrivateFirst: before mode and group are set, only the owner may connect.
func TestPrivateFirst(t *testing.T) {
	before := unix.Umask(0)
	defer unix.Umask(before)
	path := filepath.Join(t.TempDir(), "hub")
	if _, err := Listen(path, 0o666, "no such group"); !errors.Is(err, ErrNoGroup) {
		t.Error(err)
	}
	if _, err := os.Lstat(path); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("what cannot be given to its group stays: %v", err)
	}
	config := net.ListenConfig{Control: makePrivate}
	restore := maskPrivate()
	l, err := config.Listen(t.Context(), "unix", path)
	restore()
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	if got := modeOf(t, path).Perm(); got != 0o600 {
		t.Errorf("the mode is %v at first", got)
	}
}

// TestOnlyOwnIsRemoved: a socket that has taken the place of one's own stays, also if one closes again after it.
func TestOnlyOwnIsRemoved(t *testing.T) {
	path := filepath.Join(t.TempDir(), "hub")
	first := mustListen(t, path)
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	second := mustListen(t, path)
	_ = first.Close()
	_ = first.Close()
	nc, err := net.Dial("unix", path)
	if err != nil {
		t.Fatalf("the successor cannot be reached: %v", err)
	}
	_ = nc.Close()
	_ = second.Close()
	if _, err := os.Lstat(path); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("one's own stays: %v", err)
	}
	third := mustListen(t, path)
	_, _ = second.Close(), first.Close()
	modeOf(t, path)
	_ = third.Close()
}

// TestManyAtOnce: of hubs that are started at once at one path, where a stale socket lies, one listens and can be reached.
func TestManyAtOnce(t *testing.T) {
	for range 30 {
		path := filepath.Join(t.TempDir(), "hub")
		stale, err := net.Listen("unix", path)
		if err != nil {
			t.Fatal(err)
		}
		stale.(*net.UnixListener).SetUnlinkOnClose(false)
		_ = stale.Close()
		var all sync.WaitGroup
		var mu sync.Mutex
		var won []net.Listener
		for range 4 {
			all.Go(func() {
				l, err := Listen(path, 0, "")
				mu.Lock()
				defer mu.Unlock()
				if err == nil {
					won = append(won, l)
				} else if !errors.Is(err, syscall.EADDRINUSE) {
					t.Error(err)
				}
			})
		}
		all.Wait()
		nc, err := net.Dial("unix", path)
		if len(won) != 1 || err != nil {
			t.Fatalf("%d listen; connecting: %v", len(won), err)
		}
		_, _ = nc.Close(), won[0].Close()
	}
}

// TestInTheWay: what is no socket of a program that has ended is left alone.
func TestInTheWay(t *testing.T) {
	dir := t.TempDir()
	live := filepath.Join(dir, "live")
	mustListen(t, live)
	file, link := filepath.Join(dir, "file"), filepath.Join(dir, "link")
	if err := errors.Join(os.WriteFile(file, []byte("precious"), 0o600), os.Symlink(file, link)); err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]string{live: "in use", file: "not a socket", link: "not a socket", dir: "not a socket"} {
		if l, err := Listen(path, 0, ""); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, %v", path, l, err)
		}
	}
	if b, err := os.ReadFile(file); string(b) != "precious" {
		t.Errorf("a file was harmed: %q, %v", b, err)
	}
}

// TestLocked: a folder that somebody keeps locked delays a hub, and does not keep it from listening.
func TestLocked(t *testing.T) {
	dir := t.TempDir()
	f, err := os.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = f.Close() }()
	if err := tryLock(f); err != nil {
		t.Fatal(err)
	}
	l := mustListen(t, filepath.Join(dir, "hub"))
	_ = f.Close()
	_ = l.Close()
}
