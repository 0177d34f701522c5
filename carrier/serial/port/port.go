package port

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"syscall"
)

// A Port is an open serial port. Read blocks until there is something to read, Write until all is written. Close makes both
// return an error, and may be called more than once. An error of Read or Write means that the port is lost.
type Port interface{ io.ReadWriteCloser }

// A Drainer is a Port that can wait until all that was written has been sent. Without Drain, Close drops what has not been
// sent yet, so that it never waits for a line that stands still.
type Drainer interface {
	// Drain waits until all is sent, or until Close is called.
	Drain() error
}

// A RateSetter is a Port whose rate can be changed while it is open.
type RateSetter interface {
	// SetBaud waits until all that was written has been sent, and then sets the rate, in bits per second. Close ends the
	// wait. Write must not be called meanwhile.
	SetBaud(rate int) error
}

// A ModemSetter is a Port whose modem lines can be set while it is open; true asserts a line.
type ModemSetter interface {
	SetModem(dtr, rts bool) error
}

// An Opener opens serial ports. The rate is in bits per second. DTR and RTS are asserted where the port has them. Bytes that
// arrived earlier may still be there to be read.
type Opener interface {
	// Open opens the port at this path.
	Open(path string, baud int) (Port, error)
}

// A ModemOpener is an Opener that can keep modem lines down from the beginning.
type ModemOpener interface {
	Opener
	// OpenModem opens the port at this path, and asserts only those lines that are true. It never asserts the others itself.
	// The system may do so while it opens the port; they are then deasserted before anything else is done. The error wraps
	// [ErrNoModem] if a line must stay down and cannot be set.
	OpenModem(path string, baud int, dtr, rts bool) (Port, error)
}

// A ContextOpener is an Opener that may take long to open a port: it gives up when ctx is done.
type ContextOpener interface {
	Opener
	OpenContext(ctx context.Context, path string, s Settings) (Port, error)
}

// OpenerFunc is a function that is an Opener.
type OpenerFunc func(path string, baud int) (Port, error)

// Open implements [Opener].
func (f OpenerFunc) Open(path string, baud int) (Port, error) { return f(path, baud) }

// The names of the openers that [NewOpener] knows.
const (
	OpenerNative = "native" // Linux's own terminal calls: any rate; on other systems the same as bugst
	OpenerBugst  = "bugst"  // go.bug.st/serial: all systems
	OpenerTarm   = "tarm"   // github.com/tarm/serial: Linux and Windows; the usual rates only
)

// Openers returns the names of all openers.
func Openers() []string { return []string{OpenerNative, OpenerBugst, OpenerTarm} }

// NewOpener returns the opener with this name. The empty name stands for native.
func NewOpener(name string) (Opener, error) {
	switch name {
	case "", OpenerNative:
		return openerFunc(openNative), nil
	case OpenerBugst:
		return openerFunc(openBugst), nil
	case OpenerTarm:
		return OpenerFunc(openTarm), nil
	default:
		return nil, fmt.Errorf("port: there is no opener %q: choose one of %q", name, Openers())
	}
}

// Open opens a port with the native opener of this system. Both DTR and RTS are asserted.
func Open(path string, baud int) (Port, error) { return openNative(path, Settings{Baud: baud}) }

// A remedied is an error that knows what can be done about it.
type remedied interface {
	error
	Remedy() string
}

// Remedy returns what a user can do about an error of Open or SetModem. An error with a method Remedy says it itself.
func Remedy(err error) string {
	own, ok := errors.AsType[remedied](err)
	switch {
	case ok:
		return own.Remedy()
	case errors.Is(err, fs.ErrNotExist):
		return "is the device plugged in? the port is opened as soon as it is there"
	case errors.Is(err, fs.ErrPermission):
		if at, ok := errors.AsType[*fs.PathError](err); ok {
			return permit(at.Path)
		}
		return "give yourself the right to read and write it"
	case errors.Is(err, syscall.EBUSY):
		return "another program has it open: close that one"
	case errors.Is(err, errNotTerminal):
		return "give the path of a serial port"
	case errors.Is(err, ErrSettings):
		return "change what the configuration says of this port"
	case errors.Is(err, ErrNoModem):
		return "leave dtr and rts as they are"
	default:
		return "it will be tried again"
	}
}

// ErrNoModem says that a port's modem lines cannot be set, by this opener or at all.
var ErrNoModem = errors.New("DTR and RTS cannot be set")

var errNotTerminal = errors.New("not a serial port")

// Gone reports whether an error of Open means that the port is not there.
func Gone(err error) bool {
	return errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ENXIO) || errors.Is(err, syscall.ENODEV)
}
