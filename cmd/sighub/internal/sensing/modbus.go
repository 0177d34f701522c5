package sensing

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"

	"sighub/carrier/serial/port"
	"sighub/internal/config"
	"sighub/internal/gateway"
	"sighub/internal/terminal"
	"sighub/sensors/modbus"
	"sighub/sensors/modbus/frame"
)

// A Modbus looks for units on a bus and prints them.
type Modbus struct {
	Out  io.Writer
	Note func(format string, args ...any) // is told what is not a result
	JSON bool
	Port config.Port

	first, last int
	found       []modbus.Found
}

// A foundUnit describes a unit that was found, as JSON.
type foundUnit struct {
	Port     string   `json:"port"`
	ID       int      `json:"id"`
	Baud     int      `json:"baud,omitempty"`
	Parity   string   `json:"parity,omitempty"`
	Damaged  bool     `json:"damaged,omitempty"` // what it says cannot be read
	Refusal  string   `json:"refusal,omitempty"` // what it said to the first request
	Profiles []string `json:"profiles,omitempty"`
}

// SetIDs sets which units are asked: 7, or 1-32.
func (c *Modbus) SetIDs(text string) error {
	first, last, several := strings.Cut(text, "-")
	if !several {
		last = first
	}
	var errs [2]error
	c.first, errs[0] = strconv.Atoi(first)
	c.last, errs[1] = strconv.Atoi(last)
	if errors.Join(errs[:]...) != nil || c.first < 1 || c.last < c.first || c.last > frame.MaxUnit {
		return fmt.Errorf("%q is no range of units: write one such as 1-32, within 1-%d", text, frame.MaxUnit)
	}
	return nil
}

// Run looks for units until all were asked or ctx is done, and prints those that it has found.
func (c *Modbus) Run(ctx context.Context) error {
	err := gateway.ScanModbus(ctx, &c.Port, modbus.Scan{
		First: c.first, Last: c.last,
		Progress: func(s port.Settings) {
			if s.Baud > 0 {
				c.Note("asking units %d to %d at %d baud, parity %s", c.first, c.last, s.Baud, parity(s))
			}
		},
		Found: func(f modbus.Found) { c.found = append(c.found, f) },
	})
	if len(c.found) == 0 && err == nil {
		c.Note("no unit has answered: check power and wires, that A and B are not exchanged, and that nobody else uses the bus")
	}
	return errors.Join(c.print(), err)
}

func parity(s port.Settings) string {
	if s.Parity == "" {
		return string(port.NoParity)
	}
	return string(s.Parity)
}

func (c *Modbus) print() error {
	if c.JSON {
		list := make([]foundUnit, len(c.found))
		for i, f := range c.found {
			list[i] = foundUnit{Port: c.Port.Port, ID: f.ID, Baud: f.Settings.Baud, Damaged: f.Damaged, Refusal: f.Refusal, Profiles: f.Profiles}
			if f.Settings.Baud > 0 {
				list[i].Parity = parity(f.Settings)
			}
		}
		return terminal.JSON(c.Out, list)
	}
	if len(c.found) == 0 {
		return nil
	}
	rows := make([][]string, len(c.found))
	readable := false
	for i, f := range c.found {
		rate, says := "-", "answers"
		if f.Settings.Baud > 0 {
			rate = fmt.Sprintf("%d %s", f.Settings.Baud, parity(f.Settings))
		}
		switch {
		case f.Damaged:
			says = "cannot be read: another rate, or two units with this number?"
		case f.Refusal != "":
			says = "answers: " + f.Refusal
		}
		readable = readable || !f.Damaged
		rows[i] = []string{strconv.Itoa(f.ID), rate, orDash(f.Profiles), says}
	}
	if err := terminal.Table(c.Out, "ID\tBAUD\tLOOKS LIKE\tSAYS", rows); err != nil || !readable {
		return err
	}
	return c.printEntry()
}

// printEntry prints what to write into the configuration.
func (c *Modbus) printEntry() error {
	var settings []string
	for _, f := range c.found {
		if !f.Damaged && f.Settings.Baud > 0 {
			settings = append(settings, fmt.Sprintf("    baud: %d", f.Settings.Baud))
			if parity(f.Settings) != string(port.NoParity) {
				settings = append(settings, "    parity: "+parity(f.Settings))
			}
			break
		}
	}
	lines := []string{"", "In the configuration:", "", "serial:", "  - port: " + gateway.Quoted(c.Port.Port)}
	lines = append(append(lines, settings...), "    speaks: modbus", "    devices:")
	for _, f := range c.found {
		if f.Damaged {
			continue
		}
		profile := "…" // which the user must choose or write
		if len(f.Profiles) == 1 {
			profile = f.Profiles[0]
		}
		lines = append(lines, fmt.Sprintf("      - {id: %d, profile: %s, sender: unit%d}", f.ID, profile, f.ID))
	}
	for _, line := range lines {
		if err := terminal.Line(c.Out, "%s", line); err != nil {
			return err
		}
	}
	return nil
}
