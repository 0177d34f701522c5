package serial

import (
	"cmp"
	"fmt"
	"log/slog"
	"time"

	"sighub/carrier"
	"sighub/carrier/serial/internal/wire"
	"sighub/carrier/serial/port"
	"sighub/carrier/serial/port/discovery"
)

// Options configure a [Server]. The zero value of each field stands for its default.
type Options struct {
	// Ports are the serial ports to serve. None is fine: the server then waits for its context to end. A port that
	// several of them name belongs to the first.
	Ports []PortOptions
	// System is the machine whose ports they are. The zero System is this one.
	System discovery.System

	// Ask is after how much silence a device is asked whether it is there. Default 1 s.
	Ask time.Duration
	// Timeout is after how much silence it is gone. Default 3 s; at least Ask.
	Timeout time.Duration

	// MaxFrame is the largest frame in bytes on the line, if the device takes as much: 60 to 4096, default 254.
	MaxFrame int
	// Window is how many reliable frames may be unanswered in each direction, if the device takes as many: 1 to
	// 8, default 8.
	Window int

	// Retry is how often a sender that the hub refused, because another device has one of that name, is offered
	// again. Default 5 s.
	Retry time.Duration

	// Backoff paces the opening of lost ports. Default 100 ms to 2 s.
	Backoff carrier.Backoff

	// Dir is the folder in which dictionaries are remembered from one run to the next; it is made if there is none.
	// Empty: in memory only.
	Dir string

	// Logger is told of ports, devices, and what they print. Nil: nothing is logged.
	Logger *slog.Logger
}

// PortOptions describe one serial port.
type PortOptions struct {
	// Port names the port, as in "/dev/ttyUSB0", or any number of them that come and go: [discovery.Parse] tells how.
	// A device is known by its own uid, wherever it appears.
	Port string
	// Baud is the rate in bits per second, which then stays. 0: automatic. That begins at 115200, and looks for a device
	// that cannot be understood there at other usual rates; one that can do more is offered faster ones.
	Baud int
	// MaxBaud is the fastest rate that is offered. Default 1,000,000.
	MaxBaud int
	// Opener opens the port. Nil: [OpenerNative].
	Opener port.Opener
	// Name is what the device is called. Empty: as it calls itself.
	Name string
	// DTROff and RTSOff keep these modem lines of the port down. Both are up by default, as most boards need it; some are
	// held in reset by them. A port may raise both for a moment when it is opened.
	DTROff, RTSOff bool
	// Naming is copied to [carrier.Client].
	Naming string

	pattern discovery.Pattern
}

func (o Options) withDefaults() (Options, error) {
	o.Ask = cmp.Or(o.Ask, time.Second)
	o.Timeout = cmp.Or(o.Timeout, max(3*time.Second, o.Ask))
	o.MaxFrame = cmp.Or(o.MaxFrame, wire.DefaultFrame)
	o.Window = cmp.Or(o.Window, wire.MaxWindow)
	o.Retry = cmp.Or(o.Retry, 5*time.Second)
	o.Backoff.Min = cmp.Or(o.Backoff.Min, 100*time.Millisecond)
	o.Backoff.Max = cmp.Or(o.Backoff.Max, 2*time.Second)
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if err := wire.CheckLimits(o.MaxFrame, o.Window); err != nil {
		return o, fmt.Errorf("serial: %w", err)
	}
	if o.Ask < 0 || o.Timeout < o.Ask {
		return o, fmt.Errorf("serial: a timeout of %v is less than the %v after which a device is asked", o.Timeout, o.Ask)
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
		if p.Opener == nil {
			p.Opener = port.OpenerFunc(port.Open)
		}
		switch {
		case seen[p.Port]:
			return o, fmt.Errorf("serial: the port %s is given twice", p.Port)
		case p.Baud < 0 || p.MaxBaud < 0:
			return o, fmt.Errorf("serial: %d is no rate for %s", min(p.Baud, p.MaxBaud), p.Port)
		}
		seen[p.Port] = true
	}
	return o, nil
}
