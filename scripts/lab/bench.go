package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"sighub/scripts/lab/wire"
)

// A bench is what a scenario works with: the machine, and whatever it starts there, which the bench takes away at its
// end. A step that fails ends the scenario, so that scenarios read as what happens.
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

// run carries a scenario out and returns what was seen, and the error that ended it.
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

// saw adds to what the table tells.
func (b *bench) saw(format string, args ...any) {
	b.seen = append(b.seen, fmt.Sprintf(format, args...))
}

// call asks the agent for something.
func (b *bench) call(do string, with, result any) { b.must(b.do(b, do, with, result)) }

// wait returns the first sight after a mark that matches.
func (b *bench) wait(from mark, what string, m match) wire.Sight {
	s, err := b.await(b, from, patience, what, m)
	b.must(err)
	return s
}

// now is the machine's clock, before whatever is done next.
func (b *bench) now() (at int64) {
	b.call("now", nil, &at)
	return at
}

// adapter returns a new adapter, not plugged in.
func (b *bench) adapter() *adapter {
	a, err := newAdapter(b.machine, fmt.Sprintf("a%d-%d", b.begin, len(b.adapters)))
	b.must(err)
	b.adapters = append(b.adapters, a)
	b.cleanup = append(b.cleanup, func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(b), patience)
		defer cancel()
		b.gone(ctx, a)
		_ = a.socket.Close()
	})
	return a
}

// gone pulls an adapter out and waits until the machine's kernel has no port of it any more, for the next scenario.
func (b *bench) gone(ctx context.Context, a *adapter) {
	from := b.mark()
	if a.isPlugged() && a.unplug(ctx) == nil {
		_, _ = b.await(ctx, from, 5*time.Second, "the kernel to notice", pulled)
	}
}

func (b *bench) plug(a *adapter, bus, port int) { b.must(a.plug(b, bus, port)) }
func (b *bench) unplug(a *adapter)              { b.must(a.unplug(b)) }

// device switches a device on, at an adapter.
func (b *bench) device(a *adapter, o deviceOptions) *device {
	o.open = a.open
	d, err := newDevice(o)
	b.must(err)
	b.cleanup = append(b.cleanup, d.stop)
	return d
}

// usual makes the usual arrangement: a device called light on an adapter that is plugged in, the hub, and a listener
// that has heard a first reading.
func (b *bench) usual() (*adapter, *device) {
	a := b.adapter()
	d := b.device(a, deviceOptions{name: "light"})
	b.startHub(wire.Program{})
	b.listen()
	from := b.mark()
	b.plug(a, 0, 1)
	b.wait(from, "a first reading", heard(d.name, countEvent))
	return a, d
}

func (b *bench) listen() { b.startListener(wire.Target{Name: listener}) }

func (b *bench) startListener(t wire.Target) {
	b.call("listen", t, nil)
	b.cleanup = append(b.cleanup, func() { b.quietly("unlisten", t) })
}

// quietly does what is done at the end, whatever became of the scenario.
func (b *bench) quietly(do string, with any) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(b), patience)
	defer cancel()
	_ = b.do(ctx, do, with, nil) // what is gone already needs no end
}

// startHub starts `sighub run` with its serial ports as the program's arguments say, by default all there are. It
// returns when the hub takes clients.
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
	// A folder of its own, so that nothing is remembered from the scenario before.
	p.Args = append([]string{"/bin/sighub", "run", "--state", "/tmp/" + p.Name}, p.Args...)
	from := b.mark()
	b.call("start", p, nil)
	b.hub = p.Name
	b.cleanup = append(b.cleanup, func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(b), 10*time.Second)
		defer cancel()
		if err := b.endHub(ctx, p.Name, sigTerm); err != nil {
			_ = b.endHub(ctx, p.Name, sigKill)
		}
		b.quietly("remove", wire.Target{Path: "/tmp/" + p.Name})
	})
	return from
}

// Signals, by the numbers they have on both architectures.
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

var errStillThere = errors.New("the hub does not end")

// endHub sends a signal and waits for the end; a hub that has ended already is fine.
func (b *bench) endHub(ctx context.Context, name string, signal int) error {
	ended := func(s wire.Sight) bool { return s.Kind == wire.Exit && s.By == name }
	if count(b.since(b.begin), ended) > 0 {
		return nil
	}
	_ = b.do(ctx, "signal", wire.Target{Name: name, Signal: signal}, nil) // it may end by itself just now
	if _, err := b.await(ctx, b.begin, 5*time.Second, "the hub to end", ended); err != nil {
		return fmt.Errorf("%w after signal %d: %w", errStillThere, signal, err)
	}
	return nil
}

// process tells how much the hub holds.
func (b *bench) process() (p wire.Process) {
	b.call("process", wire.Target{Name: b.hub}, &p)
	return p
}
