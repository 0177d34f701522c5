package port

import (
	"os"
	"strings"
	"testing"
)

// TestPermit: what helps depends on who may open the port.
func TestPermit(t *testing.T) {
	path := t.TempDir() + "/tty"
	must(t, os.WriteFile(path, nil, 0o600))
	if got := permit(path); !strings.Contains(got, "0600") || !strings.Contains(got, "udev") {
		t.Error(got)
	}
	if got := Remedy(&os.PathError{Op: "open", Path: path, Err: os.ErrPermission}); got != permit(path) {
		t.Error(got)
	}
	must(t, os.Chmod(path, 0o660))
	if os.Getuid() == 0 {
		must(t, os.Chown(path, 0, 20)) // dialout on Debian
		if got := permit(path); !strings.Contains(got, "usermod -aG") {
			t.Error(got)
		}
	}
	if got := permit(path + "x"); got == "" {
		t.Error("nothing")
	}
}
