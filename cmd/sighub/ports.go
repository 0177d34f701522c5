package main

import (
	"log/slog"

	"sighub/carrier"
	"sighub/carrier/serial"
	"sighub/internal/config"
)

// serialPorts returns the carrier of these serial ports, which it opens once it is served. dir is where it remembers
// dictionaries; empty: nowhere.
func serialPorts(ports []config.Port, dir string, log *slog.Logger) (carrier.Carrier, error) {
	o := serial.Options{Dir: dir, Logger: log}
	for _, p := range ports {
		opener, err := serial.NewOpener(p.Opener)
		if err != nil {
			return nil, err
		}
		o.Ports = append(o.Ports, serial.PortOptions{
			Path: p.Path, Baud: p.Baud, Opener: opener, Name: p.Name, Naming: p.Naming,
		})
	}
	return serial.New(o)
}
