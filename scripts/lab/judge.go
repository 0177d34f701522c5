package main

import (
	"slices"
	"time"

	"sighub/scripts/lab/wire"
)

// Limits, in the time of the machine.
const (
	goneLimit = 100 * time.Millisecond // from the kernel's first word to #disconnect at a listener
	backLimit = 2 * time.Second        // from plugging in to a first reading at a listener
)

// judge measures something that must not take longer than a limit. If a measurement is over the limit, the computer may have been
// busy: then the median of three counts.
func (b *bench) judge(what string, limit time.Duration, once func() time.Duration) time.Duration {
	all := []time.Duration{once()}
	if all[0] > limit {
		all = append(all, once(), once())
		slices.Sort(all)
	}
	took := all[len(all)/2]
	if took > limit {
		b.fail("%s took %s (median of three), more than %s", what, round(took), limit)
	}
	return took
}

func round(d time.Duration) time.Duration { return d.Round(time.Millisecond) }

// between returns the time between two sights.
func between(from, to wire.Sight) time.Duration { return time.Duration(to.At - from.At) }

// pull unplugs an adapter whose device the listener knows, waits until the listener hears of it, and returns how long after the
// kernel that was.
func (b *bench) pull(a *adapter, d *device) time.Duration {
	from := b.mark()
	b.unplug(a)
	return b.hearsOfPull(from, d)
}

// hearsOfPull waits for #disconnect of a device that was unplugged after a mark.
func (b *bench) hearsOfPull(from mark, d *device) time.Duration {
	out := b.wait(from, "the kernel to notice", pulled)
	gone := b.wait(from, "#disconnect of "+d.name, heard(d.name, "#disconnect"))
	if reason := b.connectionOf(gone).Reason; reason != "unplugged" {
		b.fail("the reason of #disconnect is %q, not unplugged", reason)
	}
	return between(out, gone)
}

// back has the times of a device that is plugged in.
type back struct {
	connection
	made  time.Duration // from plugging in to the kernel's announcement of its port
	hello time.Duration // from that to #connect
	first time.Duration // from plugging in to the first reading
}

// putBack plugs an adapter in and waits until the listener hears the device's readings.
func (b *bench) putBack(a *adapter, d *device, bus, port int) back {
	from := b.mark()
	in := b.now()
	b.plug(a, bus, port)
	seen := b.wait(from, "the kernel to see an adapter", plugged)
	made := b.wait(from, "the kernel to make a port", uevent("add", ""))
	// Readings heard before that were taken earlier, and arrived late.
	hello := b.wait(from, "#connect of "+d.name, after(seen, heard(d.name, "#connect")))
	first := b.wait(from, "a reading of "+d.name, after(hello, heard(d.name, countEvent)))
	return back{b.connectionOf(hello), time.Duration(made.At - in), between(made, hello), time.Duration(first.At - in)}
}

// same checks that it is the same device, and that the listener has heard all its readings.
func (b *bench) same(d *device, was, is connection) {
	if was.Client.UID == "" || is.Client.UID != was.Client.UID {
		b.fail("%s: the uid was %q and is %q", d.name, was.Client.UID, is.Client.UID)
	}
	b.each(0, d)
}

// connected waits for the connection of a device after a mark.
func (b *bench) connected(from mark, d *device) connection {
	return b.connectionOf(b.wait(from, "#connect of "+d.name, heard(d.name, "#connect")))
}

// receive waits for a value; failure says what it means that none comes.
func receive[T any](b *bench, from <-chan T, failure string) (v T) {
	select {
	case v = <-from:
	case <-b.Done():
		b.fail("%s", failure)
	}
	return v
}

// flows waits until the listener has heard this many more readings of a device.
func (b *bench) flows(d *device, readings int) {
	from := b.mark()
	b.wait(from, "readings of "+d.name, func(s wire.Sight) bool {
		if heard(d.name, countEvent)(s) {
			readings--
		}
		return readings <= 0
	})
}

// balanced checks that the listener has heard one more #connect than #disconnect of a connected device.
func (b *bench) balanced(d *device) {
	sights := b.since(b.begin)
	in, out := count(sights, heard(d.name, "#connect")), count(sights, heard(d.name, "#disconnect"))
	if in != out+1 {
		b.fail("%s: #connect came %d times and #disconnect %d times", d.name, in, out)
	}
}
