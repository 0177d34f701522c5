package main

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
	"sighub/internal/plain"
	"sighub/internal/simulator"
	"sighub/internal/terminal"
)

// A simulatedLine is the line that a simulated device is connected to.
type simulatedLine struct {
	open  func(context.Context) (port.Port, error)
	close func() error
	pty   simulator.PTY // nil: the line is a serial port
}

// line returns the line that the command line names, and sets its rate in o.
func (c *simulateCommand) line(o *simulator.Options, s *streams) (*simulatedLine, error) {
	if c.Pty {
		return ptyLine(s, c.Speaks)
	}
	settings, err := config.ParsePort(c.Port)
	if err != nil {
		return nil, usageError{fmt.Errorf("--port %s: %w", c.Port, err)}
	}
	opener, err := port.NewOpener(settings.Opener)
	if err != nil {
		return nil, usageError{err}
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
	return &simulatedLine{
		open: func(context.Context) (port.Port, error) {
			p, err := opener.Open(settings.Port, settings.Baud)
			switch {
			case err == nil:
				fault = ""
			case err.Error() != fault:
				fault = err.Error()
				s.note("%s: trying again until the port can be opened", err)
			}
			return p, err
		},
		close: func() error { return nil },
	}, nil
}

// ptyLine makes a pseudo terminal for a simulator and prints its path. The path is a link that is removed when the simulator
// ends. The terminal's own name is soon given to another terminal, and a hub that opens it again would mistake that terminal
// for the device.
func ptyLine(s *streams, speaks string) (*simulatedLine, error) {
	dir, err := os.MkdirTemp("", "sighub-")
	if err != nil {
		return nil, fmt.Errorf("cannot make a folder for the pseudo terminal: %w", err)
	}
	pty, err := simulator.NewPTY(filepath.Join(dir, "device"))
	if err != nil {
		return nil, errors.Join(err, os.RemoveAll(dir))
	}
	line := &simulatedLine{open: pty.Open, pty: pty, close: func() error { return errors.Join(pty.Close(), os.RemoveAll(dir)) }}
	if err := terminal.Line(s.out, "%s", pty.Path()); err != nil {
		return nil, errors.Join(err, line.close())
	}
	serve := pty.Path()
	if speaks != "" {
		serve = "'" + serve + "?speaks=lines&format=" + speaks + "&sender=simulated'"
	}
	s.note("to serve this device, run `sighub run --serial %s`", serve)
	return line, nil
}

// cable returns the cable that --fault describes, or nil without --fault.
func (c *simulateCommand) cable(o *simulator.Options) (*fault.Cable, error) {
	if c.Fault == "" {
		return nil, nil
	}
	harm, err := fault.Parse(c.Fault)
	if err != nil {
		return nil, fmt.Errorf("--fault: %s", plain.Text(err.Error()))
	}
	o.Baud = harm.ToHub.Baud
	return fault.New(harm)
}

// through puts a cable between the line and the device. When the cable is cut, a pseudo terminal is cut too, and the hub sees
// that. At the other end of a serial port there is just silence.
func (l *simulatedLine) through(cable *fault.Cable) *simulatedLine {
	open := func(ctx context.Context) (port.Port, error) {
		if l.pty == nil {
			return l.open(ctx)
		}
		if err := l.pty.Restore(); err != nil {
			return nil, err
		}
		p, err := l.pty.Open(ctx)
		return cutPort{p, l.pty}, err
	}
	return &simulatedLine{
		open: func(ctx context.Context) (port.Port, error) {
			return cable.Open(fault.DeviceEnd, func() (io.ReadWriteCloser, error) { return open(ctx) })
		},
		close: l.close,
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
