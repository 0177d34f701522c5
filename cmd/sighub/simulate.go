package main

import (
	"context"
	"errors"
	"fmt"
	"math"
	"time"

	"sighub/carrier/serial/fault"
	"sighub/carrier/serial/port"
	"sighub/cmd/sighub/internal/simline"
	"sighub/internal/plain"
	"sighub/internal/simulator"
	"sighub/internal/terminal"
)

type simulateCommand struct {
	Port   string        `xor:"line" required:"" placeholder:"PATH" help:"The serial port to be a device on, such as /dev/ttyUSB1?baud=115200."`
	Pty    bool          `xor:"line" required:"" help:"Make a pseudo terminal, print the path of its other end, and be a device on it."`
	Speaks string        `placeholder:"FORMAT" help:"Print lines instead, as other devices do: json, pairs, csv, number, nmea, mysensors, dsmr or pattern; or answer on a bus: modbus."`
	Unit   []string      `placeholder:"ID:PROFILE" help:"With --speaks modbus, a unit on the bus, and the profile of what it is. May be repeated. Default: 1:xy-md02, 2:sdm120 and 3:relay-8."`
	Name   string        `placeholder:"NAME" help:"The name of the device. Its uid depends on the name, so the same name is the same device; without a name, each run is another device."`
	Sender []string      `placeholder:"NAME:EVENT,..." help:"A sender and its events. May be repeated. Default: light:lux and temperature:celsius."`
	Values string        `enum:"drift,counter" default:"drift" help:"drift: light and temperature change as over a day. counter: each event counts 0, 1, 2, ..., which shows every lost or doubled reading."`
	Rate   float64       `default:"1" placeholder:"HZ" help:"Readings of each event per second; 0: as many as the line can carry. Default: 1."`
	Count  int           `short:"n" placeholder:"N" help:"End when N readings are acknowledged, of all events together."`
	Fault  string        `placeholder:"HARM,..." help:"Let the line misbehave, as described above."`
	Day    time.Duration `default:"10m" placeholder:"D" help:"The length of a day for drift. Default: 10m."`
}

// Help is what --help says in full.
func (*simulateCommand) Help() string {
	return `It speaks the protocol of a real device. At the end it prints how many readings were sent, acknowledged and sent
again. It exits with 0 if all of them were acknowledged. Its senders answer the request "read" with their latest values.

With --fault the line misbehaves, in the same way for the same seed. At the end it prints what the line did. Chances, such as
1e-4 or 1%, are flip for each bit; lose, double and insert for each byte; drop and repeat for each frame. delay and baud apply
to everything. cut is the mean time between cuts, and away is how long each lasts. boot=esp32 prints what such a board prints
when it starts. The prefix to-hub. or to-device. limits a fault to one direction.

With --speaks it is a device that knows nothing of sighub and prints light, temperature and humidity in one of these formats, --rate
times per second, --count times; nmea is a receiver on a boat, dsmr a smart meter. For pattern it prints T=21.5 H=40. With --speaks
modbus it is the units of a bus, which answer what they are asked.

Examples:

    sighub simulate --pty
    sighub simulate --port /dev/ttyUSB1 --sender light:lux --rate 10
    sighub simulate --pty --speaks pairs
    sighub simulate --pty --speaks modbus --unit 7:pzem-004t-v3
    sighub simulate --pty --values counter --rate 0 --count 10000
    sighub simulate --pty --fault flip=1e-4,drop=1%,delay=2ms..20ms,baud=115200,cut=30s,away=5s,boot=esp32,seed=7`
}

// Run is a device until enough is reported or the user interrupts it.
func (c *simulateCommand) Run(ctx context.Context, s *streams) error {
	o, err := c.options()
	if err != nil {
		return usageError{err}
	}
	switch {
	case c.Speaks == simulator.Modbus:
		return c.answerModbus(ctx, &o, s)
	case len(c.Unit) > 0:
		return usageError{errors.New("--unit is for a bus of Modbus: add --speaks modbus")}
	case c.Speaks != "":
		return c.printLines(ctx, &o, s)
	}
	o.Refused = func(err error) { s.note("the hub refuses readings: %s", plain.Text(err.Error())) }
	cable, err := c.cable(&o)
	if err != nil {
		return usageError{err}
	}
	line, err := c.line(&o, s, cable, "")
	if err != nil {
		return err
	}
	sim, err := simulator.New(o, line.Open)
	if err != nil {
		return errors.Join(usageError{err}, line.Close())
	}
	err = sim.Run(ctx)
	sent, acknowledged := sim.Counts()
	printed := terminal.Line(s.out, "sent %d, acknowledged %d, resent %d", sent, acknowledged, sim.Resent())
	if cable != nil && printed == nil {
		printed = terminal.Line(s.out, "harm done: %s", cable.Stats())
	}
	return errors.Join(err, printed, line.Close())
}

// line returns the line that the command line names, with the harm of cable, and sets its rate in o. It prints the path of a pseudo
// terminal, and how to serve the device there; query is what the hub must know of the device.
func (c *simulateCommand) line(o *simulator.Options, s *streams, cable *fault.Cable, query string) (*simline.Line, error) {
	line, err := c.open(o, s, query)
	if err == nil && cable != nil {
		line = line.Through(cable)
	}
	return line, err
}

func (c *simulateCommand) open(o *simulator.Options, s *streams, query string) (*simline.Line, error) {
	if !c.Pty {
		line, err := simline.Port(c.Port, o, func(err error) { s.note("%s: trying again until the port can be opened", err) })
		if err != nil {
			err = usageError{err}
		}
		return line, err
	}
	line, path, err := simline.Pty()
	if err != nil {
		return nil, err
	}
	if err := terminal.Line(s.out, "%s", path); err != nil {
		return nil, errors.Join(err, line.Close())
	}
	serve := path
	if query != "" {
		serve = "'" + path + "?" + query + "'"
	}
	s.note("to serve this device, run `sighub run --serial %s`", serve)
	return line, nil
}

// cable returns the cable that --fault describes, or nil without --fault.
func (c *simulateCommand) cable(o *simulator.Options) (*fault.Cable, error) {
	if c.Fault == "" {
		return nil, nil
	}
	harm, err := fault.Parse(c.Fault)
	if err != nil {
		return nil, fmt.Errorf("--fault: %s", plain.Text(err.Error()))
	}
	o.Baud = harm.ToHub.Baud
	return fault.New(harm)
}

// printLines is a device that prints lines.
func (c *simulateCommand) printLines(ctx context.Context, o *simulator.Options, s *streams) error {
	printer, err := simulator.NewLinePrinter(simulator.LinesOptions{Format: c.Speaks, Rate: c.Rate, Count: c.Count, Day: c.Day})
	if err != nil {
		return usageError{fmt.Errorf("--speaks: %w", err)}
	}
	if c.Name != "" || len(c.Sender) > 0 {
		return usageError{errors.New("a device that prints lines says no names: leave --name and --sender out")}
	}
	return c.beForeign(ctx, o, s, printer, func() error { return terminal.Line(s.out, "printed %d times", printer.Printed()) })
}

// units returns the units of a bus.
func (c *simulateCommand) units() []string {
	if len(c.Unit) > 0 {
		return c.Unit
	}
	return simulator.DefaultUnits()
}

// answerModbus is the units of a bus.
func (c *simulateCommand) answerModbus(ctx context.Context, o *simulator.Options, s *streams) error {
	bus, err := simulator.NewModbusBus(c.units(), c.Day)
	if err != nil {
		return usageError{fmt.Errorf("--unit: %w", err)}
	}
	if c.Name != "" || len(c.Sender) > 0 || c.Count > 0 {
		return usageError{errors.New("units of Modbus have no names, and speak when they are asked: leave --name, --sender and --count out")}
	}
	return c.beForeign(ctx, o, s, bus, func() error { return terminal.Line(s.out, "answered %d times", bus.Answered()) })
}

// A foreignDevice knows nothing of sighub's protocol.
type foreignDevice interface {
	Query() string // what the hub must know of it
	Run(ctx context.Context, open func(context.Context) (port.Port, error)) error
}

// beForeign is the device on the line of the command line until it has done enough or ctx is done. Then summary prints what it did.
func (c *simulateCommand) beForeign(ctx context.Context, o *simulator.Options, s *streams, device foreignDevice, summary func() error) error {
	cable, err := c.cable(o)
	if err != nil {
		return usageError{err}
	}
	line, err := c.line(o, s, cable, device.Query())
	if err != nil {
		return err
	}
	err = device.Run(ctx, line.Open)
	return errors.Join(err, summary(), line.Close())
}

// maxRate is more readings per second than any line can carry.
const maxRate = 100_000

func (c *simulateCommand) options() (simulator.Options, error) {
	o := simulator.Options{Name: c.Name, Counter: c.Values == "counter", Rate: c.Rate, Count: c.Count, Day: c.Day}
	switch {
	case math.IsNaN(c.Rate) || c.Rate < 0 || c.Rate > maxRate:
		return o, fmt.Errorf("--rate %v is out of range: give one from 0 (as fast as the line allows) to %d", c.Rate, maxRate)
	case c.Count < 0:
		return o, fmt.Errorf("--count must not be negative, but it is %d: give a number of readings, or leave it out to go on without end", c.Count)
	case c.Day < time.Second:
		return o, fmt.Errorf("--day %s is too short: give 1s or more, such as 10m", c.Day)
	}
	texts := c.Sender
	if len(texts) == 0 {
		texts = []string{"light:lux", "temperature:celsius"}
	}
	for _, text := range texts {
		if err := o.AddSender(text); err != nil {
			return o, fmt.Errorf("--sender %s: %w", text, err)
		}
	}
	return o, nil
}
