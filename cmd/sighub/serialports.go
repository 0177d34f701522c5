package main

import (
	"context"
	"log/slog"

	"sighub/carrier"
	"sighub/carrier/serial"
	"sighub/carrier/serial/port"
	"sighub/hub"
	"sighub/internal/config"
	"sighub/internal/guard"
)

// serialPorts returns the carrier for the serial ports of a configuration. It opens them when it is served. It remembers
// dictionaries in dir, if that is not empty.
func serialPorts(cfg *config.Config, dir string, doors *guard.Guard, log *slog.Logger) (*serial.Server, error) {
	o := serial.Options{Dir: dir, MaxSenders: cfg.Limits.Senders, Login: doors.Device, Logger: log}
	for _, p := range cfg.Serial {
		opener, err := port.NewOpener(p.Opener)
		if err != nil {
			return nil, err
		}
		o.Ports = append(o.Ports, serial.PortOptions{
			Port: p.Port, Baud: p.Baud, Opener: opener, Name: p.Name, Naming: p.Naming, DTROff: p.DTROff, RTSOff: p.RTSOff,
			May: p.May,
		})
	}
	return serial.Listen(o)
}

// methodListPorts is the method of the hub that returns a list of serial.PortInfo. It takes no parameters.
const methodListPorts = "list_ports"

func portMethods(ports *serial.Server) map[string]hub.Method {
	return map[string]hub.Method{
		methodListPorts: func(context.Context, carrier.Value) (any, error) { return ports.Ports(), nil },
	}
}
