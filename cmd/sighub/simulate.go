package main

import (
	"context"
	"errors"
	"fmt"
	"math"
	"strings"
	"time"

	"sighub/carrier/serial/device"
	"sighub/hub"
)

type simulateCommand struct {
	Port   string        `xor:"line" required:"" placeholder:"PATH" help:"The serial port to be a device on, as in /dev/ttyUSB1?baud=115200."`
	Pty    bool          `xor:"line" required:"" help:"Make a pseudo terminal, print the path of its other end, and be a device on it."`
	Name   string        `placeholder:"NAME" help:"What the device calls itself. A device of the same name is the same device when it comes back; without a name it is another one each time."`
	Sender []string      `sep:"none" placeholder:"NAME:EVENT,..." help:"A sender and its events. May be repeated. Default: light:lux and temperature:celsius."`
	Values string        `enum:"drift,counter" default:"drift" help:"drift: light and temperature that change as over a day. counter: 0, 1, 2, ... for each event, so that nothing lost or doubled goes unseen."`
	Rate   float64       `default:"1" placeholder:"HZ" help:"Readings of each event per second; 0: as many as the line takes. Default: 1."`
	Count  int           `short:"n" placeholder:"N" help:"End once N readings, of all events together, are acknowledged."`
	Fault  string        `placeholder:"HARM,..." help:"Let the line misbehave, as said above."`
	Day    time.Duration `default:"10m" placeholder:"D" help:"How long a day takes for drift. Default: 10m."`
}

// Help implements kong.HelpProvider.
func (*simulateCommand) Help() string {
	return `It speaks the protocol of a real device. At the end it prints how many readings were sent, acknowledged and sent
again, and exits with 0 if all were acknowledged. A request "read" to a sender is answered with its latest values.

With --fault the line does harm, alike for the same seed; what it did is printed as well. Per bit: flip. Per byte: lose,
double, insert. Per frame: drop, repeat. These are chances, as in 1e-4 or 1%. Of all: delay, baud. cut is the mean time
between cuts, away how long each takes; boot=esp32 prints what such a board does when it starts. A prefix to-hub. or
to-device. means one direction.

Examples:

    sighub simulate --pty
    sighub simulate --port /dev/ttyUSB1 --sender light:lux --rate 10
    sighub simulate --pty --values counter --rate 0 --count 10000
    sighub simulate --pty --fault flip=1e-4,drop=1%,delay=2ms..20ms,baud=115200,cut=30s,away=5s,boot=esp32,seed=7`
}

// Run is a device until enough was reported or the user has enough.
func (c *simulateCommand) Run(ctx context.Context, s *streams) error {
	o, err := c.options()
	if err != nil {
		return usageError{err}
	}
	o.refused = func(err error) { s.note("the hub refuses readings: %s", plainly(err.Error())) }
	cable, err := c.cable(&o)
	if err != nil {
		return usageError{err}
	}
	line, err := c.line(&o, s)
	if err != nil {
		return err
	}
	if cable != nil {
		line = line.through(cable)
	}
	sim, err := newSimulator(o, line.open)
	if err != nil {
		return errors.Join(usageError{err}, line.close())
	}
	err = sim.run(ctx)
	sent, acknowledged := sim.counts()
	_, printed := fmt.Fprintf(s.out, "sent %d, acknowledged %d, resent %d\n", sent, acknowledged, sim.device.Stats().Resent)
	if cable != nil && printed == nil {
		_, printed = fmt.Fprintf(s.out, "harm done: %s\n", cable.Stats())
	}
	return errors.Join(err, printed, line.close())
}

// maxRate is the highest rate in readings per second that a line could ever take.
const maxRate = 100_000

func (c *simulateCommand) options() (simulatorOptions, error) {
	o := simulatorOptions{name: c.Name, counter: c.Values == "counter", rate: c.Rate, count: c.Count, day: c.Day}
	switch {
	case math.IsNaN(c.Rate) || c.Rate < 0 || c.Rate > maxRate:
		return o, fmt.Errorf("--rate %v is out of range: give one from 0 (as fast as it goes) to %d", c.Rate, maxRate)
	case c.Count < 0:
		return o, fmt.Errorf("--count %d is out of range: give a number of readings, or leave it out to go on for ever", c.Count)
	case c.Day < time.Second:
		return o, fmt.Errorf("--day %s is too short: give one as in 10m", c.Day)
	}
	texts := c.Sender
	if len(texts) == 0 {
		texts = []string{"light:lux", "temperature:celsius"}
	}
	for _, text := range texts {
		if err := o.addSender(text); err != nil {
			return o, fmt.Errorf("--sender %s: %w", text, err)
		}
	}
	return o, nil
}

// addSender adds a sender from NAME:EVENT,EVENT.
func (o *simulatorOptions) addSender(text string) error {
	name, list, ok := strings.Cut(text, ":")
	if !ok || name == "" || list == "" {
		return errors.New("write a name and its events, as in light:lux or weather:lux,celsius")
	}
	sender := device.Sender{Name: name, Requests: []string{readRequest}}
	for event := range strings.SplitSeq(list, ",") {
		switch event {
		case "", hub.Connect, hub.Disconnect, hub.Gap:
			return fmt.Errorf("%q is no event to report: write names as in light:lux", event)
		}
		sender.Events = append(sender.Events, device.Event{Name: event, Unit: o.unit(name, event)})
	}
	for _, other := range o.senders {
		if other.Name == name {
			return fmt.Errorf("there is a sender %s already: write all its events behind one name", name)
		}
	}
	o.senders = append(o.senders, sender)
	return nil
}
