package port

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"syscall"
	"time"

	bugst "go.bug.st/serial"
)

// pollEvery is how often a read that has no way of being woken looks whether the port was closed.
const pollEvery = 100 * time.Millisecond

func openBugst(path string, baud int) (Port, error) {
	p, err := bugst.Open(path, &bugst.Mode{BaudRate: baud})
	if err != nil {
		return nil, bugstError(err)
	}
	if err := p.SetReadTimeout(pollEvery); err != nil {
		_ = p.Close()
		return nil, bugstError(err)
	}
	_ = p.SetDTR(true) // not every port has these lines
	_ = p.SetRTS(true)
	return &settablePort{newPolledPort(bugstPort{p}), p}, nil
}

// A settablePort is a polledPort whose rate and modem lines can be set.
type settablePort struct {
	*polledPort
	port bugst.Port
}

// SetBaud implements RateSetter.
func (g *settablePort) SetBaud(rate int) error {
	if !g.enter() {
		return os.ErrClosed
	}
	defer g.leave()
	if err := g.port.Drain(); err != nil {
		return bugstError(err)
	}
	return bugstError(g.port.SetMode(&bugst.Mode{BaudRate: rate}))
}

// SetModem implements ModemSetter.
func (g *settablePort) SetModem(dtr, rts bool) error {
	if err := g.port.SetDTR(dtr); err != nil {
		return bugstError(err)
	}
	return bugstError(g.port.SetRTS(rts))
}

type bugstPort struct{ bugst.Port }

func (p bugstPort) drain() error { return bugstError(p.Drain()) }

func (p bugstPort) flush() { _ = p.ResetOutputBuffer() }

// Read returns 0, nil when pollEvery has passed.
func (p bugstPort) Read(b []byte) (n int, err error) {
	// The library waits with select(2), which knows no descriptors from 1024 on, and panics with one.
	defer func() {
		if recover() != nil {
			err = errors.New("this opener works with fewer than 1,024 open files: use the native one")
		}
	}()
	n, err = p.Port.Read(b)
	return n, bugstError(err)
}

// bugstError gives an error of the library the identity of the system's.
func bugstError(err error) error {
	var pe *bugst.PortError
	if !errors.As(err, &pe) {
		return err
	}
	switch pe.Code() {
	case bugst.PortNotFound:
		return fmt.Errorf("%w: %w", err, fs.ErrNotExist)
	case bugst.PermissionDenied:
		return fmt.Errorf("%w: %w", err, fs.ErrPermission)
	case bugst.PortBusy:
		return fmt.Errorf("%w: %w", err, syscall.EBUSY)
	case bugst.InvalidSerialPort:
		return fmt.Errorf("%w: %w", err, errNotTerminal)
	}
	return err
}
