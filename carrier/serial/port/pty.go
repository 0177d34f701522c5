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

// A PTY is a pseudo terminal that stands for a serial port: one end is opened by its path, the device's end with Open.
// The line between them can be cut and restored: its path then goes and comes back, as with a USB adapter. Linux and
// macOS have pseudo terminals.
type PTY struct {
	link string // path of a symbolic link to the terminal; may be empty

	mu       sync.Mutex
	master   *os.File      // nil: the line is cut
	slave    *os.File      // held open, so that the terminal keeps its settings
	restored chan struct{} // closed when the line is not cut any more, or never will be restored
	closed   bool
}

// NewPTY makes a pseudo terminal. If link is not empty, it makes a symbolic link of that path to it, in the place of an older
// link; anything else at that path is an error.
func NewPTY(link string) (*PTY, error) {
	p := &PTY{link: link, restored: make(chan struct{})}
	if err := p.Restore(); err != nil {
		return nil, err
	}
	return p, nil
}

// Path returns the path to be opened: the link or, without one, the terminal, whose path may change with each Restore.
func (p *PTY) Path() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.link != "" || p.slave == nil {
		return p.link
	}
	return p.slave.Name()
}

// Open returns the device's end of the line. While the line is cut, it waits until ctx is done.
func (p *PTY) Open(ctx context.Context) (Port, error) {
	for {
		p.mu.Lock()
		master, restored, closed := p.master, p.restored, p.closed
		p.mu.Unlock()
		switch {
		case closed:
			return nil, fmt.Errorf("port: the pseudo terminal: %w", os.ErrClosed)
		case master != nil:
			if err := master.SetDeadline(time.Time{}); err != nil && !errors.Is(err, os.ErrNoDeadline) {
				return nil, fmt.Errorf("port: open the pseudo terminal: %w", err)
			}
			return ptyPort{master}, nil
		}
		select {
		case <-restored:
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		}
	}
}

// Cut cuts the line, if it is not cut already. Both ends lose their port at once.
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

// Restore restores the line after Cut, with a new pseudo terminal under the same link.
func (p *PTY) Restore() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed || p.master != nil {
		return nil
	}
	master, slave, err := pty.Open()
	if err != nil {
		return fmt.Errorf("port: make a pseudo terminal: %w", err)
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
		return fmt.Errorf("port: make a pseudo terminal: %w", err)
	}
	p.master, p.slave = master, slave
	close(p.restored)
	return nil
}

// Close cuts the line for good.
func (p *PTY) Close() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.closed {
		p.cut()
		p.closed = true
		close(p.restored)
	}
	return nil
}

// symlink makes a symbolic link, in the place of an older one.
func symlink(target, link string) error {
	if info, err := os.Lstat(link); err == nil && info.Mode()&fs.ModeSymlink != 0 {
		if err := os.Remove(link); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return os.Symlink(target, link)
}

// A ptyPort is the device's end of a PTY. The terminal stays when it is closed.
type ptyPort struct{ *os.File }

// SetBaud implements [RateSetter]. A pseudo terminal has no rate.
func (p ptyPort) SetBaud(int) error { return nil }

// Close implements [Port]. It leaves the terminal open, if the system can wake Read and Write without closing it.
func (p ptyPort) Close() error {
	err := p.SetDeadline(time.Unix(1, 0))
	if errors.Is(err, os.ErrNoDeadline) {
		return p.File.Close()
	}
	return nil
}

// pollable returns the file with the runtime's poller, so that it takes deadlines.
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

// makeRaw lets every byte pass through the terminal unchanged, even before its path is opened.
func makeRaw(f *os.File) error {
	return control(f, func(fd int) error {
		t, err := unix.IoctlGetTermios(fd, getTermios)
		if err != nil {
			return err
		}
		setRaw(t)
		return unix.IoctlSetTermios(fd, setTermios, t)
	})
}

// control calls a function with the file's descriptor, which stays open meanwhile.
func control(f *os.File, call func(fd int) error) error {
	raw, err := f.SyscallConn()
	if err != nil {
		return err
	}
	var inner error
	if err := raw.Control(func(fd uintptr) { inner = call(int(fd)) }); err != nil {
		return err
	}
	return inner
}

// setRaw sets 8 data bits, no parity, one stop bit, no flow control, and that every byte passes unchanged.
func setRaw(t *unix.Termios) {
	t.Iflag &^= unix.IGNBRK | unix.BRKINT | unix.PARMRK | unix.ISTRIP | unix.INLCR | unix.IGNCR | unix.ICRNL |
		unix.IXON | unix.IXOFF | unix.IXANY | unix.INPCK
	t.Oflag &^= unix.OPOST
	t.Lflag &^= unix.ECHO | unix.ECHONL | unix.ICANON | unix.ISIG | unix.IEXTEN
	t.Cflag &^= unix.CSIZE | unix.PARENB | unix.CSTOPB | unix.CRTSCTS
	t.Cflag |= unix.CS8 | unix.CREAD
}
