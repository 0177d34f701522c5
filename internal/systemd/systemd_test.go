package systemd

import (
	"net"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"
)

func TestNotify(t *testing.T) {
	t.Parallel()
	for _, socket := range []string{filepath.Join(t.TempDir(), "notify"), "@sighub-test-" + strconv.Itoa(time.Now().Nanosecond())} {
		manager, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: socket, Net: "unixgram"})
		if err != nil {
			t.Fatal(err)
		}
		defer manager.Close()
		n, err := FromEnvironment(environment("NOTIFY_SOCKET", socket), 1)
		if err != nil {
			t.Fatal(err)
		}
		if err := n.Notify(Ready, Status("serves\n2 devices\tSTOPPING=1 ")); err != nil {
			t.Fatal(err)
		}
		_ = manager.SetReadDeadline(time.Now().Add(10 * time.Second))
		buf := make([]byte, 1000)
		size, err := manager.Read(buf)
		if want := "READY=1\nSTATUS=serves 2 devices STOPPING=1"; err != nil || string(buf[:size]) != want {
			t.Errorf("%s: %q, %v; want %q", socket, buf[:size], err, want)
		}
	}
}

func TestNobodyListens(t *testing.T) {
	t.Parallel()
	n, err := FromEnvironment(environment("NOTIFY_SOCKET", filepath.Join(t.TempDir(), "notify")), 1)
	if err != nil {
		t.Fatal(err)
	}
	if err := n.Notify(Alive); err == nil || !strings.Contains(err.Error(), "cannot be told WATCHDOG=1") {
		t.Errorf("%v", err)
	}
}

func TestWithoutSystemd(t *testing.T) {
	t.Parallel()
	n, err := FromEnvironment(environment("WATCHDOG_USEC", "30000000"), 1)
	if n != nil || err != nil {
		t.Errorf("%v, %v", n, err)
	}
	if err := n.Notify(Ready); err != nil || n.Watchdog() != 0 {
		t.Errorf("%v, %v", err, n.Watchdog())
	}
}

func TestEnvironment(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		socket, usec, pid string
		watchdog          time.Duration
		fault             string
	}{
		{"/run/systemd/notify", "", "", 0, ""},
		{"/run/systemd/notify", "30000000", "", 30 * time.Second, ""},
		{"/run/systemd/notify", "30000000", "7", 30 * time.Second, ""},
		{"/run/systemd/notify", "30000000", "8", 0, ""}, // a child of the service
		{"@notify", "1", "7", time.Microsecond, ""},
		{"@notify", "0", "7", 0, "WATCHDOG_USEC"},
		{"@notify", "-1", "7", 0, "WATCHDOG_USEC"},
		{"@notify", "30s", "7", 0, "WATCHDOG_USEC"},
		{"@notify", "9223372036854775807", "7", 0, "WATCHDOG_USEC"},
		{"vsock:2:1234", "", "", 0, "NOTIFY_SOCKET"},
		{"notify", "", "", 0, "NOTIFY_SOCKET"},
	} {
		n, err := FromEnvironment(environment("NOTIFY_SOCKET", test.socket, "WATCHDOG_USEC", test.usec, "WATCHDOG_PID", test.pid), 7)
		switch {
		case test.fault != "":
			if err == nil || !strings.Contains(err.Error(), test.fault) {
				t.Errorf("%+v: %v", test, err)
			}
		case err != nil || n.Watchdog() != test.watchdog:
			t.Errorf("%+v: %v, %v", test, n.Watchdog(), err)
		}
	}
}

func TestBegan(t *testing.T) {
	t.Parallel()
	text, ok := strings.CutPrefix(Began(), "MONOTONIC_USEC=")
	if at, err := strconv.ParseInt(text, 10, 64); !ok || err != nil || at < 0 {
		t.Errorf("%q", text)
	}
}

func environment(pairs ...string) func(string) string {
	return func(name string) string {
		for i := 0; i < len(pairs); i += 2 {
			if pairs[i] == name {
				return pairs[i+1]
			}
		}
		return ""
	}
}
