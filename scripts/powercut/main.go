//go:build linux

// Powercut cuts the power under the product's journal and hub, again and again, and holds what is left against what was
// acknowledged. Use scripts/powercut.sh, which finds and builds what it needs.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"
)

// options are those of the command line.
type options struct {
	cuts     int
	real     int
	readings int
	hub      string
	system   system
	seed     uint64
	verbose  bool
	planted  bool
}

func main() {
	var o options
	flag.IntVar(&o.cuts, "cuts", 1000, "how many cuts on this machine's ext4")
	flag.IntVar(&o.real, "real", 20, "how many cuts of a virtual machine")
	flag.IntVar(&o.readings, "readings", 1_000_000, "how many readings a device reports to a hub that is killed and loses its power")
	flag.StringVar(&o.hub, "hub", "", "the hub")
	flag.StringVar(&o.system.kernel, "kernel", "", "the kernel's image, for virtual machines")
	flag.StringVar(&o.system.modules, "modules", "", "the folder of its modules")
	flag.StringVar(&o.system.guest, "guest", "", "the program of ./guest")
	flag.Uint64Var(&o.seed, "seed", 1, "of everything random")
	flag.BoolVar(&o.verbose, "verbose", false, "print everything that is wrong, at once")
	flag.BoolVar(&o.planted, "faults", false, "plant faults in the journal, and cut until each is found")
	flag.Parse()
	o.system.hub = o.hub
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := o.run(ctx, os.Stdout)
	stop()
	if err != nil {
		fmt.Fprintf(os.Stderr, "powercut: %v\n", err)
		os.Exit(1)
	}
}

func (o *options) run(ctx context.Context, out io.Writer) (err error) {
	dir, err := memoryFolder()
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	b := &bench{dir: dir, out: out, verbose: o.verbose, seed: o.seed}
	if o.planted {
		return o.faults(ctx, b, out)
	}
	all := []work{bareWork{small: true}, bareWork{}, &hubWork{program: o.hub, sockets: dir, small: true}, &hubWork{program: o.hub, sockets: dir}}
	var sum total
	printHead(out)
	for i, w := range all {
		c, err := b.series(ctx, w, share(o.cuts, i, len(all)), perRun, false)
		if err != nil {
			return err
		}
		c.print(out)
		sum.add(c)
	}
	if o.readings > 0 {
		c, err := b.marathon(ctx, o.hub, o.readings, max(3, o.readings/10000), max(2, o.readings/50000))
		if err != nil {
			return err
		}
		c.print(out)
		sum.add(c)
	}
	if o.real > 0 {
		c, err := b.real(ctx, &o.system, o.real)
		if err != nil {
			if _, wrong := errors.AsType[violation](err); !wrong {
				return err
			}
			b.wrong(c, err)
		}
		c.print(out)
		sum.add(c)
	}
	return sum.result(out)
}

// perRun is how many cuts are made of one recording.
const perRun = 50

// share returns how many of n the i-th of some gets.
func share(n, i, of int) int { return (i+1)*n/of - i*n/of }
