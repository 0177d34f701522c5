package main

import (
	"context"
	"fmt"

	"sighub/carrier/serial/port"
	"sighub/internal/config"
)

// A simulatedLine is the line that a simulator is a device on.
type simulatedLine struct {
	open  func(context.Context) (port.Port, error)
	close func() error
	pty   pseudoTerminal // nil: it is a serial port
}

// line returns the line that the command line names, and notes its rate in o.
func (c *simulateCommand) line(o *simulatorOptions, s *streams) (*simulatedLine, error) {
	if c.Pty {
		return ptyLine(s)
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
	if o.baud == 0 || o.baud > settings.Baud { // a faulty line may be slower
		o.baud = settings.Baud
	}
	if settings.Name != "" {
		o.name = settings.Name
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
				s.note("%s: waiting for the port, and trying again", err)
			}
			return p, err
		},
		close: func() error { return nil },
	}, nil
}
