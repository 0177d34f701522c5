package main

import (
	"context"
	"log/slog"

	"sighub/carrier"
	"sighub/carrier/serial"
	"sighub/hub"
	"sighub/internal/config"
	"sighub/internal/gateway"
)

// serialPorts returns the carrier for the serial ports of a configuration. It opens them when it is served. It remembers
// dictionaries in dir, if that is not empty. The router is that of the senders that print lines.
func serialPorts(cfg *config.Config, dir string, router func() *hub.Router, log *slog.Logger) (*serial.Server, error) {
	ports, err := gateway.Ports(cfg, router, log)
	if err != nil {
		return nil, err
	}
	return serial.Listen(serial.Options{Ports: ports, Dir: dir, MaxSenders: cfg.Limits.Senders, Recognize: gateway.Recognize, Logger: log})
}

// methodListPorts is the method of the hub that returns a list of serial.PortInfo. It takes no parameters.
const methodListPorts = "list_ports"

func portMethods(ports *serial.Server) map[string]hub.Method {
	return map[string]hub.Method{
		methodListPorts: func(context.Context, carrier.Value) (any, error) { return ports.Ports(), nil },
	}
}
