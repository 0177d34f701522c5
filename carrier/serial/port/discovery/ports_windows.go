package discovery

import (
	"fmt"
	"strings"

	"go.bug.st/serial/enumerator"
)

// Ports returns the serial ports that the system knows.
func (s System) Ports() ([]Port, error) {
	list, err := enumerator.GetDetailedPortsList()
	if err != nil {
		return nil, fmt.Errorf("list the serial ports: %w", err)
	}
	var ports []Port
	for _, d := range list {
		p := Port{Path: d.Name}
		if d.IsUSB {
			p.USB = &USB{Vendor: strings.ToLower(d.VID), Product: strings.ToLower(d.PID), Serial: d.SerialNumber,
				Name: strings.TrimSpace(d.Manufacturer + " " + d.Product)}
		}
		ports = append(ports, p)
	}
	return ports, nil
}
