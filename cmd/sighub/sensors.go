package main

import (
	"context"
	"errors"
	"fmt"
	"math"
	"strings"

	"sighub/internal/config"
	"sighub/internal/terminal"
	"sighub/sensors"
	"sighub/sensors/drivers"
)

type sensorsCommand struct {
	Scan   bool     `help:"Look for sensors instead."`
	Bus    []string `sep:"none" placeholder:"BUS" help:"Look only on this bus: I2C1, OneWire1 or sim. May be repeated. Default: the kernel's sensors and every I2C bus."`
	Output string   `short:"o" enum:"text,json" default:"text" help:"text, or json: one object a line."`
}

// Help implements kong.HelpProvider.
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
		return (&scan{s: s, json: c.Output == "json", sys: "/sys"}).run(ctx, list)
	}
	if c.Output == "json" {
		return listDriversJSON(s)
	}
	return listDrivers(s)
}

func listDrivers(s *streams) error {
	var rows [][]string
	for _, d := range drivers.Catalogue() {
		device, _, _ := strings.Cut(d.Summary, ": ")
		rows = append(rows, []string{d.Name, d.Bus, orDash(hexAll(d.Addresses)), orDash(measures(d.Quantities)), orDash(d.Options), device})
	}
	return terminal.Table(s.out, "DRIVER\tBUS\tADDRESSES\tMEASURES\tOPTIONS\tDEVICE", rows)
}

func hexAll(addresses []uint16) []string {
	list := make([]string, len(addresses))
	for i, a := range addresses {
		list[i] = fmt.Sprintf("%#x", a)
	}
	return list
}

func measures(quantities []sensors.Quantity) []string {
	list := make([]string, len(quantities))
	for i, q := range quantities {
		list[i] = q.Name
		if q.Unit != "" {
			list[i] += " (" + q.Unit + ")"
		}
	}
	return list
}

// A driverInfo is a driver as JSON.
type driverInfo struct {
	Driver    string         `json:"driver"`
	Device    string         `json:"device"`
	Bus       string         `json:"bus"`
	Addresses []string       `json:"addresses,omitempty"` // none on 1-Wire, where each device has its own
	Measures  []quantityInfo `json:"measures"`
	Options   []string       `json:"options"`
}

// A quantityInfo is a quantity as JSON, without what is not known.
type quantityInfo struct {
	Name       string   `json:"name"`
	Unit       string   `json:"unit,omitempty"`
	Min        *float64 `json:"min,omitempty"`
	Max        *float64 `json:"max,omitempty"`
	Resolution float64  `json:"resolution,omitempty"`
}

func quantityInfos(quantities []sensors.Quantity) []quantityInfo {
	list := make([]quantityInfo, len(quantities))
	for i, q := range quantities {
		list[i] = quantityInfo{Name: q.Name, Unit: q.Unit, Resolution: short(q.Resolution)}
		if q.Min != 0 || q.Max != 0 {
			least, most := short(q.Min), short(q.Max)
			list[i].Min, list[i].Max = &least, &most
		}
	}
	return list
}

// short rounds to four significant digits: data sheets mean no more.
func short(v float64) float64 {
	if v == 0 {
		return 0
	}
	unit := math.Pow(10, 3-math.Floor(math.Log10(math.Abs(v))))
	return math.Round(v*unit) / unit
}

func listDriversJSON(s *streams) error {
	var list []driverInfo
	for _, d := range drivers.Catalogue() {
		device, _, _ := strings.Cut(d.Summary, ": ")
		list = append(list, driverInfo{Driver: d.Name, Device: device, Bus: d.Bus, Addresses: hexAll(d.Addresses),
			Measures: quantityInfos(d.Quantities), Options: append([]string{}, d.Options...)})
	}
	return terminal.JSON(s.out, list)
}
