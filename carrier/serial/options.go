package serial

import (
	"cmp"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"sighub/carrier"
	"sighub/carrier/serial/internal/wire"
	"sighub/carrier/serial/port"
	"sighub/carrier/serial/port/discovery"
	"sighub/carrier/serial/port/remote"
)

// Options configure a [Server]. The zero value of each field stands for its default.
type Options struct {
	// Ports are the serial ports to serve. There may be none. If several of them name a port, the one that gives its path
	// applies, or else the first one.
	Ports []PortOptions
	// System is the machine whose ports they are. The zero System is this machine.
	System discovery.System

	// Ask is the silence after which the hub sends a device a PING. Default 1 s.
	Ask time.Duration
	// Timeout is the silence after which a device counts as gone. It must be at least Ask. Default 3 s.
	Timeout time.Duration

	// MaxFrame is the size of the largest frame in bytes, unless the device has less room: 60 to 4096, default 254.
	MaxFrame int
	// Window is how many reliable frames may be unanswered in each direction, unless the device has less room: 1 to 8,
	// default 8.
	Window int

	// MaxSenders is how many senders of a device's dictionary the hub takes. Default 256.
	MaxSenders int

	// Retry is the time after which a sender is offered again that the hub has refused because its name is taken. Default
	// 5 s.
	Retry time.Duration

	// Look is how long a port that only [discovery.Auto] names is looked at for a device of the hub's, before it is let go. Nothing is
	// written to it meanwhile. It is a third of that if what is there is known. Default 30 s.
	Look time.Duration

	// Backoff paces the tries to open a port. Default 100 ms to 2 s.
	Backoff carrier.Backoff

	// Dir is the folder in which the dictionaries of devices are remembered from one run to the next, each until the device
	// starts anew. It is made if it does not exist. Empty: they are remembered in memory only.
	Dir string

	// Recognize says what the text that arrives at a port of devices looks like, and what can be done about it; ok is false if
	// it looks like nothing that is known. The rate is 0 if it does not matter. Nil: nothing is known.
	Recognize func(path string, baud int, text string) (looks, remedy string, ok bool)

	// Login returns the identity of a device with a uid that says HELLO on a port, or why it is not let in, which [PortInfo] shows for as
	// long as the device says HELLO. It is called for each HELLO, under a lock, so it neither waits nor logs. Nil: every device is let
	// in, without an identity.
	Login func(uid, port string) (identity string, err error)

	// Logger gets what happens to ports and devices, and the text that devices print. Nil: nothing is logged.
	Logger *slog.Logger
}

// PortOptions describe one serial port, or those that a pattern names.
type PortOptions struct {
	// Port is the path of a port, as in "/dev/ttyUSB0", or a pattern that names any number of ports: see
	// [discovery.Parse]. A port elsewhere is a path as in package remote.
	Port string
	// Baud is the fixed rate in bits per second. 0: the rate is found. The hub then begins at 115200, tries other usual
	// rates if it hears only noise, and offers faster ones to a device that can do them.
	Baud int
	// MaxBaud is the fastest rate that is offered. Default 1,000,000.
	MaxBaud int
	// Opener opens the port. Nil: the native one of [port.NewOpener], and that of package remote for a port elsewhere. One that is no [port.ModemOpener] asserts both modem lines
	// for a moment, even if they are to stay down.
	Opener port.Opener
	// Name replaces the device's own name. Empty: it keeps its name.
	Name string
	// DTROff and RTSOff deassert these modem lines. Both are asserted by default, as most boards need them; some boards are
	// held in reset by them. The system may assert both for a moment while it opens a port. One alone keeps boards in reset or in
	// their loader that have the usual circuit of an ESP32, so that is logged as a warning.
	DTROff, RTSOff bool
	// May is what the devices may do beside what every client may: see [carrier.Rights].
	May carrier.Rights
	// Naming is copied to [carrier.Client].
	Naming string
	// Settings are those of the port beside its rate and its modem lines, which are above. The opener must be a
	// [port.SettingsOpener] unless they are usual.
	Settings port.Settings
	// Speaker makes what serves a port on which something else is spoken. It is called once for each port. Nil: the port is
	// that of the hub's own devices.
	Speaker func(p discovery.Port) Speaker
	// Exclude means that these ports are left alone. One that is excluded by path is never served; one that is excluded by a
	// pattern is served if other options give its path.
	Exclude bool

	pattern discovery.Pattern
}

func (o Options) withDefaults() (Options, error) {
	o.Ask = cmp.Or(o.Ask, time.Second)
	o.Timeout = cmp.Or(o.Timeout, max(3*time.Second, o.Ask))
	o.MaxFrame = cmp.Or(o.MaxFrame, wire.DefaultFrame)
	o.Window = cmp.Or(o.Window, wire.MaxWindow)
	o.MaxSenders = cmp.Or(o.MaxSenders, 256)
	o.Retry = cmp.Or(o.Retry, 5*time.Second)
	o.Look = cmp.Or(o.Look, 30*time.Second)
	o.Backoff.Min = cmp.Or(o.Backoff.Min, 100*time.Millisecond)
	o.Backoff.Max = cmp.Or(o.Backoff.Max, 2*time.Second)
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if err := wire.CheckLimits(o.MaxFrame, o.Window); err != nil {
		return o, fmt.Errorf("serial: %w", err)
	}
	if o.MaxSenders < 0 {
		return o, fmt.Errorf("serial: the limit of senders must not be negative: %d", o.MaxSenders)
	}
	if o.Ask < 0 || o.Timeout < o.Ask {
		return o, fmt.Errorf("serial: the timeout must be at least the %v after which a device is asked, not %v", o.Ask, o.Timeout)
	}
	o.Ports = append([]PortOptions(nil), o.Ports...)
	seen := make(map[string]bool)
	for i := range o.Ports {
		p := &o.Ports[i]
		pattern, err := discovery.Parse(p.Port)
		if err != nil {
			return o, fmt.Errorf("serial: port %d: %w", i+1, err)
		}
		p.pattern = pattern
		p.MaxBaud = cmp.Or(p.MaxBaud, 1_000_000)
		if err := p.findOpener(); err != nil {
			return o, fmt.Errorf("serial: port %d: %w", i+1, err)
		}
		switch {
		case seen[p.Port]:
			return o, fmt.Errorf("serial: the port %s is given twice: leave one out", p.Port)
		case p.Settings.Check() != nil:
			return o, fmt.Errorf("serial: the port %s: %w", p.Port, p.Settings.Check())
		case p.Baud < 0 || p.MaxBaud < 0:
			return o, fmt.Errorf("serial: the rate of %s must not be negative: %d", p.Port, min(p.Baud, p.MaxBaud))
		}
		seen[p.Port] = true
	}
	return o, nil
}

// findOpener finds the opener if none is given.
func (o *PortOptions) findOpener() error {
	if !o.pattern.Remote() {
		if o.Opener == nil {
			o.Opener, _ = port.NewOpener(port.OpenerNative) // which there is
		}
		return nil
	}
	if o.Opener == nil {
		o.Opener = remote.Opener{}
	}
	scheme, _, err := remote.Split(o.Port)
	if err != nil {
		return err
	}
	return remote.CheckSettings(scheme, o.settings())
}

// settings returns all settings but the rate.
func (o *PortOptions) settings() port.Settings {
	s := o.Settings
	s.DTROff, s.RTSOff = o.DTROff, o.RTSOff
	return s
}

// passive reports whether the port's rate is somebody else's business: that of a server elsewhere that passes bytes.
func (o *PortOptions) passive() bool { return strings.HasPrefix(o.Port, remote.TCP+"://") }
