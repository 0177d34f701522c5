package main

import (
	"context"
	"fmt"
	"io"
	"sync"
	"time"

	"sighub/scripts/lab/wire"
)

// prints: a device that prints lines is pulled and put back, and its port has the settings that the configuration says.
func prints(b *bench) {
	a := b.adapter()
	d := &device{name: "printer"}
	b.printer(a)
	b.serve(wire.Program{Args: []string{"--serial",
		"/dev/ttyUSB*?baud=2400&data=7&parity=even&stop=2&flow=xonxoff&break=50ms&dtr=off&rts=off&speaks=lines&format=pairs&sender=printer"}})
	is := b.putBack(a, d, 0, 1)
	t := b.terminal()
	b.saw("first reading after %s; %d baud, %s, XON/XOFF %t, DTR %t, RTS %t", round(is.first), t.Baud, t.Format, t.XON, t.DTR, t.RTS)
	if t.Baud != 2400 || t.Format != "7E2" || !t.XON || t.DTR || t.RTS || !t.Raw {
		b.fail("the terminal should be raw, at 2400 baud, 7E2, with XON/XOFF, without DTR and RTS: %+v", t)
	}
	for range 5 {
		b.flows(d, 5)
		b.judge("#disconnect", 100*time.Millisecond, func() time.Duration {
			gone := b.pull(a, d)
			is = b.putBack(a, d, 0, 1)
			return gone
		})
	}
	b.saw("back after %s", round(is.first))
}

// printer prints lines at the other end of an adapter, whenever it is plugged in, until the scenario ends.
func (b *bench) printer(a *adapter) {
	ctx, stop := context.WithCancel(context.WithoutCancel(b))
	var printing sync.WaitGroup
	b.atEnd(func(context.Context) { stop(); printing.Wait() })
	printing.Go(func() {
		for n := 0; ctx.Err() == nil; {
			p, err := a.open(ctx)
			if err != nil {
				return // ctx is done
			}
			pulled := make(chan struct{})
			printing.Go(func() { _, _ = io.Copy(io.Discard, p); close(pulled) })
			for line := true; line && ctx.Err() == nil; n++ {
				_, _ = fmt.Fprintf(p, "count:%d\r\n", n) // what nobody reads is lost
				select {
				case <-pulled:
					line = false
				case <-ctx.Done():
				case <-time.After(usualPeriod):
				}
			}
			_ = p.Close()
		}
	})
}
