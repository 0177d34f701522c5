package main

import (
	"context"
	"fmt"

	"sighub/internal/config"
	"sighub/internal/gateway"
	"sighub/internal/terminal"
)

type tryCommand struct {
	Port   string `arg:"" help:"The port: a path, to which ? and keys of the configuration file may be added."`
	Baud   string `default:"auto" placeholder:"RATE" help:"The rate of the port, or auto, which finds it. Default: auto."`
	Format string `short:"f" placeholder:"FORMAT" help:"What to take the lines for: json, pairs, csv, number, nmea, mysensors, dsmr or pattern. Default: what they look like."`
	Count  int    `short:"n" placeholder:"N" help:"End after N lines."`
}

// Help is what --help says in full.
func (*tryCommand) Help() string {
	return `It prints each line that a device prints, and what a format makes of it, until it is interrupted. It writes nothing to the device,
and tells what to write into the configuration file, once it knows what the lines look like. A port that a hub serves is busy: stop the hub
first, or see what ` + "`sighub ports`" + ` says of the port.

Examples:

    sighub try /dev/ttyUSB0
    sighub try /dev/ttyUSB0 --baud 4800 --format nmea
    sighub try '/dev/ttyUSB0?format=csv&columns=temp,hum&decimal=comma'
    sighub try '/dev/ttyUSB0?data=7&parity=even&format=pattern&pattern=T(?P<temp>[0-9.]+)' --baud 300`
}

// Run tries until enough lines were read or the user interrupts it.
func (c *tryCommand) Run(ctx context.Context, s *streams) error {
	p, err := config.ParseTrial(c.Port, c.Baud, c.Format)
	if err != nil {
		return usageError{err}
	}
	if c.Count < 0 {
		return usageError{fmt.Errorf("--count must not be negative, but it is %d", c.Count)}
	}
	var printed error
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	t := gateway.Trial{Port: p, Count: c.Count, Report: func(line string) {
		if err := terminal.Line(s.out, "%s", line); err != nil && printed == nil {
			printed = err
			stop()
		}
	}}
	if err := t.Run(ctx); err != nil {
		return err
	}
	return printed
}
