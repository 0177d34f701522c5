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
	Modbus string   `placeholder:"PORT" help:"With --scan, look for units of Modbus on this bus: a serial port such as /dev/ttyUSB0, or a gateway such as tcp://10.0.0.5:502. Nothing is written to them. Do not scan while a hub, or anybody else, uses the bus."`
	IDs    string   `name:"ids" default:"1-247" placeholder:"N-N" help:"The numbers of the units to be asked. Default: 1-247."`
	Bus    []string `placeholder:"BUS" help:"Look only on this bus: I2C1, OneWire1 or sim. May be repeated. Default: the kernel's sensors and every I2C bus."`
	Output string   `short:"o" enum:"text,json" default:"text" help:"text, or json: one object a line."`
}

// Help is what --help says in full.
func (*sensorsCommand) Help() string {
	return `It lists the drivers for sensors of the gateway itself, what they measure, and their options in the configuration.

With --scan it lists the sensors that the kernel knows, and the I2C devices that answer at an address of a driver, each with
the line for the configuration. A ? means that only the address is known. Do not scan while a hub uses the same buses.

With --scan --modbus it asks each number on a bus whether a unit has it. On a serial port it tries the usual rates and parities, one
after another, until units answer; a rate takes 40 seconds, and PORT?baud=9600&parity=even tries that alone. It prints which profiles
fit, and what to write into the configuration.

Examples:

    sighub sensors
    sighub sensors --scan
    sighub sensors --scan --bus I2C1 --output json
    sighub sensors --scan --modbus /dev/ttyUSB0 --ids 1-32
    sighub sensors --scan --modbus tcp://10.0.0.5:502`
}

// Run lists the drivers, or the sensors that are there.
func (c *sensorsCommand) Run(ctx context.Context, s *streams) error {
	if !c.Scan && len(c.Bus) > 0 {
		return usageError{errors.New("--bus says where to look for sensors: add --scan")}
	}
	if !c.Scan && c.Modbus != "" {
		return usageError{errors.New("--modbus says where to look for units: add --scan")}
	}
	if c.Modbus != "" {
		return c.scanModbus(ctx, s)
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

// scanModbus looks for units on a bus.
func (c *sensorsCommand) scanModbus(ctx context.Context, s *streams) error {
	if len(c.Bus) > 0 {
		return usageError{errors.New("--bus and --modbus: leave one of them out")}
	}
	p, err := config.ParsePort(c.Modbus)
	if err != nil {
		return usageError{fmt.Errorf("--modbus: %w", err)}
	}
	scan := sensing.Modbus{Out: s.out, Note: s.note, JSON: c.Output == "json", Port: p}
	if err := scan.SetIDs(c.IDs); err != nil {
		return usageError{fmt.Errorf("--ids: %w", err)}
	}
	return scan.Run(ctx)
}
