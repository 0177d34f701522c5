//go:build !linux && !windows

package discovery

import (
	"fmt"
	"regexp"

	bugst "go.bug.st/serial"
)

// adapter matches the names that USB adapters have: /dev/cu.usbserial-1410, /dev/cu.usbmodem14101, /dev/cuaU0,
// /dev/ttyU0.
var adapter = regexp.MustCompile(`^/dev/(cu\.(usb|wchusb|SLAB_USB).*|cuaU\d+|ttyU\d+)$`)

// Ports lists the serial ports that the system knows. Adapters are known by their names: what they say of themselves
// can only be had with a C compiler here.
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
