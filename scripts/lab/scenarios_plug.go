package main

import (
	"context"
	"fmt"
	"strings"
	"time"

	"sighub/carrier/serial/port"
	"sighub/scripts/lab/wire"
)

// replug: #disconnect and #connect come in time, and the port keeps its name, because the hub closes it at once.
func replug(b *bench) {
	a, d := b.usual()
	from := b.begin
	was := b.connected(from, d)
	var last back
	gone := b.judge("#disconnect", goneLimit, func() time.Duration {
		took := b.pull(a, d)
		last = b.putBack(a, d, 0, 1)
		return took
	})
	first := b.judge("to have readings again", backLimit, func() time.Duration {
		if took := last.first; took != 0 {
			last.first = 0
			return took
		}
		b.pull(a, d)
		last = b.putBack(a, d, 0, 1)
		return last.first
	})
	b.saw("#disconnect %s after the kernel's first word; from plugging in to the first reading %s, of which the kernel took %s, then #connect %s",
		round(gone), round(first), round(last.made), round(last.hello))
	b.same(d, was, last.connection)
	b.balanced(d)
	b.noOtherName("ttyUSB0")
}

// noOtherName checks that the kernel gave its ports only these names.
func (b *bench) noOtherName(names ...string) {
	for _, s := range b.since(b.begin) {
		if uevent("add", "")(s) && !strings.Contains(strings.Join(names, " "), s.Name) {
			b.fail("the kernel had to call a port %s, because the hub still had the old one open", s.Name)
		}
	}
}

// settings: the settings of a port that the hub has opened.
func settings(b *bench) {
	_, d := b.usual()
	t := b.terminal()
	var timer string
	b.call("read", wire.Target{Path: "/sys/bus/usb-serial/devices/ttyUSB0/latency_timer"}, &timer)
	b.saw("%d baud, raw %t, HUPCL %t, DTR %t, RTS %t, latency timer %s ms", t.Baud, t.Raw, t.HangUp, t.DTR, t.RTS, timer)
	if !t.Raw || t.HangUp || !t.DTR || !t.RTS {
		b.fail("the terminal should be raw, without HUPCL, with DTR and RTS: %+v", t)
	}
	if timer != "1" {
		b.fail("the adapter's latency timer is %s ms, not 1", timer)
	}
	b.flows(d, 5)
	b.stopHub()
	b.call("unlisten", wire.Target{Name: listener}, nil)

	b.serve(wire.Program{Args: []string{"--serial", "/dev/ttyUSB0?dtr=off&rts=off"}})
	b.flows(d, 5)
	t = b.terminal()
	b.saw("told so, DTR %t, RTS %t", t.DTR, t.RTS)
	if t.DTR || t.RTS || t.HangUp {
		b.fail("the terminal should be without HUPCL, DTR and RTS: %+v", t)
	}
}

// terminal returns the settings of the first port.
func (b *bench) terminal() (t wire.Terminal) {
	b.call("terminal", wire.Target{Name: b.hub, Path: "/dev/ttyUSB0"}, &t)
	return t
}

// renamed: another program keeps the old descriptor open, so the kernel gives the port another name.
func renamed(b *bench) {
	a, d := b.usual()
	was := b.connected(b.begin, d)
	held := wire.Target{Name: "held", Path: "/dev/ttyUSB0"}
	b.hold(held)
	b.pull(a, d)
	is := b.putBack(a, d, 0, 1)
	b.saw("on %s, first reading after %s", is.Client.Addr, round(is.first))
	if !strings.HasSuffix(is.Client.Addr, "/dev/ttyUSB1") {
		b.fail("the kernel gave the port another name, but the device is on %s", is.Client.Addr)
	}
	b.same(d, was, is.connection)
	b.call("release", held, nil)
	b.pull(a, d)
	is = b.putBack(a, d, 0, 1)
	b.saw("then on %s", is.Client.Addr)
	b.same(d, was, is.connection)
}

// stopped: the hub is halted, so it cannot close the old descriptor before the new port is there.
func stopped(b *bench) {
	a, d := b.usual()
	was := b.connected(b.begin, d)
	b.call("signal", wire.Target{Name: b.hub, Signal: sigStop}, nil)
	from := b.mark()
	b.pulledOut(a)
	port := b.pluggedIn(a, 0, 1, "")
	resumed := b.now()
	b.call("signal", wire.Target{Name: b.hub, Signal: sigCont}, nil)
	b.hearsOfPull(from, d)
	hello := b.wait(from, "#connect", heard(d.name, "#connect"))
	is := b.connectionOf(hello)
	b.flows(d, 3)
	b.saw("on %s, %s after the hub ran again", is.Client.Addr, round(time.Duration(hello.At-resumed)))
	if port != "ttyUSB1" || !strings.HasSuffix(is.Client.Addr, port) {
		b.fail("the kernel called the port %s, and the device is on %s", port, is.Client.Addr)
	}
	b.same(d, was, is)
}

// swapped: only their uids distinguish the devices.
func swapped(b *bench) {
	a1, left := b.device(deviceOptions{name: "left"})
	a2, right := b.device(deviceOptions{name: "right"})
	b.serve(wire.Program{})
	leftWas, rightWas := b.putBack(a1, left, 0, 1), b.putBack(a2, right, 0, 2)
	if one, other := b.look("ttyUSB0"), b.look("ttyUSB1"); one != other {
		b.fail("the adapters do not look the same: %s, %s", one, other)
	}
	b.pull(a1, left)
	b.pull(a2, right)
	rightIs, leftIs := b.putBack(a2, right, 0, 1), b.putBack(a1, left, 0, 2)
	b.saw("both %s; left from %s to %s, right from %s to %s", b.look("ttyUSB0"),
		leftWas.Client.Addr, leftIs.Client.Addr, rightWas.Client.Addr, rightIs.Client.Addr)
	if leftIs.Client.Addr != rightWas.Client.Addr || rightIs.Client.Addr != leftWas.Client.Addr {
		b.fail("the ports were not swapped")
	}
	b.same(left, leftWas.connection, leftIs.connection)
	b.same(right, rightWas.connection, rightIs.connection)
	b.balanced(left)
	b.balanced(right)
}

// look returns what the kernel knows about the adapter of a port: vendor, product and serial number.
func (b *bench) look(port string) string {
	usb := "/sys/bus/usb-serial/devices/" + port + "/../../"
	var vendor, product, number string
	b.call("read", wire.Target{Path: usb + "idVendor"}, &vendor)
	b.call("read", wire.Target{Path: usb + "idProduct"}, &product)
	if b.do(b, "read", wire.Target{Path: usb + "serial"}, &number) != nil {
		number = "no serial number" // then the kernel has no file for it
	}
	return fmt.Sprintf("%s:%s with %s", vendor, product, number)
}

// cables: a device is recognised wherever among the cables its port is.
func cables(b *bench) {
	a1, one := b.device(deviceOptions{name: "one"})
	a2, two := b.device(deviceOptions{name: "two"})
	hub := map[string]any{"driver": "usb-hub", "id": "cables", "bus": "bus1.0", "port": "1"}
	b.must(b.qmp.do(b, "device_add", hub))
	there := true
	remove := func(ctx context.Context, with ...*adapter) error {
		if !there {
			return nil
		}
		there = false
		return pullOut(ctx, b.machine, "cables", with...)
	}
	b.atEnd(func(ctx context.Context) { _ = remove(ctx) })
	b.serve(wire.Program{})
	from := b.mark()
	b.must(a1.plugAt(b, 1, "1.1"))
	b.must(a2.plugAt(b, 1, "1.2"))
	oneWas, twoWas := b.connected(from, one), b.connected(from, two)
	b.flows(one, 2)
	b.flows(two, 2)
	from = b.mark()
	b.must(remove(b, a1, a2))
	b.hearsOfPull(from, one)
	b.hearsOfPull(from, two)
	twoIs := b.putBack(a2, two, 2, 1)
	oneIs := b.putBack(a1, one, 3, 4)
	b.same(one, oneWas, oneIs.connection)
	b.same(two, twoWas, twoIs.connection)
	b.saw("%s from %s to %s, %s from %s to %s", one.name, oneWas.Client.Addr, oneIs.Client.Addr, two.name, twoWas.Client.Addr, twoIs.Client.Addr)
}

// restarted: a device that is powered by its port starts again when it is plugged in, with new numbers.
func restarted(b *bench) {
	a, d := b.usual()
	was := b.connected(b.begin, d)
	b.pull(a, d)
	d.Reset(false)
	is := b.putBack(a, d, 0, 1)
	b.flows(d, 5)
	if was.Client.UID != is.Client.UID {
		b.fail("the uid was %q and is %q", was.Client.UID, is.Client.UID)
	}
	b.balanced(d)
	b.saw("first reading after %s", round(is.first))
}

// noise makes the device of a port print for a while whenever the port is opened, at another rate than that of the hub.
func noise(a *adapter, text []byte, lasts time.Duration) func(context.Context) (port.Port, error) {
	return func(ctx context.Context) (port.Port, error) {
		port, err := a.open(ctx)
		if err != nil {
			return nil, err
		}
		const pace = 10 * time.Millisecond
		const chunk = 115 // bytes in that time at 115200 baud
		tick := time.NewTicker(pace)
		defer tick.Stop()
		for i := range int(lasts / pace) {
			begin := i * chunk % (len(text) - chunk)
			if _, err := port.Write(text[begin : begin+chunk]); err != nil {
				return nil, err
			}
			select {
			case <-tick.C:
			case <-ctx.Done():
				return nil, context.Cause(ctx)
			}
		}
		return port, nil
	}
}
