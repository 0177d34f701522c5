// Lab boots a real Linux kernel in QEMU, runs the hub on it, and plugs in and pulls out USB serial adapters with our devices at
// their other ends. It prints one line for each scenario. Use run.sh, which finds and builds what it needs.
package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"slices"
	"syscall"
)

// options are those of the command line.
type options struct {
	system
	modules string // the folder of the kernel's modules
	agent   string
	hub     string
	serial  string
	cycles  int // of the scenario cycles
	verbose bool
	count   int // number of machines
}

func main() {
	var o options
	flag.StringVar(&o.arch, "arch", "amd64", "of the machine: amd64 or arm64")
	flag.StringVar(&o.kernel, "kernel", "", "the kernel's image")
	flag.StringVar(&o.modules, "modules", "", "the folder of its modules")
	flag.StringVar(&o.agent, "agent", "", "the program of ./guest, built for the machine")
	flag.StringVar(&o.hub, "hub", "", "the hub, built for the machine")
	flag.StringVar(&o.serial, "serial", "auto", "what the hub is told of its serial ports, where a scenario does not say")
	flag.BoolVar(&o.verbose, "verbose", false, "print what the agent saw, of scenarios that pass as well")
	flag.IntVar(&o.count, "machines", 2, "how many machines work side by side")
	flag.IntVar(&o.cycles, "cycles", 200, "how many plug cycles the scenario of that name makes: a multiple of 4, from 40 on")
	names := flag.Bool("list", false, "list the scenarios")
	flag.Parse()
	if *names {
		list(os.Stdout)
		return
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := o.run(ctx, os.Stdout, flag.Args())
	stop()
	if err != nil {
		fmt.Fprintf(os.Stderr, "lab: %v\n", err)
		os.Exit(1)
	}
}

func list(out io.Writer) {
	for _, s := range scenarios() {
		fmt.Fprintf(out, "%-12s %s\n", s.name, s.what)
	}
}

// chosen returns the scenarios of these names, or all.
func chosen(names []string) ([]scenario, error) {
	all := scenarios()
	if len(names) == 0 {
		return all, nil
	}
	var some []scenario
	for _, name := range names {
		i := slices.IndexFunc(all, func(s scenario) bool { return s.name == name })
		if i < 0 {
			return nil, fmt.Errorf("there is no scenario %q: see --list", name)
		}
		some = append(some, all[i])
	}
	return some, nil
}
