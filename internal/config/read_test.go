package config

import (
	"context"
	"errors"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// TestLoadOnlyFiles: what is not a regular file is refused at once.
func TestLoadOnlyFiles(t *testing.T) {
	dir := t.TempDir()
	pipe, socket, link := filepath.Join(dir, "pipe"), filepath.Join(dir, "socket"), filepath.Join(dir, "link")
	if err := syscall.Mkfifo(pipe, 0o600); err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	if err := os.Symlink("/dev/zero", link); err != nil {
		t.Fatal(err)
	}
	for file, want := range map[string]string{
		"/dev/zero": "this is a device: name a regular file, or write -", link: "this is a device", pipe: "this is a pipe", socket: "this is a socket",
		dir: "this is a folder", filepath.Join(dir, "none"): "no such file",
	} {
		if _, err := Load(t.Context(), file, nil); err == nil || !strings.HasPrefix(err.Error(), file+": ") || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %s", file, err, want)
		}
		if err := Default().AddSensors(t.Context(), []string{file}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %s", file, err, want)
		}
	}
}

func TestLoadStdin(t *testing.T) {
	c, err := Load(t.Context(), Stdin, strings.NewReader("log: {level: WARN}"))
	if err != nil || c.Log.Level != "warn" {
		t.Errorf("%+v, %v", c, err)
	}
	_, err = Load(t.Context(), Stdin, strings.NewReader("\nx: 1"))
	if err == nil || !strings.HasPrefix(err.Error(), "standard input:2:1: ") {
		t.Error(err)
	}
	if _, err = Load(t.Context(), Stdin, endless{}); err == nil || !strings.Contains(err.Error(), "beyond its first 262144 bytes") {
		t.Error(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	silent, end := io.Pipe()
	defer end.Close()
	if _, err = Load(ctx, Stdin, silent); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}

// An endless reader gives empty lines for ever.
type endless struct{}

func (endless) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = '\n'
	}
	return len(p), nil
}
