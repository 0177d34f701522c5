package main

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"sighub/scripts/lab/wire"
)

// twice: if two ports have the same device, the port that is connected keeps it until it is silent.
func twice(b *bench) {
	same := deviceOptions{name: "light", uid: "the same"}
	a1, first := b.device(same)
	b.serve(wire.Program{})
	was := b.putBack(a1, first, 0, 1)
	a2, second := b.device(same)
	from := b.mark()
	b.plug(a2, 0, 2)
	b.wait(from, "the hub to tell of the second", func(s wire.Sight) bool {
		return logged("ttyUSB1", "level=WARN")(s) || logged("ttyUSB1", "level=ERROR")(s)
	})
	b.flows(first, 40)
	if n := count(b.since(from), heard("light", "#disconnect")); n != 0 {
		b.fail("the second took the place of the first, which was not silent")
	}
	from = b.mark()
	first.stop()
	is := b.connected(from, second)
	if is.Client.Addr == was.Client.Addr || is.Client.UID != was.Client.UID {
		b.fail("the second is on %s with the uid %s", is.Client.Addr, is.Client.UID)
	}
	b.flows(second, 5)
	b.saw("refused while %s speaks, then on %s", was.Client.Addr, is.Client.Addr)
}

// descriptors: a hub with more than 1,024 descriptors can wait for its ports; select(2) could not.
func descriptors(b *bench) {
	const many = 1100
	a, d := b.device(deviceOptions{name: "light"})
	b.serve(wire.Program{Files: many})
	b.putBack(a, d, 0, 1)
	b.flows(d, 5)
	n := len(b.process().Descriptors)
	gone := b.pull(a, d)
	b.putBack(a, d, 0, 1)
	b.saw("%d descriptors; #disconnect after %s", n, round(gone))
	if n <= many {
		b.fail("the hub has %d descriptors only", n)
	}
}

// cycles: after many plug cycles the hub has no more resources than before. Each adapter has its own controller, because the kernel
// handles those concurrently.
func cycles(b *bench) {
	const first = 20     // during these the hub may still allocate what it keeps
	const room = 6 << 10 // KiB that the garbage collector may not have freed yet
	const atWork = 4     // goroutines that exist only during a reading
	adapters, devices := make([]*adapter, buses), make([]*device, buses)
	var names []string
	for i := range buses {
		adapters[i], devices[i] = b.device(deviceOptions{name: fmt.Sprintf("light%d", i)})
		names = append(names, fmt.Sprintf("ttyUSB%d", i))
	}
	connectAll := func() {
		b.serve(wire.Program{})
		for i, d := range devices {
			if !adapters[i].isPlugged() {
				b.plug(adapters[i], i, 1)
			}
			b.flows(d, 2)
		}
	}
	connectAll()
	// Goroutines are counted in what a hub prints when SIGQUIT ends it. So first count those of a hub that has done nothing.
	before := b.goroutines()
	b.call("unlisten", wire.Target{Name: listener}, nil)
	connectAll()
	from := b.mark()
	b.cycleAll(adapters, devices, first)
	start := b.leastHeld(devices[0])
	b.cycleAll(adapters, devices, b.cycles-first)
	end := b.leastHeld(devices[0])
	ins, outs := 0, 0
	for _, d := range devices {
		ins += count(b.since(from), heard(d.name, "#connect"))
		outs += count(b.since(from), heard(d.name, "#disconnect"))
	}
	after := b.goroutines()
	b.saw("%d × #disconnect, %d × #connect; descriptors %d → %d; goroutines %d → %d; threads %d → %d; memory %.1f → %.1f MiB",
		outs, ins, len(start.Descriptors), len(end.Descriptors), len(before), len(after), start.Threads, end.Threads,
		float64(start.Resident)/1024, float64(end.Resident)/1024)
	if ins != b.cycles || outs != b.cycles {
		b.fail("there were %d cycles", b.cycles)
	}
	if len(end.Descriptors) != len(start.Descriptors) {
		b.fail("descriptors before: %s; after: %s", tally(start.Descriptors), tally(end.Descriptors))
	}
	if len(after) > len(before)+atWork {
		b.fail("goroutines before: %s; after: %s", tally(before), tally(after))
	}
	if end.Resident > start.Resident+room {
		b.fail("memory has grown by %d KiB", end.Resident-start.Resident)
	}
	b.noOtherName(names...)
}

// leastHeld looks at the hub with each reading of a device for about a second, and returns the result with the fewest descriptors:
// while the hub looks for ports, it has one more for a moment.
func (b *bench) leastHeld(d *device) wire.Process {
	least := b.process()
	for range time.Second / usualPeriod {
		b.flows(d, 1)
		if p := b.process(); len(p.Descriptors) < len(least.Descriptors) {
			least = p
		}
	}
	return least
}

// cycleAll makes this many plug cycles, and waits for the readings of the devices.
func (b *bench) cycleAll(adapters []*adapter, devices []*device, times int) {
	errs := make([]error, len(adapters))
	var working sync.WaitGroup
	for i := range adapters {
		working.Go(func() { errs[i] = b.cycle(adapters[i], devices[i], i, times/len(adapters)) })
	}
	working.Wait()
	b.must(errors.Join(errs...))
	for _, d := range devices {
		b.flows(d, 2)
	}
}

// cycle pulls an adapter out and puts it back, and waits for the listener each time.
func (b *bench) cycle(a *adapter, d *device, bus, times int) error {
	for range times {
		from := b.mark()
		if err := a.unplug(b); err != nil {
			return err
		}
		if _, err := b.await(b, from, patience, "#disconnect of "+d.name, heard(d.name, "#disconnect")); err != nil {
			return err
		}
		from = b.mark()
		if err := a.plug(b, bus, 1); err != nil {
			return err
		}
		if _, err := b.await(b, from, patience, "#connect of "+d.name, heard(d.name, "#connect")); err != nil {
			return err
		}
	}
	return nil
}

// goroutines ends the hub with SIGQUIT and returns which function started each goroutine. It leaves out those of the runtime, some of
// which start with the first garbage collection.
func (b *bench) goroutines() (started []string) {
	from := b.mark()
	b.must(b.endHub(b, b.hub, sigQuit))
	for _, s := range b.since(from) {
		switch {
		case s.Kind != wire.Log:
		case strings.HasPrefix(s.Text, "goroutine 0 "): // a thread's own stack
		case strings.HasPrefix(s.Text, "goroutine ") && strings.HasSuffix(s.Text, ":"):
			started = append(started, "the program")
		case strings.HasPrefix(s.Text, "created by ") && len(started) > 0:
			by, _, _ := strings.Cut(strings.TrimPrefix(s.Text, "created by "), " in goroutine")
			started[len(started)-1] = by
		}
	}
	return slices.DeleteFunc(started, func(by string) bool { return strings.HasPrefix(by, "runtime.") })
}

// tally counts equal values.
func tally(list []string) string {
	n := make(map[string]int)
	for _, s := range list {
		n[s]++
	}
	var parts []string
	for s, n := range n {
		parts = append(parts, fmt.Sprintf("%d × %s", n, s))
	}
	slices.Sort(parts)
	return strings.Join(parts, ", ")
}
