package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"sighub/carrier/serial/port"
)

// A pseudoTerminal is a line between two programs that looks like a serial port; not every system has them.
type pseudoTerminal interface {
	Path() string
	Open(context.Context) (port.Port, error)
	Cut()
	Restore() error
	Close() error
}

// ptyLine makes a pseudo terminal for a simulator and prints its path, for whoever wants to open it. The path is a
// link that goes when the simulator does: the terminal's own name is soon given to another terminal, which a hub that
// tries to open it again would take for the device.
func ptyLine(s *streams) (*simulatedLine, error) {
	dir, err := os.MkdirTemp("", "sighub-")
	if err != nil {
		return nil, fmt.Errorf("no folder for the pseudo terminal: %w", err)
	}
	pty, err := newPTY(filepath.Join(dir, "device"))
	if err != nil {
		return nil, errors.Join(err, os.RemoveAll(dir))
	}
	line := &simulatedLine{open: pty.Open, pty: pty, close: func() error { return errors.Join(pty.Close(), os.RemoveAll(dir)) }}
	if _, err := fmt.Fprintln(s.out, pty.Path()); err != nil {
		return nil, errors.Join(err, line.close())
	}
	s.note("a hub finds this device with `sighub run --serial %s`", pty.Path())
	return line, nil
}
