package main

import (
	"bytes"
	"log/slog"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
)

func TestStateFolder(t *testing.T) {
	var out bytes.Buffer
	log := slog.New(slog.NewTextHandler(&out, nil))
	dir := t.TempDir()
	file := filepath.Join(dir, "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	cache := map[string]string{"windows": "LocalAppData", "darwin": "HOME", "linux": "XDG_CACHE_HOME"}[runtime.GOOS]
	t.Setenv(cache, filepath.Join(dir, "cache"))
	usual, err := os.UserCacheDir()
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ chosen, systemd, want, level string }{
		{filepath.Join(dir, "chosen"), filepath.Join(dir, "systemd"), filepath.Join(dir, "chosen"), ""},
		{"", filepath.Join(dir, "systemd") + ":" + filepath.Join(dir, "second"), filepath.Join(dir, "systemd"), ""},
		{"", "", filepath.Join(usual, "sighub"), ""},
		{file, filepath.Join(dir, "systemd"), "", "WARN"},
		{"", file, "", "INFO"},
	} {
		out.Reset()
		t.Setenv("STATE_DIRECTORY", c.systemd)
		want := c.want
		if want != "" {
			want = filepath.Join(want, "x")
		}
		got := stateFolder(c.chosen, "x", log)
		if got != want || strings.Contains(out.String(), "level="+c.level) != (c.level != "") {
			t.Errorf("%+v: %q, want %q; %s", c, got, want, &out)
		}
		if info, err := os.Stat(got); want != "" && (err != nil || !info.IsDir()) {
			t.Errorf("%s: %v", got, err)
		}
	}
}
