//go:build !linux && !darwin

package port

import (
	"context"
	"errors"
)

// A PTY is a pseudo terminal that stands for a serial port. This system has none.
type PTY struct{}

var errNoPTY = errors.New("port: this system has no pseudo terminals: use one end of a pair of serial ports")

// NewPTY returns an error on this system.
func NewPTY(string) (*PTY, error) { return nil, errNoPTY }

// Path returns nothing on this system.
func (p *PTY) Path() string { return "" }

// Open returns an error on this system.
func (p *PTY) Open(context.Context) (Port, error) { return nil, errNoPTY }

// Cut does nothing on this system.
func (p *PTY) Cut() {}

// Restore returns an error on this system.
func (p *PTY) Restore() error { return errNoPTY }

// Close does nothing on this system.
func (p *PTY) Close() error { return nil }
