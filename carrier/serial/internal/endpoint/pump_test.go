package endpoint

import (
	"context"
	"errors"
	"io"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// A silentPort reads nothing, and writes when it is let.
type silentPort struct {
	closed chan struct{}
	let    chan struct{} // nil: each write goes on at once
	once   sync.Once
}

func (p *silentPort) Read([]byte) (int, error) { <-p.closed; return 0, io.EOF }
func (p *silentPort) Close() error             { p.once.Do(func() { close(p.closed) }); return nil }

func (p *silentPort) Write(b []byte) (int, error) {
	if p.let == nil {
		return len(b), nil
	}
	select {
	case <-p.let:
		return len(b), nil
	case <-p.closed:
		return 0, io.ErrClosedPipe
	}
}

func (p *silentPort) SetBaud(int) error { _, err := p.Write(nil); return err }

// A quietEnd counts how often it is called, writes what it is given, and wants a rate.
type quietEnd struct {
	write          []byte
	rate           int
	expired, looks int // calls of Expire, and for how many of them it asks
}

func (*quietEnd) Receive(time.Time, []byte) bool  { return false }
func (e *quietEnd) Rate() int                     { return e.rate }
func (e *quietEnd) RateSet(time.Time, int, error) { e.rate = 0 }
func (*quietEnd) Finish() bool                    { return true }
func (e *quietEnd) Expire(time.Time) (again bool) { e.expired++; return e.expired < e.looks }

func (e *quietEnd) Pull(_ time.Time, dst []byte) ([]byte, time.Time) {
	dst = append(dst, e.write...)
	e.write = nil
	return dst, time.Time{}
}

// TestIdlePump: nothing is done for an idle port, unless its end asks for it; while a write or a change of the rate is stuck, the end may expire.
func TestIdlePump(t *testing.T) {
	for _, c := range []struct {
		what        string
		end         quietEnd
		stuck       bool
		least, most int
	}{
		{"idle", quietEnd{}, false, 0, 1},
		{"looked at", quietEnd{looks: 40}, false, 40, 40},
		{"written to", quietEnd{write: []byte("x")}, false, 0, 2},
		{"stuck", quietEnd{write: []byte("x")}, true, 230, 250},
		{"set to a rate", quietEnd{rate: 9600}, false, 0, 2},
		{"stuck before it is set to a rate", quietEnd{rate: 9600}, true, 230, 250},
	} {
		synctest.Test(t, func(t *testing.T) {
			port, end := &silentPort{closed: make(chan struct{})}, c.end
			if c.stuck {
				port.let = make(chan struct{})
			}
			var lock Mutex
			ctx, cancel := context.WithCancel(t.Context())
			var cause error
			var pumping sync.WaitGroup
			pumping.Go(func() { Pump(ctx, port, &end, &lock, NewNotice(), func(err error) { cause = err }) })
			time.Sleep(time.Minute)
			lock.Lock()
			if end.expired < c.least || end.expired > c.most {
				t.Errorf("%s: the end was called %d times in a minute", c.what, end.expired)
			}
			before := end.expired
			lock.Unlock()
			if c.stuck {
				close(port.let)
				time.Sleep(time.Minute)
				lock.Lock()
				if n := end.expired - before; n > 2 {
					t.Errorf("%s: after the write, the end was called %d times in a minute", c.what, n)
				}
				lock.Unlock()
			}
			cancel()
			pumping.Wait()
			if !errors.Is(cause, context.Canceled) {
				t.Errorf("%s: the port was lost: %v", c.what, cause)
			}
		})
	}
}
