package main

import (
	"context"
	"fmt"
	"io"

	"sighub/carrier/serial/fault"
	"sighub/carrier/serial/port"
)

// cable returns the cable that --fault describes; nil if there is none.
func (c *simulateCommand) cable(o *simulatorOptions) (*fault.Cable, error) {
	if c.Fault == "" {
		return nil, nil
	}
	harm, err := fault.Parse(c.Fault)
	if err != nil {
		return nil, fmt.Errorf("--fault: %s", plainly(err.Error()))
	}
	o.baud = harm.ToHub.Baud
	return fault.New(harm)
}

// through puts a cable between the line and the device. A cut of a pseudo terminal is seen at its other end as well;
// at the other end of a serial port it is silence.
func (l *simulatedLine) through(cable *fault.Cable) *simulatedLine {
	open := func(ctx context.Context) (port.Port, error) {
		if l.pty == nil {
			return l.open(ctx)
		}
		if err := l.pty.Restore(); err != nil {
			return nil, err
		}
		port, err := l.pty.Open(ctx)
		return cutPort{port, l.pty}, err
	}
	return &simulatedLine{
		open: func(ctx context.Context) (port.Port, error) {
			return cable.Open(fault.DeviceEnd, func() (io.ReadWriteCloser, error) { return open(ctx) })
		},
		close: l.close,
	}
}

// A cutPort is a device's end of a pseudo terminal that is cut when the device loses it.
type cutPort struct {
	port.Port
	pty pseudoTerminal
}

func (p cutPort) Close() error {
	err := p.Port.Close() // wakes Read and Write
	p.pty.Cut()
	return err
}
