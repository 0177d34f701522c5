//go:build linux || darwin

package simulator

import "sighub/carrier/serial/port"

// NewPTY makes a pseudo terminal. link is made a symbolic link to the end that a hub opens.
func NewPTY(link string) (PTY, error) {
	p, err := port.NewPTY(link)
	if err != nil {
		return nil, err
	}
	return p, nil
}
