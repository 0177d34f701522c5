//go:build !linux && !darwin

package simulator

import "errors"

// NewPTY returns an error: this system has no pseudo terminals.
func NewPTY(string) (PTY, error) {
	return nil, errors.New("this system has no pseudo terminals: use `sighub simulate --port` on a pair of connected serial ports")
}
