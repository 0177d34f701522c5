package main

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"sighub/carrier/serial/port"
	"sighub/scripts/lab/wire"
)

// A bench is what a scenario works with: the machine, and everything that the scenario starts there, which the bench ends. A step
// that fails ends the scenario, so scenarios need not check errors.
type bench struct {
	context.Context
	*machine
	begin    mark
	seen     []string // figures and findings for the table
	hubs     int
	hub      string // the name of the latest
	adapters []*adapter
	cleanup  []func()
}

// failure is what a failed step panics with; run catches it, and nothing else.
type failure struct{ error }

// run runs a scenario. It returns what was seen, and the error that ended it.
func (m *machine) run(ctx context.Context, s scenario) (seen string, err error) {
	ctx, cancel := context.WithTimeoutCause(ctx, s.limit(), fmt.Errorf("the scenario took longer than %s", s.limit()))
	defer cancel()
	b := &bench{Context: ctx, machine: m, begin: m.mark()}
	defer func() {
		switch p := recover().(type) {
		case nil:
		case failure:
			err = p.error
		default:
			panic(p)
		}
		for _, f := range slices.Backward(b.cleanup) {
			f()
		}
		seen = strings.Join(b.seen, "; ")
	}()
	s.run(b)
	b.onlyAdapters()
	return
}

func (b *bench) fail(format string, args ...any) { panic(failure{fmt.Errorf(format, args...)}) }

func (b *bench) must(err error) {
	if err != nil {
		panic(failure{err})
	}
}

// saw adds to the line of the table.
func (b *bench) saw(format string, args ...any) {
	b.seen = append(b.seen, fmt.Sprintf(format, args...))
}

// call sends a call to the agent.
func (b *bench) call(do string, with, result any) { b.must(b.do(b, do, with, result)) }

// wait returns the first sight after a mark that matches.
func (b *bench) wait(from mark, what string, m match) wire.Sight {
	s, err := b.await(b, from, patience, what, m)
	b.must(err)
	return s
}

// now returns the time of the machine's clock.
func (b *bench) now() (at int64) {
	b.call("now", nil, &at)
	return at
}

// adapter returns a new adapter, not plugged in.
func (b *bench) adapter() *adapter {
	a, err := newAdapter(b.machine, fmt.Sprintf("a%d-%d", b.begin, len(b.adapters)))
	b.must(err)
	b.adapters = append(b.adapters, a)
	b.atEnd(func(ctx context.Context) {
		b.gone(ctx, a)
		_ = a.socket.Close()
	})
	return a
}

// gone pulls an adapter out and waits until the kernel has removed its port, for the next scenario.
func (b *bench) gone(ctx context.Context, a *adapter) {
	from := b.mark()
	if a.isPlugged() && a.unplug(ctx) == nil {
		_, _ = b.await(ctx, from, 5*time.Second, "the kernel to notice", pulled)
	}
}

func (b *bench) plug(a *adapter, bus, port int) { b.must(a.plug(b, bus, port)) }
func (b *bench) unplug(a *adapter)              { b.must(a.unplug(b)) }

// pluggedIn plugs an adapter in and waits until the kernel has made a port of this name; an empty name means any. It returns the
// name.
func (b *bench) pluggedIn(a *adapter, bus, port int, name string) string {
	from := b.mark()
	b.plug(a, bus, port)
	return b.wait(from, "the kernel to make a port", uevent("add", name)).Name
}

// pulledOut pulls an adapter out and waits until the kernel notices. It returns what the kernel says.
func (b *bench) pulledOut(a *adapter) wire.Sight {
	from := b.mark()
	b.unplug(a)
	return b.wait(from, "the kernel to notice", pulled)
}

// device switches a device on, at a new adapter.
func (b *bench) device(o deviceOptions) (*adapter, *device) {
	a := b.adapter()
	return a, b.deviceAt(a.open, o)
}

// deviceAt switches a device on, whose port is what open returns.
func (b *bench) deviceAt(open func(context.Context) (port.Port, error), o deviceOptions) *device {
	d, err := newDevice(open, o)
	b.must(err)
	b.atEnd(func(context.Context) { d.stop() })
	return d
}

// usual sets up what most scenarios need: a device called light on an adapter that is plugged in, the hub, and a listener that has
// heard a first reading.
func (b *bench) usual() (*adapter, *device) {
	a, d := b.device(deviceOptions{name: "light"})
	b.serve(wire.Program{})
	from := b.mark()
	b.plug(a, 0, 1)
	b.wait(from, "a first reading", heard(d.name, countEvent))
	return a, d
}

func (b *bench) listen() { b.startListener(wire.Target{Name: listener}) }

func (b *bench) startListener(t wire.Target) {
	b.call("listen", t, nil)
	b.undo("unlisten", t)
}

// atEnd calls f at the end, whether or not the scenario has succeeded; the last one first.
func (b *bench) atEnd(f func(context.Context)) {
	b.cleanup = append(b.cleanup, func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(b), patience)
		defer cancel()
		f(ctx)
	})
}

// undo sends a call to the agent at the end.
func (b *bench) undo(do string, with wire.Target) {
	b.atEnd(func(ctx context.Context) { _ = b.do(ctx, do, with, nil) }) // it may have ended already
}

// hold lets another program hold a path, until a call of release or the end.
func (b *bench) hold(t wire.Target) {
	b.call("hold", t, nil)
	b.undo("release", t)
}

// serve starts the hub, and a listener when the hub accepts clients.
func (b *bench) serve(p wire.Program) {
	b.startHub(p)
	b.listen()
}

// startHub starts `sighub run` with these arguments, by default with all serial ports. It returns when the hub accepts clients.
func (b *bench) startHub(p wire.Program) {
	from := b.beginHub(p)
	b.wait(from, "the hub to listen", logged("msg=listening"))
}

// beginHub starts the hub and does not wait for it.
func (b *bench) beginHub(p wire.Program) mark {
	if len(p.Args) == 0 {
		p.Args = []string{"--serial", b.serial}
	}
	b.hubs++
	p.Name = fmt.Sprintf("hub%d-%d", b.begin, b.hubs)
	// A separate folder, so that the hub remembers nothing from the previous scenario.
	p.Args = append([]string{"/bin/sighub", "run", "--state", "/tmp/" + p.Name}, p.Args...)
	from := b.mark()
	b.call("start", p, nil)
	b.hub = p.Name
	b.undo("remove", wire.Target{Path: "/tmp/" + p.Name})
	b.atEnd(func(ctx context.Context) {
		if err := b.endHub(ctx, p.Name, sigTerm); err != nil {
			_ = b.endHub(ctx, p.Name, sigKill)
		}
	})
	return from
}

// The numbers of signals, the same on both architectures.
const (
	sigQuit = 3
	sigKill = 9
	sigTerm = 15
	sigCont = 18
	sigStop = 19
)

// stopHub ends the hub as its user does.
func (b *bench) stopHub() {
	from := b.mark()
	b.must(b.endHub(b, b.hub, sigTerm))
	s := b.wait(from, "the hub to end", func(s wire.Sight) bool { return s.Kind == wire.Exit && s.By == b.hub })
	if s.Code != 0 {
		b.fail("the hub ended with exit code %d", s.Code)
	}
}

// endHub sends a signal and waits for the end of the hub, which may have ended already.
func (b *bench) endHub(ctx context.Context, name string, signal int) error {
	ended := func(s wire.Sight) bool { return s.Kind == wire.Exit && s.By == name }
	if count(b.since(b.begin), ended) > 0 {
		return nil
	}
	_ = b.do(ctx, "signal", wire.Target{Name: name, Signal: signal}, nil) // it may be ending by itself
	if _, err := b.await(ctx, b.begin, 5*time.Second, "the hub to end", ended); err != nil {
		return fmt.Errorf("the hub does not end after signal %d: %w", signal, err)
	}
	return nil
}

// process returns the resources of the hub.
func (b *bench) process() (p wire.Process) {
	b.call("process", wire.Target{Name: b.hub}, &p)
	return p
}
