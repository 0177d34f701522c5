package main

import (
	"context"
	"errors"
	"fmt"

	"sighub/cmd/sighub/internal/sensing"
	"sighub/internal/config"
)

type sensorsCommand struct {
	Scan   bool     `help:"Look for sensors instead."`
	Bus    []string `sep:"none" placeholder:"BUS" help:"Look only on this bus: I2C1, OneWire1 or sim. May be repeated. Default: the kernel's sensors and every I2C bus."`
	Output string   `short:"o" enum:"text,json" default:"text" help:"text, or json: one object a line."`
}

// Help is what --help says in full.
func (*sensorsCommand) Help() string {
	return `It lists the drivers for sensors of the gateway itself, what they measure, and their options in the configuration.

With --scan it lists the sensors that the kernel knows, and the I2C devices that answer at an address of a driver, each with
the line for the configuration. A ? means that only the address is known. Do not scan while a hub uses the same buses.

Examples:

    sighub sensors
    sighub sensors --scan
    sighub sensors --scan --bus I2C1 --output json`
}

// Run lists the drivers, or the sensors that are there.
func (c *sensorsCommand) Run(ctx context.Context, s *streams) error {
	if !c.Scan && len(c.Bus) > 0 {
		return usageError{errors.New("--bus says where to look for sensors: add --scan")}
	}
	if c.Scan {
		var list []config.Bus
		for _, text := range c.Bus {
			bus, err := config.ParseBus(text)
			if err != nil {
				return usageError{fmt.Errorf("--bus: %w", err)}
			}
			list = append(list, bus)
		}
		return (&sensing.Scan{Out: s.out, Note: s.note, JSON: c.Output == "json", Sys: "/sys"}).Run(ctx, list)
	}
	if c.Output == "json" {
		return sensing.ListDriversJSON(s.out)
	}
	return sensing.ListDrivers(s.out)
}
