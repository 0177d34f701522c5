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

// A tarmPort reads from the library, to which a timeout and a hang-up are both io.EOF: the latter comes at once,
// again and again.
type tarmPort struct {
	*tarm.Port
	early int
}

// drain leaves it to the kernel, whose close waits: the library knows of no other way.
func (p *tarmPort) drain() error { return nil }

func (p *tarmPort) flush() { _ = p.Flush() }

// Read returns 0, nil when pollEvery has passed.
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
