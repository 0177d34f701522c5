// Package sensing prints which sensors a gateway can have of its own: the drivers that there are, and what is found on the machine.
package sensing

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"

	"sighub/internal/config"
	"sighub/internal/gateway"
	"sighub/internal/terminal"
	"sighub/sensors/drivers"
	"sighub/sensors/kernel"
)

// A Scan looks for sensors and prints them.
type Scan struct {
	Out  io.Writer
	Note func(format string, args ...any) // is told what is not a result
	JSON bool
	Sys  string // where the kernel's sensors are
	rows []foundSensor
}

// A foundSensor describes a sensor that was found, as JSON.
type foundSensor struct {
	Kernel   string         `json:"kernel,omitempty"` // its name among the kernel's sensors
	Kind     string         `json:"kind,omitempty"`
	Path     string         `json:"path,omitempty"`
	Bus      string         `json:"bus,omitempty"`
	Address  string         `json:"address,omitempty"`
	Drivers  []string       `json:"drivers,omitempty"` // those that may fit
	Sure     bool           `json:"sure"`              // the device has identified itself
	Measures []quantityInfo `json:"measures,omitempty"`
	Unknown  []string       `json:"unknown,omitempty"` // values that are there and not understood
}

// Run looks for sensors on these buses. Without any, it looks among the kernel's sensors and on every I2C bus. If a bus fails,
// it still looks on the others.
func (c *Scan) Run(ctx context.Context, list []config.Bus) error {
	if len(list) == 0 {
		for _, f := range kernel.Scan(kernel.Options{Root: c.Sys}) {
			c.rows = append(c.rows, foundSensor{Kernel: f.Name, Kind: f.Kind, Path: f.Path, Sure: true,
				Measures: quantityInfos(f.Quantities)})
		}
		for _, l := range kernel.Leftovers(kernel.Options{Root: c.Sys}) {
			c.rows = append(c.rows, foundSensor{Kernel: l.Name, Kind: l.Kind, Path: l.Path, Unknown: l.Values})
		}
		var err error
		if list, err = gateway.I2CBuses("/dev"); err != nil {
			return err
		}
		if len(list) == 0 {
			c.Note("there is no I2C bus: on a Raspberry Pi, switch it on with dtparam=i2c_arm=on in config.txt")
		}
	}
	var failed error
	for _, bus := range list {
		failed = errors.Join(failed, c.bus(ctx, bus))
	}
	if len(c.rows) == 0 && failed == nil {
		c.Note("no sensor was found")
	}
	return errors.Join(c.print(), failed)
}

func (c *Scan) bus(ctx context.Context, bus config.Bus) error {
	found, err := gateway.Scan(ctx, bus)
	for _, f := range found {
		row := foundSensor{Bus: bus.String(), Address: fmt.Sprintf("%#x", f.Addr), Drivers: f.Drivers, Sure: f.Sure}
		if len(f.Drivers) == 1 {
			if d, err := drivers.Find(f.Drivers[0]); err == nil {
				row.Measures = quantityInfos(d.Quantities)
			}
		}
		c.rows = append(c.rows, row)
	}
	return err
}

func (c *Scan) print() error {
	if c.JSON {
		return terminal.JSON(c.Out, c.rows)
	}
	if len(c.rows) == 0 {
		return nil
	}
	rows := make([][]string, len(c.rows))
	for i := range c.rows {
		rows[i] = c.rows[i].cells()
	}
	return terminal.Table(c.Out, "PLACE\tADDRESS\tSENSOR\tMEASURES\tIN THE CONFIGURATION", rows)
}

func (f *foundSensor) cells() []string {
	var names []string
	for _, q := range f.Measures {
		names = append(names, q.Name)
	}
	if len(f.Unknown) > 0 {
		return []string{"kernel", "-", f.Kernel + " (" + f.Kind + ")", "not understood: " + strings.Join(f.Unknown, ", "), "-"}
	}
	if f.Kernel != "" {
		return []string{"kernel", "-", f.Kernel + " (" + f.Kind + ")", orDash(names), "{kernel: " + f.Kernel + "}"}
	}
	if len(f.Drivers) == 0 {
		return []string{f.Bus, f.Address, "no driver", "-", "-"}
	}
	sensor := strings.Join(f.Drivers, " or ")
	if !f.Sure {
		sensor += "?"
	}
	driver, bus := "…", f.Bus // if several drivers fit, the user must choose
	if len(f.Drivers) == 1 {
		driver = f.Drivers[0]
	}
	if strings.ContainsRune(bus, '?') {
		bus = strconv.Quote(bus)
	}
	return []string{f.Bus, f.Address, sensor, orDash(names),
		fmt.Sprintf("{driver: %s, bus: %s, address: %s}", driver, bus, f.Address)}
}
