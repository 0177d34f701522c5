//go:build linux && (amd64 || arm64)

package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"sighub/scripts/lab/wire"
)

func readText(path string) (string, error) {
	text, err := os.ReadFile(path)
	return strings.TrimSpace(string(text)), err
}

// link makes a symbolic link at the path of the target, to its text, and the folders above it.
func link(t wire.Target) error {
	if err := os.MkdirAll(filepath.Dir(t.Path), 0o755); err != nil {
		return err
	}
	return os.Symlink(t.Text, t.Path)
}

// list returns the paths that match a pattern.
func list(pattern string) ([]string, error) {
	paths, err := filepath.Glob(pattern)
	if paths == nil {
		paths = []string{}
	}
	return paths, err
}

// openTerminal opens a port like a simple program.
func openTerminal(path string) (*os.File, error) {
	return os.OpenFile(path, os.O_RDWR|syscall.O_NOCTTY|syscall.O_NONBLOCK, 0)
}

// hold opens a path and keeps it open under the name of the target: exclusively (TIOCEXCL) if the text is "exclusive", with a lock
// (flock) if it is "locked".
func (a *agent) hold(t wire.Target) error {
	f, err := openTerminal(t.Path)
	if err != nil {
		return err
	}
	switch t.Text {
	case "exclusive":
		err = ioctl(int(f.Fd()), syscall.TIOCEXCL, nil)
	case "locked":
		err = syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
	}
	if err != nil {
		_ = f.Close()
		return fmt.Errorf("hold %s %s: %w", t.Path, t.Text, err)
	}
	a.held.put(t.Name, f)
	return nil
}

func (a *agent) release(t wire.Target) error {
	f, err := a.held.take(t.Name)
	if err != nil {
		return err
	}
	_ = f.Close() // closing a port that is gone fails
	return nil
}
