//go:build !linux && !darwin

package main

import "errors"

func newPTY(string) (pseudoTerminal, error) {
	return nil, errors.New("this system has no pseudo terminals: use `sighub simulate --port` on a pair of connected serial ports")
}
