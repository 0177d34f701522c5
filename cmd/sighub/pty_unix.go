//go:build linux || darwin

package main

import (
	"sighub/carrier/serial/port"
)

func newPTY(link string) (pseudoTerminal, error) {
	p, err := port.NewPTY(link)
	if err != nil {
		return nil, err
	}
	return p, nil
}
