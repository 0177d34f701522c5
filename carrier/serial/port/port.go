package port

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"syscall"
)

// A Port is an open serial port. Read blocks until there is something to read; Write until all is written. Close
// wakes both, which then return an error, and may be called more than once. An error of Read or Write means that
// the port is lost.
type Port interface{ io.ReadWriteCloser }

// A Drainer is a Port that can wait until all that was written has left. After that Close has nothing to drop; without
// it Close drops what has not left yet, so that it never waits for a line that stands still. Close wakes drain.
type Drainer interface{ Drain() error }

// A RateSetter is a Port whose rate can be changed while it is open. Without it a line keeps the rate it was opened at.
type RateSetter interface {
	// SetBaud changes the rate, in bits per second, once what was written has left. Nothing is written meanwhile, and
	// Close wakes it.
	SetBaud(rate int) error
}

// A ModemSetter is a Port whose modem lines can be set while it is open: true is up.
type ModemSetter interface {
	SetModem(dtr, rts bool) error
}

// An Opener opens serial ports: raw, 8 data bits, no parity, one stop bit, no flow control, DTR and RTS asserted.
// Baud is in bits per second. Bytes received before may still be there to be read.
type Opener interface {
	Open(path string, baud int) (Port, error)
}

// OpenerFunc is a function that is an Opener.
type OpenerFunc func(path string, baud int) (Port, error)

// Open implements [Opener].
func (f OpenerFunc) Open(path string, baud int) (Port, error) { return f(path, baud) }

// The names of the openers that [NewOpener] knows.
const (
	OpenerNative = "native" // Linux's own terminal calls: any rate, prompt hang-up; elsewhere the same as bugst
	OpenerBugst  = "bugst"  // go.bug.st/serial: every system
	OpenerTarm   = "tarm"   // github.com/tarm/serial: Linux and Windows, the usual rates only
)

// Openers returns the names that NewOpener takes.
func Openers() []string { return []string{OpenerNative, OpenerBugst, OpenerTarm} }

// NewOpener returns the opener of this name; an empty name stands for native.
func NewOpener(name string) (Opener, error) {
	switch name {
	case "", OpenerNative:
		return OpenerFunc(Open), nil
	case OpenerBugst:
		return OpenerFunc(openBugst), nil
	case OpenerTarm:
		return OpenerFunc(openTarm), nil
	default:
		return nil, fmt.Errorf("serial: no opener is called %q; there are %q", name, Openers())
	}
}

// Remedy adds to the error of an Open what can be done about it.
func Remedy(err error) string {
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return "the hub goes on as soon as it is there; is the device plugged in?"
	case errors.Is(err, fs.ErrPermission):
		if at, ok := errors.AsType[*fs.PathError](err); ok {
			return permit(at.Path)
		}
		return "give yourself the right to read and write it"
	case errors.Is(err, syscall.EBUSY):
		return "another program has it open: close that one"
	case errors.Is(err, errNotTerminal):
		return "give the path of a serial port"
	case errors.Is(err, ErrNoModem):
		return "leave dtr and rts as they are"
	default:
		return "the hub tries again by itself"
	}
}

var (
	errNotTerminal = errors.New("not a serial port")
	ErrNoModem     = errors.New("DTR and RTS cannot be set")
)

// Gone tells whether the error of opening a port means that it is not there.
func Gone(err error) bool {
	return errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ENXIO) || errors.Is(err, syscall.ENODEV)
}
