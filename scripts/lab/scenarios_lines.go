package main

import (
	"context"
	"fmt"
	"io"
	"strings"
	"sync"
	"time"

	"sighub/internal/simulator"
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

// formatsOf are the formats that devices print, each with what its entry needs beside its name.
var formatsOf = []string{
	"json", "pairs", "csv&columns=temp,hum,lux", "number&event=level", "nmea", "mysensors", "dsmr", "pattern&pattern=T%3D(%3FP<temp>[0-9.]%2B)",
}

// allFormats: devices of all formats at once are senders, each of which goes and comes back while the others report.
func allFormats(b *bench) {
	var adapters []*adapter
	var entries []string
	ctx, stop := context.WithCancel(context.WithoutCancel(b))
	var printing sync.WaitGroup
	b.atEnd(func(context.Context) { stop(); printing.Wait() })
	for i, entry := range formatsOf {
		name, _, _ := strings.Cut(entry, "&")
		device, err := simulator.NewLinePrinter(simulator.LinesOptions{Format: name, Rate: 10, Day: time.Hour})
		b.must(err)
		a := b.adapter()
		adapters = append(adapters, a)
		printing.Go(func() { _ = device.Run(ctx, a.open) })
		entries = append(entries, "--serial", fmt.Sprintf("/dev/ttyUSB%d?baud=115200&speaks=lines&sender=s%d&format=%s", i, i, entry))
	}
	b.serve(wire.Program{Args: entries})
	for i, a := range adapters {
		b.pluggedIn(a, i%buses, 1+i/buses, fmt.Sprintf("ttyUSB%d", i))
		b.wait(b.begin, "a reading of "+formatsOf[i], readingOf(i))
	}
	for i, a := range adapters {
		from := b.mark()
		b.unplug(a)
		b.wait(from, "#disconnect of "+formatsOf[i], goneOf(i))
		from = b.mark()
		b.plug(a, i%buses, 1+i/buses)
		b.wait(from, "a reading of "+formatsOf[i]+" again", readingOf(i))
		for j := range adapters {
			b.wait(b.mark(), "a reading of "+formatsOf[j]+" meanwhile", readingOf(j))
		}
	}
	b.saw("%d formats, each pulled out and put back", len(formatsOf))
}

// isOf reports whether the listener has heard something of the i-th device, which may have several senders.
func isOf(i int, s wire.Sight) bool {
	name := fmt.Sprintf("s%d", i)
	return s.Kind == wire.Heard && s.By == listener && (s.Sender == name || strings.HasPrefix(s.Sender, name+"."))
}

func readingOf(i int) match {
	return func(s wire.Sight) bool { return isOf(i, s) && !strings.HasPrefix(s.Event, "#") }
}

func goneOf(i int) match {
	return func(s wire.Sight) bool { return isOf(i, s) && s.Event == "#disconnect" }
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
