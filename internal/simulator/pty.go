package simulator

import (
	"context"

	"sighub/carrier/serial/port"
)

// A PTY is a pseudo terminal: a line between two programs that looks like a serial port. Not every system has them.
type PTY interface {
	Path() string
	Open(context.Context) (port.Port, error)
	Cut()
	Restore() error
	Close() error
}
