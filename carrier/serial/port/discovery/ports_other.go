//go:build !linux && !windows

package discovery

import (
	"fmt"
	"regexp"

	bugst "go.bug.st/serial"
)

// adapter matches the names of USB adapters: /dev/cu.usbserial-1410, /dev/cu.usbmodem14101, /dev/cuaU0,
// /dev/ttyU0.
var adapter = regexp.MustCompile(`^/dev/(cu\.(usb|wchusb|SLAB_USB).*|cuaU\d+|ttyU\d+)$`)

// Ports returns the serial ports that the system knows. It knows adapters by their names, because their descriptions are only
// available to C.
func (s System) Ports() ([]Port, error) {
	paths, err := bugst.GetPortsList()
	if err != nil {
		return nil, fmt.Errorf("list the serial ports: %w", err)
	}
	var ports []Port
	for _, path := range paths {
		p := Port{Path: path}
		if adapter.MatchString(path) {
			p.USB = &USB{}
		}
		ports = append(ports, p)
	}
	return ports, nil
}
