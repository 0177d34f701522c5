package modbus

import (
	"cmp"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"strings"
	"time"

	"sighub/carrier/serial/port"
	"sighub/hub"
	"sighub/internal/safetext"
	"sighub/sensors/modbus/frame"
	"sighub/sensors/modbus/profile"
)

// Options say which devices are on a bus, and how it is spoken to.
type Options struct {
	// TCP means that the port is a connection to a gateway, on which messages have a header; else they are frames of RTU.
	TCP bool
	// Timeout is how long the answer of a unit may take to begin. Default 500 ms, or 2 s with TCP.
	Timeout time.Duration
	// Pause is the silence before each request. Default 3.5 characters, and never less.
	Pause time.Duration
	// Devices are what is on the bus.
	Devices []Device

	// Settings are those of the port, with its rate: how long a character takes follows from them.
	Settings port.Settings `json:"-"`
}

// A Device is a unit of a bus, or some registers of one, that becomes a sender.
type Device struct {
	ID int // its number on the bus, 1 to 247; with TCP 0 to 255
	// Sender is the sender's name. {port} stands for the last part of the port's path, and {serial} for the serial number of a USB
	// adapter.
	Sender  string
	Kind    string          `json:",omitempty"` // the name of its profile; empty: it has none
	Profile profile.Profile // what it measures
}

// The defaults and bounds of options.
const (
	defaultTimeout    = 500 * time.Millisecond
	defaultTCPTimeout = 2 * time.Second
	maxTimeout        = time.Minute
	maxPause          = time.Second
	maxDevices        = 256
	defaultBaud       = 9600
)

// Check returns what is wrong with the options.
func (o *Options) Check() error {
	switch {
	case len(o.Devices) == 0:
		return errors.New("there is no device: write id, profile and sender, or a list of devices")
	case len(o.Devices) > maxDevices:
		return fmt.Errorf("there are %d devices: a bus has %d at most", len(o.Devices), maxDevices)
	case o.Timeout < 0 || o.Timeout > maxTimeout:
		return fmt.Errorf("timeout %v is out of range: write one up to %v", o.Timeout, maxTimeout)
	case o.Pause < 0 || o.Pause > maxPause:
		return fmt.Errorf("pause %v is out of range: write one up to %v", o.Pause, maxPause)
	}
	seen := make(map[string]bool)
	for i := range o.Devices {
		d := &o.Devices[i]
		if err := d.check(o.TCP); err != nil {
			return err
		}
		if seen[d.Sender] {
			return fmt.Errorf("two devices have the sender %s: give each its own", d.Sender)
		}
		seen[d.Sender] = true
	}
	return nil
}

func (d *Device) check(tcp bool) error {
	if d.Sender == "" {
		return errors.New("the sender is missing: write sender: and the name that listeners are to use")
	}
	if err := checkSender(d.Sender); err != nil {
		return err
	}
	switch {
	case tcp && (d.ID < 0 || d.ID > 255):
		return fmt.Errorf("%s: id %d is out of range: write 1 to 247, or 0 or 255 for the gateway itself", d.Sender, d.ID)
	case !tcp && (d.ID < 1 || d.ID > frame.MaxUnit):
		return fmt.Errorf("%s: id %d is out of range: write the number of the unit on its bus, 1 to %d", d.Sender, d.ID, frame.MaxUnit)
	case len(d.Profile.Registers) == 0:
		return fmt.Errorf("%s: it has no registers: write profile, or registers", d.Sender)
	}
	events := make(map[string]bool)
	for i := range d.Profile.Registers {
		r := &d.Profile.Registers[i]
		if err := r.Check(); err != nil {
			return fmt.Errorf("%s: %s: %w", d.Sender, safetext.Short(r.Event, 64), err)
		}
		if events[r.Event] || r.Event == hub.Connect || r.Event == hub.Disconnect || r.Event == hub.Gap {
			return fmt.Errorf("%s: the event %s is there twice, or is the hub's own: choose another name", d.Sender, r.Event)
		}
		events[r.Event] = true
	}
	return nil
}

func checkSender(sender string) error {
	name := strings.NewReplacer("{port}", "p", "{serial}", "s").Replace(sender)
	if err := safetext.CheckName(name); err != nil {
		return fmt.Errorf("sender %q cannot be a name: %w", safetext.Short(sender, 64), err)
	}
	if strings.ContainsAny(name, "{}") {
		return fmt.Errorf("sender %q: only {port} and {serial} have a meaning: remove the other braces", safetext.Short(sender, 64))
	}
	return nil
}

// A Place is where a Speaker's senders are to be.
type Place struct {
	Path         string             // of the port
	SerialNumber string             // of its USB adapter; empty: there is none
	Router       func() *hub.Router // where the senders are; it is asked once the port is open
	Logger       *slog.Logger       // nil: nothing is logged
}

// sender returns the name of a device's sender at the place.
func (p *Place) sender(name string) string {
	base := filepath.Base(p.Path)
	return strings.NewReplacer("{port}", base, "{serial}", cmp.Or(p.SerialNumber, base)).Replace(name)
}

// timing is what follows from the settings of a line.
type timing struct {
	character time.Duration
	gap       time.Duration // the silence before a frame
	timeout   time.Duration
}

// fastGap is the silence before a frame on lines that are faster than fastBaud, by section 2.5.1.1 of the serial line specification.
const (
	fastBaud = 19200
	fastGap  = 1750 * time.Microsecond
)

func (o *Options) timing() timing {
	if o.TCP {
		return timing{gap: o.Pause, timeout: cmp.Or(o.Timeout, defaultTCPTimeout)}
	}
	s := &o.Settings
	bits := 1 + cmp.Or(s.Data, 8) + 1 // with the start bit and one stop bit
	if s.Parity != "" && s.Parity != port.NoParity {
		bits++
	}
	if s.Stop == port.TwoStop {
		bits++
	}
	baud := cmp.Or(s.Baud, defaultBaud)
	lasts := func(halves int) time.Duration { // of characters; rounded up
		return (time.Duration(halves*bits)*time.Second + time.Duration(2*baud-1)) / time.Duration(2*baud)
	}
	t := timing{character: lasts(2), gap: lasts(7), timeout: cmp.Or(o.Timeout, defaultTimeout)}
	if baud > fastBaud {
		t.gap = max(t.gap, fastGap)
	}
	t.gap = max(t.gap, o.Pause)
	return t
}
