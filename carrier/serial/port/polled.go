package port

import (
	"fmt"
	"io"
	"os"
	"sync"
)

// A library is a port as a library opens it: its Read returns 0, nil after a while, and its Close must not be called
// while another method runs.
type library interface {
	io.ReadWriteCloser
	drain() error // waits until what was written has left; flush wakes it
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
	users   int // of port
}

func newPolledPort(p library) *polledPort {
	g := &polledPort{port: p, writes: make(chan []byte), wrote: make(chan error, 1), closed: make(chan struct{})}
	g.enter()
	go g.write()
	return g
}

func (g *polledPort) write() {
	defer g.leave()
	for {
		select {
		case b := <-g.writes:
			g.wrote <- g.writeAll(b)
		case <-g.closed:
			return
		}
	}
}

func (g *polledPort) writeAll(b []byte) error {
	for len(b) > 0 {
		n, err := g.port.Write(b)
		if err != nil {
			return err
		}
		b = b[n:]
	}
	return nil
}

// Write implements Port.
func (g *polledPort) Write(b []byte) (int, error) {
	g.writing.Lock()
	defer g.writing.Unlock()
	select {
	case g.writes <- append([]byte(nil), b...):
	case <-g.closed:
		return 0, os.ErrClosed
	}
	select {
	case err := <-g.wrote:
		if err != nil {
			return 0, err
		}
		return len(b), nil
	case <-g.closed:
		return 0, os.ErrClosed
	}
}

// Read implements Port.
func (g *polledPort) Read(b []byte) (n int, err error) {
	if !g.enter() {
		return 0, os.ErrClosed
	}
	defer g.leave()
	defer func() {
		if r := recover(); r != nil { // go.bug.st/serial 1.8.0 uses select(2), which knows 1024 descriptors
			n, err = 0, fmt.Errorf("serial: the library failed: %v; use the opener native", r)
		}
	}()
	for n == 0 && err == nil {
		select {
		case <-g.closed:
			return 0, os.ErrClosed
		default:
			n, err = g.port.Read(b)
		}
	}
	return n, err
}

// Drain implements drainer.
func (g *polledPort) Drain() error {
	if !g.enter() {
		return os.ErrClosed
	}
	defer g.leave()
	err := g.port.drain()
	g.mu.Lock()
	g.drained = err == nil
	g.mu.Unlock()
	return err
}

func (g *polledPort) enter() bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	if !g.shut {
		g.users++
	}
	return !g.shut
}

// leave lets the last one that leaves a closed port close it. That error says nothing to act upon.
func (g *polledPort) leave() {
	g.mu.Lock()
	g.users--
	last := g.shut && g.users == 0
	g.mu.Unlock()
	if last {
		_ = g.port.Close()
	}
}

// Close implements Port.
func (g *polledPort) Close() error {
	g.mu.Lock()
	first, drained := !g.shut, g.drained
	g.shut = true
	if first {
		g.users++
	}
	g.mu.Unlock()
	if first {
		close(g.closed)
		if !drained {
			g.port.flush()
		}
		g.leave()
	}
	return nil
}
