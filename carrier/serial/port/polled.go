package port

import (
	"io"
	"os"
	"sync"
)

// A library is a port as a library opens it: its Read returns 0, nil after a while, and its Close must not be called
// while another method runs.
type library interface {
	io.ReadWriteCloser
	drain() error // waits until all is sent; flush wakes it
	flush()       // drops what was not sent
}

// A polledPort makes a library's port a Port. A goroutine of its own writes, because nothing but the line can wake a
// write that stands still: Write returns once the polledPort is closed, and the library's port is closed once that
// goroutine and the last Read have left it.
type polledPort struct {
	port    library
	writing sync.Mutex // one Write at a time
	writes  chan []byte
	wrote   chan error
	closed  chan struct{}

	mu      sync.Mutex
	shut    bool
	drained bool
	users   int // methods of port that run, and write
}

func newPolledPort(l library) *polledPort {
	p := &polledPort{port: l, writes: make(chan []byte), wrote: make(chan error, 1), closed: make(chan struct{})}
	p.enter()
	go p.write()
	return p
}

func (p *polledPort) write() {
	defer p.leave()
	for {
		select {
		case b := <-p.writes:
			p.wrote <- p.writeAll(b)
		case <-p.closed:
			return
		}
	}
}

func (p *polledPort) writeAll(b []byte) error {
	for len(b) > 0 {
		n, err := p.port.Write(b)
		if err != nil {
			return err
		}
		b = b[n:]
	}
	return nil
}

// Write implements [Port].
func (p *polledPort) Write(b []byte) (int, error) {
	p.writing.Lock()
	defer p.writing.Unlock()
	select {
	case p.writes <- append([]byte(nil), b...):
	case <-p.closed:
		return 0, os.ErrClosed
	}
	select {
	case err := <-p.wrote:
		if err != nil {
			return 0, err
		}
		return len(b), nil
	case <-p.closed:
		return 0, os.ErrClosed
	}
}

// Read implements [Port].
func (p *polledPort) Read(b []byte) (n int, err error) {
	if !p.enter() {
		return 0, os.ErrClosed
	}
	defer p.leave()
	for n == 0 && err == nil {
		select {
		case <-p.closed:
			return 0, os.ErrClosed
		default:
			n, err = p.port.Read(b)
		}
	}
	return n, err
}

// Drain implements [Drainer].
func (p *polledPort) Drain() error {
	if !p.enter() {
		return os.ErrClosed
	}
	defer p.leave()
	err := p.port.drain()
	p.mu.Lock()
	p.drained = err == nil
	p.mu.Unlock()
	return err
}

// enter begins to use the port, unless it is shut.
func (p *polledPort) enter() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.shut {
		p.users++
	}
	return !p.shut
}

// leave closes a port that is shut once nobody uses it. Nothing can be done about an error.
func (p *polledPort) leave() {
	p.mu.Lock()
	p.users--
	last := p.shut && p.users == 0
	p.mu.Unlock()
	if last {
		_ = p.port.Close()
	}
}

// Close implements [Port].
func (p *polledPort) Close() error {
	p.mu.Lock()
	first, drained := !p.shut, p.drained
	p.shut = true
	if first {
		p.users++
	}
	p.mu.Unlock()
	if first {
		close(p.closed)
		if !drained {
			p.port.flush()
		}
		p.leave()
	}
	return nil
}
