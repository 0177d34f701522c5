package fault

import (
	"io"
	"io/fs"
	"sync"
	"syscall"
	"time"
)

// ErrCut ends a port whose line is cut, and is returned by Open until the line is mended. It wraps [fs.ErrNotExist], because
// the path of an unplugged adapter does not exist.
var ErrCut error = cutError{}

type cutError struct{}

func (cutError) Error() string        { return "fault: the line is cut" }
func (cutError) Is(target error) bool { return target == fs.ErrNotExist }

// An End is one end of a cable.
type End int

// The two ends: what is written at one goes to the other.
const (
	HubEnd End = iota
	DeviceEnd
)

// A Cable is a line in real time. Its port can be opened again and again, one at a time.
type Cable struct {
	boot string

	mu       sync.Mutex // guards what follows; nothing blocks while it is held
	toHub    *Line
	toDevice *Line
	cuts     *Cuts
	busy     bool // a port is open, or being opened or closed
}

// secondSeed is added to the seed for the second direction: 2^64 divided by the golden ratio, far from the seeds that people
// choose.
const secondSeed = 0x9e3779b97f4a7c15

// New returns a cable. The error says what is wrong with the options.
func New(o Options) (*Cable, error) {
	c := &Cable{boot: o.Boot}
	var err error
	if c.cuts, err = NewCuts(o); err != nil {
		return nil, err
	}
	if c.toHub, err = NewLine(o.ToHub, o.Seed); err != nil {
		return nil, err
	}
	if c.toDevice, err = NewLine(o.ToDevice, o.Seed+secondSeed); err != nil {
		return nil, err
	}
	return c, nil
}

// Open opens a port, to be used at one end of the cable, and returns it as it is seen through the cable. What open returns is
// closed once, when the line is cut, when Read or Write fails, or when the port is closed; its Close must wake its Read and
// Write. While the line is cut, Open fails with [ErrCut] and does not call open; while a port is open, it fails with EBUSY.
func (c *Cable) Open(at End, open func() (io.ReadWriteCloser, error)) (io.ReadWriteCloser, error) {
	if err := c.take(); err != nil {
		return nil, err
	}
	inner, err := open()
	if err != nil {
		c.release()
		return nil, err
	}
	return newPort(c, at, inner), nil
}

func (c *Cable) take() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.busy {
		return syscall.EBUSY
	}
	if cut, _ := c.cuts.At(time.Now()); cut {
		return ErrCut
	}
	c.busy = true
	return nil
}

func (c *Cable) release() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.busy = false
}

// plug begins with an empty line, and returns when it is cut; a zero time means never.
func (c *Cable) plug() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	now := time.Now()
	c.toHub.Cut()
	c.toDevice.Cut()
	c.toHub.Boot(now, c.boot)
	cut, until := c.cuts.At(now)
	if cut { // while it was opened
		return now
	}
	return until
}

// Stats counts what was done so far, in both directions.
func (c *Cable) Stats() Stats {
	c.mu.Lock()
	defer c.mu.Unlock()
	s := c.toHub.Stats().add(c.toDevice.Stats())
	s.Cuts = c.cuts.count
	return s
}
