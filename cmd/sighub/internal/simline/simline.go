// Package simline makes the line that a simulated device is on: a serial port, or a pseudo terminal, with a bad cable between if that
// is wanted.
package simline

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"sighub/carrier/serial/fault"
	"sighub/carrier/serial/port"
	"sighub/internal/config"
	"sighub/internal/simulator"
)

// A Line is what a simulated device is connected to.
type Line struct {
	Open  func(context.Context) (port.Port, error)
	Close func() error
	pty   simulator.PTY // nil: the line is a serial port
}

// Port returns the line of a serial port, which is written as in the configuration, and sets its rate in o. trying is told, once for
// each reason, why the port cannot be opened yet.
func Port(text string, o *simulator.Options, trying func(error)) (*Line, error) {
	settings, err := config.ParsePort(text)
	if err != nil {
		return nil, fmt.Errorf("--port %s: %w", text, err)
	}
	opener, err := port.NewOpener(settings.Opener)
	if err != nil {
		return nil, err
	}
	if settings.Baud == 0 {
		settings.Baud = 115200 // a simulated device does not look for the hub
	}
	if o.Baud == 0 || o.Baud > settings.Baud { // --fault may have set a slower one
		o.Baud = settings.Baud
	}
	if settings.Name != "" {
		o.Name = settings.Name
	}
	fault := ""
	return &Line{
		Open: func(context.Context) (port.Port, error) {
			p, err := opener.Open(settings.Port, settings.Baud)
			switch {
			case err == nil:
				fault = ""
			case err.Error() != fault:
				fault = err.Error()
				trying(err)
			}
			return p, err
		},
		Close: func() error { return nil },
	}, nil
}

// Pty makes a pseudo terminal for a simulator, and returns the path of its other end, too. The path is a link that is removed when the
// line is closed. The terminal's own name is soon given to another terminal, and a hub that opens it again would mistake that terminal
// for the device.
func Pty() (line *Line, path string, err error) {
	dir, err := os.MkdirTemp("", "sighub-")
	if err != nil {
		return nil, "", fmt.Errorf("cannot make a folder for the pseudo terminal: %w", err)
	}
	pty, err := simulator.NewPTY(filepath.Join(dir, "device"))
	if err != nil {
		return nil, "", errors.Join(err, os.RemoveAll(dir))
	}
	return &Line{Open: pty.Open, pty: pty, Close: func() error { return errors.Join(pty.Close(), os.RemoveAll(dir)) }}, pty.Path(), nil
}

// Through puts a cable between the line and the device. When the cable is cut, a pseudo terminal is cut too, and the hub sees
// that. At the other end of a serial port there is just silence.
func (l *Line) Through(cable *fault.Cable) *Line {
	open := func(ctx context.Context) (port.Port, error) {
		if l.pty == nil {
			return l.Open(ctx)
		}
		if err := l.pty.Restore(); err != nil {
			return nil, err
		}
		p, err := l.pty.Open(ctx)
		return cutPort{p, l.pty}, err
	}
	return &Line{
		Open: func(ctx context.Context) (port.Port, error) {
			return cable.Open(fault.DeviceEnd, func() (io.ReadWriteCloser, error) { return open(ctx) })
		},
		Close: l.Close,
	}
}

// A cutPort is the device's end of a pseudo terminal. Closing it cuts the terminal.
type cutPort struct {
	port.Port
	pty simulator.PTY
}

func (p cutPort) Close() error {
	err := p.Port.Close() // wakes Read and Write
	p.pty.Cut()
	return err
}
