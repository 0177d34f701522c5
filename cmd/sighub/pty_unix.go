//go:build linux || darwin

package main

import "sighub/carrier/serial"

func newPTY(link string) (pseudoTerminal, error) {
	p, err := serial.NewPTY(link)
	if err != nil {
		return nil, err
	}
	return p, nil
}
