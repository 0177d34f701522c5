package main

import (
	"context"
	"fmt"

	"sighub/carrier/serial"
	"sighub/internal/config"
)

// A simulatedLine is the line that a simulator is a device on.
type simulatedLine struct {
	open  func(context.Context) (serial.Port, error)
	close func() error
	pty   pseudoTerminal // nil: it is a serial port
}

// line returns the line that the command line names, and notes its rate in o.
func (c *simulateCommand) line(o *simulatorOptions, s *streams) (*simulatedLine, error) {
	if c.Pty {
		return ptyLine(s)
	}
	port, err := config.ParsePort(c.Port)
	if err != nil {
		return nil, usageError{fmt.Errorf("--port %s: %w", c.Port, err)}
	}
	opener, err := serial.NewOpener(port.Opener)
	if err != nil {
		return nil, usageError{err}
	}
	if port.Baud == 0 {
		port.Baud = 115200 // a simulated device does not look for the hub
	}
	if o.baud == 0 || o.baud > port.Baud { // a faulty line may be slower
		o.baud = port.Baud
	}
	if port.Name != "" {
		o.name = port.Name
	}
	fault := ""
	return &simulatedLine{
		open: func(context.Context) (serial.Port, error) {
			p, err := opener.Open(port.Port, port.Baud)
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
