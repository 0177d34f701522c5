package fault

import (
	"context"
	"io"
	"os"
	"sync"
	"time"
)

// A port is an open port as it is seen through a cable. One goroutine reads the inner port into one line, one writes what the
// other line brings to it, and one waits for the cut. Close ends them all.
type port struct {
	cable   *Cable
	inner   io.ReadWriteCloser
	in, out *pipe
	life    context.Context // of the port
	end     context.CancelCauseFunc
	running sync.WaitGroup
	release sync.Once

	once     sync.Once
	closeErr error
}

func newPort(c *Cable, at End, inner io.ReadWriteCloser) *port {
	p := &port{cable: c, inner: inner}
	p.life, p.end = context.WithCancelCause(context.Background())
	cut := c.plug()
	p.in, p.out = newPipe(p.life, c, c.toHub), newPipe(p.life, c, c.toDevice)
	if at == DeviceEnd {
		p.in, p.out = p.out, p.in
	}
	p.running.Go(p.bring)
	p.running.Go(p.carryOff)
	if !cut.IsZero() {
		p.running.Go(func() { p.cutAt(cut) })
	}
	return p
}

// bring puts what the inner port brings on the line.
func (p *port) bring() {
	buf := make([]byte, bufferSize)
	for {
		n, err := p.inner.Read(buf)
		if _, ended := p.in.put(buf[:n]); ended != nil {
			return
		}
		if err != nil {
			p.fail(err)
			return
		}
	}
}

// carryOff writes what the line brings to the inner port.
func (p *port) carryOff() {
	buf := make([]byte, bufferSize)
	for {
		n, ended := p.out.get(buf)
		if ended != nil {
			return
		}
		if _, err := p.inner.Write(buf[:n]); err != nil {
			p.fail(err)
			return
		}
	}
}

func (p *port) cutAt(t time.Time) {
	if sleep(p.life, t, nil); p.life.Err() != nil {
		return
	}
	p.cable.mu.Lock()
	_, _ = p.cable.cuts.At(time.Now()) // counts it
	p.cable.mu.Unlock()
	p.fail(ErrCut)
}

// fail ends the port: Read and Write return the cause from then on.
func (p *port) fail(cause error) {
	p.once.Do(func() {
		p.end(cause)
		p.closeErr = p.inner.Close()
	})
}

// Read implements io.Reader.
func (p *port) Read(b []byte) (int, error) { return p.in.get(b) }

// Write implements io.Writer. It returns when the transmitter has taken all.
func (p *port) Write(b []byte) (int, error) { return p.out.put(b) }

// Close wakes Read and Write, and drops what is on the line. It may be called more than once.
func (p *port) Close() error {
	p.fail(os.ErrClosed)
	p.running.Wait()
	p.release.Do(p.cable.release)
	return p.closeErr
}
