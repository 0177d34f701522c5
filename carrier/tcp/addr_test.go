package tcp

import (
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"sighub/carrier/carriertest"
)

func TestListenErrors(t *testing.T) {
	dir := t.TempDir()
	taken, err := Listen(loopback, Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = taken.Close() }()
	live, err := Listen("unix://"+filepath.Join(dir, "live"), Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = live.Close() }()
	if err := os.WriteFile(filepath.Join(dir, "file"), []byte("precious"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ addr, want string }{
		{taken.Addr(), "another port"},
		{live.Addr(), "another path"},
		{"unix://" + filepath.Join(dir, "file"), "not a socket"},
		{"unix://" + filepath.Join(dir, "none", "hub"), "make its directory"},
		{"unix://" + filepath.Join(dir, strings.Repeat("x", 200)), "shorter path"},
		{"tcp://192.0.2.1:0", "address of this machine"},
		{"nonsense", "HOST:PORT"},
	} {
		if s, err := Listen(c.addr, Options{}); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, %v; want %q", c.addr, s, err, c.want)
		}
	}
	if b, err := os.ReadFile(filepath.Join(dir, "file")); err != nil || string(b) != "precious" {
		t.Errorf("a file was harmed: %q, %v", b, err)
	}
}

// A socket file that a program left behind is replaced, and one's own is removed.
func TestStaleSocket(t *testing.T) {
	path := filepath.Join(t.TempDir(), "hub")
	old, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	old.(*net.UnixListener).SetUnlinkOnClose(false)
	if err := old.Close(); err != nil {
		t.Fatal(err)
	}
	t.Run("served", func(t *testing.T) {
		h := serveHub(t, "unix://"+path, Options{}, nil)
		h.greeted(Options{}).echoes()
		if c, err := h.Client(h.ctx); err != nil || c.Addr != "unix://"+path {
			t.Errorf("the client is %+v, %v", c, err)
		}
	})
	if _, err := os.Lstat(path); !os.IsNotExist(err) {
		t.Errorf("the socket file is still there: %v", err)
	}
}

// A Server whose listening socket fails says so, after its clients have been told.
func TestListenerLost(t *testing.T) {
	s, err := Listen(loopback, Options{})
	if err != nil {
		t.Fatal(err)
	}
	r := carriertest.NewRecorder(t, "hub")
	ended := make(chan error, 1)
	go func() { ended <- s.Serve(t.Context(), r) }()
	h := &hub{Server: s, Recorder: r, t: t}
	h.greeted(Options{})
	_ = s.Close()
	if err := <-ended; err == nil || !strings.Contains(err.Error(), "any more") {
		t.Errorf("Serve: %v", err)
	}
	r.Served()
}
