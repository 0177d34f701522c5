//go:build linux

// Siege attacks a hub with clients and devices that mean harm, one kind after another, and measures what a pair of well-behaved
// clients beside them notices. It uses loopback only. Use scripts/siege.sh, which builds what it needs.
package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"slices"
	"strings"
	"syscall"
	"time"
)

// options are those of the command line.
type options struct {
	hub     string // the program
	config  string // limits of the hub; empty: the defaults
	logs    string // where the hubs' logs stay; empty: nowhere
	span    time.Duration
	memory  float64 // MB above idle
	late    time.Duration
	held    time.Duration
	lines   int // of log, in a minute
	tries   int // as many as there are if a hub is only late
	form    string
	far     string // an address of this machine that the attackers reach from where they are; empty: they are on this machine
	from    string // the network namespace that they are in
	list    bool
	verbose bool
}

func main() {
	var o options
	flags := flag.NewFlagSet("siege", flag.ContinueOnError)
	flags.StringVar(&o.hub, "hub", "sighub", "the program")
	flags.StringVar(&o.config, "limits", "", "a YAML file whose limits the hub has; the defaults if there is none")
	flags.StringVar(&o.logs, "logs", "", "a folder for the logs of the hubs")
	flags.DurationVar(&o.span, "for", time.Minute, "how long each attack lasts")
	flags.Float64Var(&o.memory, "memory", 64, "how many MB above idle the hub may hold: 64, or the ceiling of --limits")
	flags.DurationVar(&o.late, "late", 10*time.Millisecond, "the 99th percentile that the pair may have")
	flags.DurationVar(&o.held, "held", 5500*time.Millisecond, "how long all listeners of one client may hold up a sender, in total")
	flags.IntVar(&o.lines, "lines", 100, "lines of log in a minute")
	flags.IntVar(&o.tries, "tries", 1, "how often to try again if the pair is late and nothing else is wrong: the machine may be busy")
	flags.StringVar(&o.form, "form", formOpen, "open: everybody may do everything; strangers: the attackers are not let in; members: they are, and may do little")
	flags.StringVar(&o.far, "far", "", "an address of this machine that the attackers reach, over TLS, from the namespace of -from")
	flags.StringVar(&o.from, "from", "", "the network namespace of the attackers, as ip-netns names it")
	flags.BoolVar(&o.list, "list", false, "list the attacks")
	flags.BoolVar(&o.verbose, "v", false, "print the hubs' logs")
	flags.Usage = func() {
		fmt.Fprintln(flags.Output(), "usage: siege [flags] [attack...]")
		flags.PrintDefaults()
	}
	if flags.Parse(os.Args[1:]) != nil {
		os.Exit(2)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	ok, err := run(ctx, &o, flags.Args(), os.Stdout)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "siege:", err)
		os.Exit(2)
	}
	if !ok {
		os.Exit(1)
	}
}

// run is the program. The first argument may name one of the roles in which siege starts itself.
func run(ctx context.Context, o *options, args []string, out io.Writer) (ok bool, err error) {
	switch {
	case o.list:
		return true, list(out)
	case !slices.Contains(forms(), o.form):
		return false, fmt.Errorf("-form %s: write %s", o.form, strings.Join(forms(), ", "))
	case len(args) == 2 && args[0] == rolePair:
		return true, behave(ctx, args[1], os.Stdin, out, (*watch).pair)
	case len(args) == 2 && args[0] == rolePrey:
		return true, behave(ctx, args[1], os.Stdin, out, (*watch).bait)
	case len(args) == 5 && args[0] == roleAttack:
		return true, attackAs(ctx, args[1], args[2], args[3], args[4], out)
	}
	chosen := attacks()
	if len(args) > 0 {
		chosen = slices.DeleteFunc(chosen, func(a attack) bool { return !slices.Contains(args, a.name) && a.name != calm })
		if len(chosen) <= len(args) && !slices.Contains(args, calm) {
			return false, fmt.Errorf("%s: one of them is not an attack: --list lists them", strings.Join(args, ", "))
		}
	}
	return besiege(ctx, o, chosen, out)
}

func list(out io.Writer) error {
	for _, a := range attacks() {
		if _, err := fmt.Fprintf(out, "%-16s %s\n", a.name, a.about); err != nil {
			return err
		}
	}
	return nil
}
