//go:build linux || windows

package port

import (
	"errors"
	"io"
	"time"

	tarm "github.com/tarm/serial"
)

func openTarm(path string, baud int) (Port, error) {
	p, err := tarm.OpenPort(&tarm.Config{Name: path, Baud: baud, ReadTimeout: pollEvery})
	if err != nil {
		return nil, err
	}
	return newPolledPort(&tarmPort{Port: p}), nil
}

// A tarmPort tells a timeout from a hang-up, which the library both reports as io.EOF: a hang-up comes at once, again and
// again.
type tarmPort struct {
	*tarm.Port
	early int
}

// drain does nothing, because the library cannot: the kernel waits when the port is closed.
func (p *tarmPort) drain() error { return nil }

func (p *tarmPort) flush() { _ = p.Flush() }

// Read returns 0, nil after pollEvery.
func (p *tarmPort) Read(b []byte) (int, error) {
	const hangUp = 3
	start := time.Now()
	n, err := p.Port.Read(b)
	if !errors.Is(err, io.EOF) {
		p.early = 0
		return n, err
	}
	if time.Since(start) > pollEvery/4 {
		p.early = 0
		return n, nil
	}
	if p.early++; p.early < hangUp {
		return n, nil
	}
	return n, io.ErrUnexpectedEOF
}
