package port

import (
	"errors"
	"fmt"
	"time"
)

// Settings are how a port is opened. The zero value of each field stands for what most devices need, except for Baud.
type Settings struct {
	Baud   int      // bits per second
	Data   int      // data bits, 5 to 8; 0: 8
	Parity Parity   // empty: none
	Stop   StopBits // empty: one
	Flow   Flow     // empty: none
	// DTROff and RTSOff keep these modem lines down: see [ModemOpener].
	DTROff, RTSOff bool
	// Fresh means that bytes which arrived before, for somebody else, are dropped as far as the system has them.
	Fresh bool
	// RS485 has the port's driver switch the direction of a line on which both sides share the wires. Nil: it does not.
	RS485 *RS485
	// Break is how long the line is held in a break when the port is opened, up to [MaxBreak]: some devices begin then. 0: not at all.
	Break time.Duration
}

// MaxBreak is the longest break. A device takes what lasts longer than one byte for one.
const MaxBreak = 2 * time.Second

// A Parity is what the parity bit of each byte says.
type Parity string

// The parities.
const (
	NoParity    Parity = "none"  // there is no such bit
	EvenParity  Parity = "even"  // the number of ones is even
	OddParity   Parity = "odd"   //
	MarkParity  Parity = "mark"  // always 1
	SpaceParity Parity = "space" // always 0
)

// StopBits are how many bits end a byte.
type StopBits string

// The numbers of stop bits.
const (
	OneStop     StopBits = "1"
	OneHalfStop StopBits = "1.5" // with 5 data bits only
	TwoStop     StopBits = "2"
)

// A Flow is how one side tells the other to wait.
type Flow string

// The kinds of flow control.
const (
	NoFlow  Flow = "none"
	RTSCTS  Flow = "rtscts"  // by wires; the driver then has RTS
	XONXOFF Flow = "xonxoff" // by the bytes 0x11 and 0x13
)

// RS485 says how a driver switches the direction of a line of two wires. Most adapters switch it by themselves, and have no driver that
// can be told.
type RS485 struct {
	// Inverted means that RTS is low while sending.
	Inverted bool
	// Before and After are how long the direction is switched before the first and after the last bit, in whole milliseconds.
	Before, After time.Duration
	// Echo means that the port hears what it sends.
	Echo bool
}

// ErrSettings says that a port, or an opener, cannot have these settings.
var ErrSettings = errors.New("port: these settings are not possible")

// A SettingsOpener is an Opener that takes all settings. The error wraps [ErrSettings] if the port cannot have them.
type SettingsOpener interface {
	Opener
	OpenWith(path string, s Settings) (Port, error)
}

// Check returns what is wrong with the settings.
func (s *Settings) Check() error {
	switch {
	case s.Data != 0 && (s.Data < 5 || s.Data > 8):
		return fmt.Errorf("%w: %d data bits: there are 5 to 8", ErrSettings, s.Data)
	case s.Stop == OneHalfStop && s.Data != 5:
		return fmt.Errorf("%w: 1.5 stop bits need 5 data bits: write 1 or 2", ErrSettings)
	case s.Stop == TwoStop && s.Data == 5:
		return fmt.Errorf("%w: with 5 data bits there are 1 or 1.5 stop bits", ErrSettings)
	case s.Flow == RTSCTS && s.RTSOff:
		return fmt.Errorf("%w: with the flow control rtscts, RTS cannot be off", ErrSettings)
	case s.Flow == RTSCTS && s.RS485 != nil:
		return fmt.Errorf("%w: RS-485 uses RTS, and so does the flow control rtscts: leave one of them out", ErrSettings)
	case s.RS485 != nil && (s.RS485.Before < 0 || s.RS485.After < 0 || max(s.RS485.Before, s.RS485.After) > time.Second):
		return fmt.Errorf("%w: RS-485 switches its direction up to 1s before and after", ErrSettings)
	}
	if s.Break < 0 || s.Break > MaxBreak {
		return fmt.Errorf("%w: a break lasts up to %s", ErrSettings, MaxBreak)
	}
	switch s.Parity {
	case "", NoParity, EvenParity, OddParity, MarkParity, SpaceParity:
	default:
		return fmt.Errorf("%w: there is no parity %q", ErrSettings, s.Parity)
	}
	switch s.Stop {
	case "", OneStop, OneHalfStop, TwoStop:
	default:
		return fmt.Errorf("%w: there are no %q stop bits", ErrSettings, s.Stop)
	}
	switch s.Flow {
	case "", NoFlow, RTSCTS, XONXOFF:
	default:
		return fmt.Errorf("%w: there is no flow control %q", ErrSettings, s.Flow)
	}
	return nil
}

// Usual reports whether the settings are those of nearly all devices, which every opener knows: any rate, 8 data bits, no parity, one stop
// bit, no flow control, no RS-485, no break.
func (s *Settings) Usual() bool {
	return (s.Data == 0 || s.Data == 8) && (s.Parity == "" || s.Parity == NoParity) && (s.Stop == "" || s.Stop == OneStop) &&
		(s.Flow == "" || s.Flow == NoFlow) && s.RS485 == nil && s.Break == 0
}

// An openerFunc is a function that opens a port with all settings.
type openerFunc func(path string, s Settings) (Port, error)

// Open implements [Opener].
func (f openerFunc) Open(path string, baud int) (Port, error) { return f(path, Settings{Baud: baud}) }

// OpenModem implements [ModemOpener].
func (f openerFunc) OpenModem(path string, baud int, dtr, rts bool) (Port, error) {
	return f(path, Settings{Baud: baud, DTROff: !dtr, RTSOff: !rts})
}

// OpenWith implements [SettingsOpener].
func (f openerFunc) OpenWith(path string, s Settings) (Port, error) {
	if err := s.Check(); err != nil {
		return nil, err
	}
	return f(path, s)
}
