package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"sighub/scripts/lab/initramfs"
)

// A runner distributes scenarios among machines.
type runner struct {
	options
	dir string

	mu     sync.Mutex // guards the fields below, and printing
	out    io.Writer
	boots  int
	failed []error // one for each failed scenario
}

// wantedModules are those that the machine needs: for the port to the agent, for USB, and the driver of the adapter.
func wantedModules() []string {
	return []string{"virtio_pci", "virtio_console", "xhci_pci", "ftdi_sio"}
}

// run runs the scenarios of these names, or all, and prints what was seen.
func (o options) run(ctx context.Context, out io.Writer, names []string) (err error) {
	list, err := chosen(names)
	if err != nil {
		return err
	}
	dir, err := os.MkdirTemp("", "lab")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	begin := time.Now()
	modules, err := initramfs.FindModules(o.modules, wantedModules(), "ftdi_sio")
	if err != nil {
		return err
	}
	o.initramfs = filepath.Join(dir, "initramfs")
	err = initramfs.Write(o.initramfs, modules, initramfs.Program{Name: "init", From: o.agent}, initramfs.Program{Name: "bin/sighub", From: o.hub})
	if err != nil {
		return err
	}

	r := &runner{options: o, dir: dir, out: out}
	machines := make([]*machine, max(o.count, 1))
	defer func() {
		for _, m := range machines {
			if m != nil {
				m.end()
			}
		}
	}()
	if err := r.work(ctx, &machines[0], queue(list, true)); err != nil {
		return err
	}
	rest := queue(list, false)
	errs := make([]error, min(len(machines), len(rest)))
	var working sync.WaitGroup
	for i := range errs {
		working.Go(func() { errs[i] = r.work(ctx, &machines[i], rest) })
	}
	working.Wait()
	if err := errors.Join(errs...); err != nil {
		return err
	}
	fmt.Fprintf(out, "%d scenarios on %s, %d failed, %.0f s\n", len(list), o.arch, len(r.failed), time.Since(begin).Seconds())
	if len(r.failed) > 0 {
		return fmt.Errorf("failed: %w", errors.Join(r.failed...))
	}
	return nil
}

// queue returns the scenarios that run alone, or the others, in order.
func queue(list []scenario, alone bool) <-chan scenario {
	q := make(chan scenario, len(list))
	defer close(q)
	for _, s := range list {
		if s.alone == alone {
			q <- s
		}
	}
	return q
}

// work runs scenarios in a machine until none are left. It boots a machine when it has none.
func (r *runner) work(ctx context.Context, m **machine, queue <-chan scenario) error {
	for s := range queue {
		for dead, tries := true, 0; dead && tries < 2; tries++ {
			if *m == nil {
				var err error
				if *m, err = r.boot(ctx); err != nil {
					return err
				}
			}
			if dead = r.one(ctx, *m, s, tries == 1); dead {
				*m = nil
			}
			if ctx.Err() != nil {
				return context.Cause(ctx)
			}
		}
	}
	return nil
}

// boot returns another machine.
func (r *runner) boot(ctx context.Context) (*machine, error) {
	r.mu.Lock()
	r.boots++
	dir := filepath.Join(r.dir, fmt.Sprint(r.boots))
	r.mu.Unlock()
	if err := os.Mkdir(dir, 0o755); err != nil {
		return nil, err
	}
	begin := time.Now()
	m, err := bootMachine(ctx, r.system, dir)
	if err != nil {
		return nil, err
	}
	m.serial, m.cycles = r.serial, r.cycles
	r.print(func(out io.Writer) {
		fmt.Fprintf(out, "a machine with Linux %s on %s is up after %.1f s\n", m.since(0)[0].Text, r.arch, time.Since(begin).Seconds())
	})
	return m, nil
}

// one runs one scenario, and reports whether the machine is dead. If QEMU has ended, that is not a fault of the hub: the scenario
// runs again, unless this was the last try.
func (r *runner) one(ctx context.Context, m *machine, s scenario, last bool) (dead bool) {
	from, begin := m.mark(), time.Now()
	seen, err := m.run(ctx, s)
	why := m.why()
	if why != nil {
		m.end() // so that its output is complete
	}
	r.print(func(out io.Writer) {
		if why != nil && !last {
			fmt.Fprintf(out, "again %-12s its machine has ended\n%s\n", s.name, m.story())
			return
		}
		verdict := "pass "
		if err != nil {
			verdict = "FAIL "
			r.failed = append(r.failed, fmt.Errorf("%s: %w", s.name, err))
			seen = strings.TrimPrefix(seen+"; "+err.Error(), "; ")
		}
		fmt.Fprintf(out, "%s %-12s %5.1f s  %s: %s\n", verdict, s.name, time.Since(begin).Seconds(), s.what, seen)
		if err != nil || r.verbose {
			show(out, m.since(from))
		}
		if why != nil {
			fmt.Fprintln(out, m.story())
		}
	})
	return why != nil
}

// print prints a result as a whole.
func (r *runner) print(f func(io.Writer)) {
	r.mu.Lock()
	defer r.mu.Unlock()
	var text bytes.Buffer
	f(&text)
	_, _ = text.WriteTo(r.out) // there is nowhere left to complain to
}
