package port

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"
	"syscall"
	"time"

	bugst "go.bug.st/serial"
)

// pollEvery is how often a Read that cannot be woken checks whether the port was closed.
const pollEvery = 100 * time.Millisecond

func openBugst(path string, s Settings) (Port, error) {
	if s.RS485 != nil || s.Flow != "" && s.Flow != NoFlow {
		return nil, fmt.Errorf("%w: only the native opener of Linux knows flow control and RS-485", ErrSettings)
	}
	dtr, rts := !s.DTROff, !s.RTSOff
	mode := &bugst.Mode{
		BaudRate: s.Baud, DataBits: cmp.Or(s.Data, 8),
		Parity:   map[Parity]bugst.Parity{EvenParity: bugst.EvenParity, OddParity: bugst.OddParity, MarkParity: bugst.MarkParity, SpaceParity: bugst.SpaceParity}[s.Parity],
		StopBits: map[StopBits]bugst.StopBits{OneHalfStop: bugst.OnePointFiveStopBits, TwoStop: bugst.TwoStopBits}[s.Stop],
	}
	if !dtr || !rts { // else the port need not have these lines
		mode.InitialStatusBits = &bugst.ModemOutputBits{DTR: dtr, RTS: rts}
	}
	p, err := bugst.Open(path, mode)
	if pe, ok := errors.AsType[*bugst.PortError](err); ok && mode.InitialStatusBits != nil && strings.Contains(err.Error(), "modem bits") {
		return nil, fmt.Errorf("%w: %w", ErrNoModem, pe)
	}
	if err != nil {
		return nil, bugstError(err)
	}
	if err := p.SetReadTimeout(pollEvery); err != nil {
		_ = p.Close()
		return nil, bugstError(err)
	}
	if dtr && rts {
		_ = p.SetDTR(true) // some ports do not have these lines
		_ = p.SetRTS(true)
	}
	if s.Fresh {
		_ = p.ResetInputBuffer()
	}
	if s.Break > 0 {
		if err := p.Break(s.Break); err != nil {
			_ = p.Close()
			return nil, fmt.Errorf("%w: this port cannot send a break: %w", ErrSettings, bugstError(err))
		}
	}
	mode.InitialStatusBits = nil
	return &settablePort{newPolledPort(bugstPort{p}), p, *mode}, nil
}

// A settablePort is a polledPort whose rate and modem lines can be set.
type settablePort struct {
	*polledPort
	port bugst.Port
	mode bugst.Mode
}

// SetBaud implements [RateSetter].
func (p *settablePort) SetBaud(rate int) error {
	if !p.enter() {
		return os.ErrClosed
	}
	defer p.leave()
	if err := p.port.Drain(); err != nil {
		return bugstError(err)
	}
	mode := p.mode
	mode.BaudRate = rate
	return bugstError(p.port.SetMode(&mode))
}

// SetModem implements [ModemSetter].
func (p *settablePort) SetModem(dtr, rts bool) error {
	if err := p.port.SetDTR(dtr); err != nil {
		return bugstError(err)
	}
	return bugstError(p.port.SetRTS(rts))
}

type bugstPort struct{ bugst.Port }

func (p bugstPort) drain() error { return bugstError(p.Drain()) }

func (p bugstPort) flush() { _ = p.ResetOutputBuffer() }

// Read returns 0, nil after pollEvery.
func (p bugstPort) Read(b []byte) (n int, err error) {
	// Version 1.8.0 uses select(2), and panics if a descriptor is 1024 or above.
	defer func() {
		if recover() != nil {
			err = errors.New("this opener works with fewer than 1,024 open files: use the native one")
		}
	}()
	n, err = p.Port.Read(b)
	return n, bugstError(err)
}

// systemErrors are the system's errors that those of the library stand for.
var systemErrors = map[bugst.PortErrorCode]error{
	bugst.PortNotFound: fs.ErrNotExist, bugst.PermissionDenied: fs.ErrPermission, bugst.PortBusy: syscall.EBUSY,
	bugst.InvalidSerialPort: errNotTerminal,
}

// bugstError wraps an error of the library together with the system's that it stands for.
func bugstError(err error) error {
	if pe, ok := errors.AsType[*bugst.PortError](err); ok && systemErrors[pe.Code()] != nil {
		return fmt.Errorf("%w: %w", err, systemErrors[pe.Code()])
	}
	return err
}
