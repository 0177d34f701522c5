package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"sighub/carrier/serial/port"
)

// An adapter is a USB serial adapter of QEMU, FTDI 0403:6001, with one of our devices at its other end. Each time it is plugged
// in it has a new line: what was on the line when it was pulled is lost, as with a real adapter.
type adapter struct {
	m      *machine
	name   string // of its socket
	socket net.Listener

	half  atomic.Bool   // the next write of a device is cut in the middle, and all later bytes are lost
	halfs chan struct{} // receives when that happens
	rates chan int      // receives each rate that a device sets, if there is room

	mu    sync.Mutex
	id    string // in QEMU; empty: not plugged in
	count int    // how often it was plugged in
	line  *adapterLine
	more  chan struct{} // closed when there is another line
}

// newAdapter returns an adapter that is not plugged in.
func newAdapter(m *machine, name string) (*adapter, error) {
	socket, err := net.Listen("unix", filepath.Join(m.dir, name))
	if err != nil {
		return nil, err
	}
	return &adapter{m: m, name: name, socket: socket, more: make(chan struct{}),
		halfs: make(chan struct{}, 1), rates: make(chan int, 16)}, nil
}

// plug plugs the adapter into a socket of the machine: a controller, from 0, and one of its four ports, from 1. Adapters have no
// serial number, so that they all look the same.
func (a *adapter) plug(ctx context.Context, bus, port int) error {
	return a.plugAt(ctx, bus, fmt.Sprint(port))
}

// plugAt is plug with a port that may be on a USB hub, such as "1.2".
func (a *adapter) plugAt(ctx context.Context, bus int, port string) error {
	a.mu.Lock()
	a.count++
	id := fmt.Sprintf("%s.%d", a.name, a.count)
	a.mu.Unlock()
	err := a.m.qmp.do(ctx, "chardev-add", map[string]any{"id": "line-" + id, "backend": map[string]any{
		"type": "socket", "data": map[string]any{"server": false, "addr": map[string]any{
			"type": "unix", "data": map[string]any{"path": a.socket.Addr().String()}}}}})
	if err != nil {
		return err
	}
	conn, err := a.socket.Accept() // QEMU is connected already
	if err != nil {
		return err
	}
	if err := a.m.qmp.do(ctx, "device_add", map[string]any{
		"driver": "usb-serial", "id": id, "chardev": "line-" + id, "always-plugged": true, "serial": "",
		"bus": fmt.Sprintf("bus%d.0", bus), "port": port,
	}); err != nil {
		return errors.Join(err, conn.Close())
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.id, a.line = id, newAdapterLine(a, "line-"+id, conn)
	close(a.more)
	a.more = make(chan struct{})
	return nil
}

// unplug pulls the adapter out, and returns when QEMU has done so.
func (a *adapter) unplug(ctx context.Context) error {
	a.mu.Lock()
	id := a.id
	a.mu.Unlock()
	if id == "" {
		return nil
	}
	return pullOut(ctx, a.m, id, a)
}

// pullOut removes a device of QEMU, either an adapter or what these adapters are plugged into.
func pullOut(ctx context.Context, m *machine, id string, adapters ...*adapter) error {
	lines := make([]*adapterLine, len(adapters))
	for i, a := range adapters {
		a.mu.Lock()
		lines[i] = a.line
		a.id, a.line = "", nil
		a.mu.Unlock()
		lines[i].quiet()
	}
	err := m.qmp.remove(ctx, id)
	for _, l := range lines {
		l.cut()
		// QEMU may still use it for a moment; then it stays, which does not matter.
		_ = m.qmp.do(ctx, "chardev-remove", map[string]any{"id": l.id})
	}
	return err
}

func (a *adapter) isPlugged() bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.id != ""
}

// open waits until the adapter is plugged in, and returns the device's end of its line.
func (a *adapter) open(ctx context.Context) (port.Port, error) {
	for {
		a.mu.Lock()
		line, more := a.line, a.more
		a.mu.Unlock()
		if line != nil && line.gone.Err() == nil {
			return newDevicePort(line), nil
		}
		select {
		case <-more:
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		}
	}
}

// An adapterLine is the line of an adapter from the time it is plugged in until it is pulled out. Bytes from the machine are read
// at once, because QEMU waits for that and does nothing else meanwhile. Without a device, they are lost.
type adapterLine struct {
	a    *adapter
	id   string // of the character device, in QEMU
	conn net.Conn
	in   chan []byte
	gone context.Context // done when it is cut
	end  context.CancelFunc

	rest atomic.Pointer[[]byte] // what is left of a chunk from in

	writing sync.Mutex // held while something is written
	lost    bool       // everything written is lost; guarded by writing
}

func newAdapterLine(a *adapter, id string, conn net.Conn) *adapterLine {
	l := &adapterLine{a: a, id: id, conn: conn, in: make(chan []byte, 256)}
	l.gone, l.end = context.WithCancel(context.Background())
	if u, ok := conn.(*net.UnixConn); ok {
		_ = u.SetWriteBuffer(4096) // a real adapter holds little; holding more does no harm
	}
	go l.read()
	return l
}

func (l *adapterLine) cut() {
	l.end()
	_ = l.conn.Close()
}

// quiet loses everything that is written from now on, and waits until QEMU has read what was written before. QEMU must not have
// anything to read when it removes the adapter: it would use the removed adapter, and crash (7.2 does).
func (l *adapterLine) quiet() {
	l.writing.Lock()
	l.lost = true
	l.writing.Unlock()
	// An adapter whose port nobody has opened reads nothing: then there is no danger, and no point in waiting.
	const moment = 100 * time.Millisecond
	for end := time.Now().Add(moment); unread(l.conn) && time.Now().Before(end); {
		time.Sleep(time.Millisecond)
	}
}

func (l *adapterLine) read() {
	defer l.cut()
	for {
		buf := make([]byte, 1024)
		n, err := l.conn.Read(buf)
		if err != nil {
			return
		}
		select {
		case l.in <- buf[:n]:
		default: // nobody reads, like a device that is switched off
		}
	}
}

// write gives data to the adapter, which loses it if nobody reads at the other end.
func (l *adapterLine) write(data []byte, last bool) error {
	l.writing.Lock()
	defer l.writing.Unlock()
	if l.lost {
		return nil
	}
	l.lost = last
	const fifo = 50 * time.Millisecond // how long data waits for room
	_ = l.conn.SetWriteDeadline(time.Now().Add(fifo))
	if _, err := l.conn.Write(data); err != nil && !errors.Is(err, os.ErrDeadlineExceeded) {
		return err
	}
	return nil
}

// A devicePort is the port of a device's UART.
type devicePort struct {
	line   *adapterLine
	closed context.Context // done when it is closed
	close  context.CancelFunc
}

var _ port.RateSetter = (*devicePort)(nil)

func newDevicePort(line *adapterLine) *devicePort {
	p := &devicePort{line: line}
	p.closed, p.close = context.WithCancel(context.Background())
	return p
}

func (p *devicePort) Read(b []byte) (int, error) {
	l := p.line
	rest := l.rest.Swap(nil)
	if rest == nil {
		select {
		case data := <-l.in:
			rest = &data
		case <-l.gone.Done():
			return 0, io.EOF
		case <-p.closed.Done():
			return 0, os.ErrClosed
		}
	}
	n := copy(b, *rest)
	if n < len(*rest) {
		left := (*rest)[n:]
		l.rest.Store(&left)
	}
	return n, nil
}

func (p *devicePort) Write(b []byte) (int, error) {
	l := p.line
	if p.closed.Err() != nil {
		return 0, os.ErrClosed
	}
	const frame = 8 // bytes: a shorter write contains no reading
	if len(b) >= frame && l.a.half.CompareAndSwap(true, false) {
		err := l.write(b[:len(b)/2], true)
		l.a.halfs <- struct{}{}
		return len(b), err
	}
	return len(b), l.write(b, false)
}

// SetBaud implements port.RateSetter. The adapter of QEMU has no rate: bytes arrive at any.
func (p *devicePort) SetBaud(rate int) error {
	select {
	case p.line.a.rates <- rate:
	default:
	}
	return nil
}

// Close ends the device's use of the line. The line stays.
func (p *devicePort) Close() error {
	p.close()
	return nil
}
