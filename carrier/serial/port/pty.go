//go:build linux || darwin

package port

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"sync"
	"time"

	"github.com/creack/pty"
	"golang.org/x/sys/unix"
)

// A PTY is a pseudo terminal for a simulated device: a hub opens its path as if it were a serial port, and Open is
// what [NewDevice] takes. Its line can be cut and restored: the path then is gone and comes back, as with a USB
// cable. Linux and macOS have it.
type PTY struct {
	link string // a symbolic link that stays the same when the terminal does not; may be empty

	mu       sync.Mutex
	master   *os.File
	slave    *os.File // held open, so that the terminal keeps its settings when a hub closes it
	restored chan struct{}
	closed   bool
}

// NewPTY makes a pseudo terminal. If link is not empty, a symbolic link of that path leads to it; something else
// that has this path is an error.
func NewPTY(link string) (*PTY, error) {
	p := &PTY{link: link}
	if err := p.Restore(); err != nil {
		return nil, err
	}
	return p, nil
}

// Path returns what a hub opens: the link or, without one, the terminal, whose name may change with each Restore.
func (p *PTY) Path() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.link != "" || p.slave == nil {
		return p.link
	}
	return p.slave.Name()
}

// Open waits until the line is not cut, and returns the device's end of it. One at a time makes sense.
func (p *PTY) Open(ctx context.Context) (Port, error) {
	for {
		p.mu.Lock()
		master, restored, closed := p.master, p.restored, p.closed
		p.mu.Unlock()
		switch {
		case closed:
			return nil, fmt.Errorf("serial: pseudo terminal: %w", os.ErrClosed)
		case master != nil:
			return openPTYPort(master)
		}
		select {
		case <-restored:
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		}
	}
}

// Cut cuts the line: both ends lose it at once. It is harmless when it was cut already.
func (p *PTY) Cut() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.cut()
}

func (p *PTY) cut() {
	if p.master == nil {
		return
	}
	if p.link != "" {
		_ = os.Remove(p.link)
	}
	_ = p.slave.Close()
	_ = p.master.Close()
	p.master, p.slave, p.restored = nil, nil, make(chan struct{})
}

// Restore mends the line after Cut, with a new pseudo terminal under the same link.
func (p *PTY) Restore() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed || p.master != nil {
		return nil
	}
	master, slave, err := pty.Open()
	if err != nil {
		return fmt.Errorf("serial: make a pseudo terminal: %w", err)
	}
	if master, err = pollable(master); err == nil {
		err = makeRaw(slave)
	}
	if err == nil && p.link != "" {
		err = symlink(slave.Name(), p.link)
	}
	if err != nil {
		_ = master.Close()
		_ = slave.Close()
		return fmt.Errorf("serial: make a pseudo terminal: %w", err)
	}
	p.master, p.slave = master, slave
	if p.restored != nil {
		close(p.restored)
	}
	return nil
}

// Close cuts the line for good.
func (p *PTY) Close() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.closed {
		p.cut()
		p.closed = true
		if p.restored != nil {
			close(p.restored)
		}
	}
	return nil
}

// symlink makes a link, in the place of one that a former process left.
func symlink(target, link string) error {
	if info, err := os.Lstat(link); err == nil && info.Mode()&fs.ModeSymlink != 0 {
		if err := os.Remove(link); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return os.Symlink(target, link)
}

// A ptyPort is the master for as long as a device has it open; the terminal stays when the device closes it, as a
// cable does.
type ptyPort struct{ *os.File }

func openPTYPort(master *os.File) (Port, error) {
	if err := master.SetDeadline(time.Time{}); err != nil && !errors.Is(err, os.ErrNoDeadline) {
		return nil, fmt.Errorf("serial: open the pseudo terminal: %w", err)
	}
	return ptyPort{master}, nil
}

// SetBaud implements RateSetter: a pseudo terminal has no rate.
func (p ptyPort) SetBaud(int) error { return nil }

// Close wakes Read and Write, and leaves the terminal as it is where the system can do one without the other.
func (p ptyPort) Close() error {
	err := p.SetDeadline(time.Unix(1, 0))
	if errors.Is(err, os.ErrNoDeadline) {
		return p.File.Close()
	}
	return nil
}

// pollable gives the file to the runtime's poller, so that it takes deadlines.
func pollable(f *os.File) (*os.File, error) {
	fd, err := unix.Dup(int(f.Fd()))
	if err != nil {
		return f, err
	}
	unix.CloseOnExec(fd)
	if err := unix.SetNonblock(fd, true); err != nil {
		_ = unix.Close(fd)
		return f, err
	}
	_ = f.Close()
	return os.NewFile(uintptr(fd), f.Name()), nil
}

// makeRaw lets every byte pass through the terminal as it is, before a hub has opened it as well.
func makeRaw(f *os.File) error {
	raw, err := f.SyscallConn()
	if err != nil {
		return err
	}
	var inner error
	err = raw.Control(func(fd uintptr) {
		var t *unix.Termios
		if t, inner = unix.IoctlGetTermios(int(fd), getTermios); inner != nil {
			return
		}
		t.Iflag &^= unix.IGNBRK | unix.BRKINT | unix.PARMRK | unix.ISTRIP | unix.INLCR | unix.IGNCR | unix.ICRNL | unix.IXON
		t.Oflag &^= unix.OPOST
		t.Lflag &^= unix.ECHO | unix.ECHONL | unix.ICANON | unix.ISIG | unix.IEXTEN
		t.Cflag &^= unix.CSIZE | unix.PARENB
		t.Cflag |= unix.CS8
		inner = unix.IoctlSetTermios(int(fd), setTermios, t)
	})
	return errors.Join(err, inner)
}
